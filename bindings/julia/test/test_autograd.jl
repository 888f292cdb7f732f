# SPDX-License-Identifier: Apache-2.0
# Gradients against those by hand.

@testset "of arrays, tuples, named tuples" begin
    x = NDArray(Float32[1, 2, 3])
    value, grad = withgradient(v -> sum(v .* v), x)
    @test value == NDArray(fill(14f0)) && Float64(value) == 14 && Array(grad) == [2, 4, 6]
    w = NDArray(Float32[2, 2, 2])
    gx, gw = gradient((p, q) -> sum(p .* q .+ p), x, w)
    @test Array(gx) == [3, 3, 3] && Array(gw) == [1, 2, 3]
    g = gradient(p -> sum(p.a .* 3) + sum(p.inner[1]), (a = x, inner = (w,)))
    @test Array(g.a) == [3, 3, 3] && Array(g.inner[1]) == [1, 1, 1]
    @test Array(gradient(v -> mean(exp.(v)), x)) ≈ exp.([1, 2, 3]) ./ 3
end
@testset "through parts, reshapes, matrices, reductions" begin
    x = NDArray(Float32[1 2 3; 4 5 6])
    @test Array(gradient(v -> sum(v[1, :]), x)) == [1 1 1; 0 0 0]
    @test Array(gradient(v -> sum(v[:, [1, 1]]), x)) == [2 0 0; 2 0 0]
    @test Array(gradient(v -> sum(reshape(v, 3, 2) .* NDArray(Float32[1 0; 0 0; 0 0])), x)) == [1 0 0; 0 0 0]
    @test Array(gradient(v -> sum(v * v'), x)) ≈ 2 .* [5 7 9; 5 7 9]
    @test Array(gradient(v -> sum(maximum(v; dims = 2)), x)) == [0 0 1; 0 0 1]
    @test Array(gradient(v -> sum((v .- mean(v; dims = 1)) .^ 2), x)) ≈ [-3 -3 -3; 3 3 3]
end
@testset "gradients of gradients" begin
    x = NDArray(Float32[1, 2, 3])
    @test Array(gradient(v -> sum(gradient(u -> sum(u .* u .* u), v)), x)) ≈ 6 .* [1, 2, 3]
    @test Array(gradient(v -> sum(gradient(u -> sum(exp.(u .* 2)), v) .* v), x)) ≈ [2exp(2v) + 4v * exp(2v) for v in 1:3] rtol = 1e-4
    w = gradient((p, q) -> sum(gradient((a, b) -> sum(a .* a .* b), p, q)[1] .^ 2), x, NDArray(Float32[1, 1, 2]))  # of (2pq)²
    @test Array(w[1]) ≈ [8, 16, 96] && Array(w[2]) ≈ [8, 32, 144]
end
@testset "mode belongs to the task" begin
    x = NDArray(Float32[1, 2])
    seen = Ref{Any}(nothing)
    gradient(x) do v
        seen[] = fetch(@async Flexor.recording())
        sum(v)
    end
    @test seen[] == false && !Flexor.recording()
    @test gradient(v -> sum(v .* pause(() -> v .* 2)), x) == NDArray(Float32[2, 4])
    @test_throws ErrorException gradient(v -> error("mine"), x)
    @test !Flexor.recording()
end
@testset "what is wrong is said" begin
    x = NDArray(Float32[1, 2])
    @test fails(() -> gradient(v -> v .* 2, x), ShapeError, "one number")
    @test fails(() -> gradient(v -> 3, x), InvalidArgumentError, "Int64")
    @test fails(() -> gradient(v -> sum(v), 3), InvalidArgumentError)
    @test fails(() -> gradient(v -> sum((u -> u + 1).(v)), x), UnsupportedError, "operator")
    @test fails(() -> gradient(v -> sum(v), NDArray([1, 2])), DTypeError)
end
