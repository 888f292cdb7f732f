# SPDX-License-Identifier: Apache-2.0
# Dotted expressions as one call: the same as operator by operator, in values, types, gradients and errors.

x, y = rand(Float32, 40, 30), rand(Float32, 40, 30)
a, b = NDArray(x), NDArray(y)
column, row = NDArray(rand(Float32, 40)), NDArray(rand(Float32, 1, 30))
n = NDArray(rand(Int32(1):Int32(9), 40, 30))
graphs() = isempty(Flexor.fused) ? 0 : sum(count(g -> g !== nothing, values(f.graphs)) for f in values(Flexor.fused))
both(f) = (Flexor.fuse_from[] = 1; p = f(); Flexor.fuse_from[] = typemax(Int); q = f(); Flexor.fuse_from[] = 1024; (p, q))
function alike(f)
    p, q = both(f)
    eltype(p) === eltype(q) && size(p) == size(q) && isapprox(Array(p), Array(q); rtol = 1e-5) || error("$p instead of $q")
end
@testset "the same values and types" begin
    before = graphs()
    expressions = [() -> a .* b .+ 1, () -> tanh.(a .* 2 .+ b), () -> (a .+ column) .* row, () -> 1 ./ (1 .+ exp.(-a)), () -> a .^ 2 .- b .^ 3 .+ 2 .^ a, () -> max.(a .- 0.5, 0),
                   () -> ifelse.(a .> b, a .* 2, b), () -> (a .> 0.2) .& (b .< 0.7), () -> Float64.(a) .+ n .* 2, () -> n ./ 2 .+ n, () -> clamp.(a .* 3, 1, 2) .+ abs2.(b),
                   () -> muladd.(a, b, 2 .* a), () -> a .+ b .+ a .+ b, () -> sqrt.(abs.(a .- b)), () -> .!(a .> b .* 2), () -> column .* row .+ column, () -> a .- a .* a]
    @test all(alike, expressions)
    @test graphs() == before + length(expressions)
    foreach(alike, expressions)
    @test graphs() == before + length(expressions)  # kept
    @test Array(a .* y .+ 1) ≈ x .* y .+ 1 && Array((v -> v + 1).(a .* 2)) ≈ 2x .+ 1 && Array(a .* 2 .+ (1:40)) ≈ 2x .+ (1:40)  # operator by operator
end
@testset "sizes change, numbers change" begin
    f(p, q) = p .* q .+ 3
    for k in (1, 2, 50, 2000)
        u = NDArray(fill(2f0, k, 3))
        @test all(==(7), Array(f(u, u)))
    end
    for k in 1:50
        @test Array(a .* k .+ b)[1] ≈ x[1] * k + y[1]
    end
    @test length(Flexor.fused[typeof(Base.Broadcast.broadcasted(+, Base.Broadcast.broadcasted(*, a, 1), b))].graphs) == 32
    @test fails(() -> a .* NDArray(ones(Float32, 40, 31)) .+ 1, ShapeError, "broadcast")
end
@testset "what an expression is given stays" begin
    for f in (() -> identity.(a) .+ b, () -> a .^ 1 .* b, () -> Float32.(a) .- b, () -> identity.(identity.(Ref(a))) .+ b, () -> a .+ a .+ identity.(b))
        both(f)
        @test Array(a) == x && Array(b) == y
    end
    c = similar(a)
    c .= identity.(identity.(a))
    @test Array(c) == x && Array(a) == x
end
@testset "gradients, in place, recording" begin
    for f in ((p, q) -> sum(tanh.(p .* q .+ 2) .* p), (p, q) -> sum((p .- q) .^ 2), (p, q) -> mean(max.(p .* 2 .- 1, 0) .+ abs.(q .- p)))
        p, q = both(() -> gradient(f, a, b))
        @test all(isapprox.(Array.(p), Array.(q); rtol = 1e-4))
    end
    p, q = both(() -> gradient((u, v) -> sum((u .+ v) .* v), a, column)[2])
    @test Array(p) ≈ Array(q) && size(p) == (40,)
    c = copy(a)
    c .+= b .* 2 .+ 1
    c .= c .* 2 .- a
    @test Array(c) ≈ 2 .* (x .+ 2y .+ 1) .- x
    c[:, 1:2] .= a[:, 1:2] .* 2 .+ 1
    @test Array(c)[:, 1:2] ≈ 2x[:, 1:2] .+ 1
    z = zeros(Float32, 40, 30)
    z .= a .* 2 .+ b
    @test z ≈ 2x .+ y
    w = Flexor.each(NDArray(rand(Float32, 30)))
    @test size(a .* w .+ w) == (40, 30) && Array(a .* w .+ w) ≈ x .* Array(w)' .+ Array(w)' && Flexor.per_observation(Flexor.compute(Base.Broadcast.broadcasted(+, Base.Broadcast.broadcasted(*, w, 2), w)))
end
