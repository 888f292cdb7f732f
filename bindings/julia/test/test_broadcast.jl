# SPDX-License-Identifier: Apache-2.0
# Dots, arithmetic, reductions, matrices: the same as Julia's on plain arrays.

x, y = Float32[1 2 3; 4 5 6], Float32[6 5 4; 3 2 1]
a, b = NDArray(x), NDArray(y)
agree(p, q) = (p isa NDArray && size(p) == size(q) && eltype(p) === eltype(q) && isapprox(Array(p), q; rtol = 1e-5)) || error("$p instead of $q")
@testset "arithmetic" begin
    @test agree(a .+ b, x .+ y) && agree(a .- b, x .- y) && agree(a .* b, x .* y) && agree(a ./ b, x ./ y) && agree(a .^ b, x .^ y)
    @test agree(a + b, x + y) && agree(a - b, x - y) && agree(-a, -x) && agree(2a, 2x) && agree(a / 2, x / 2)
    @test agree(a .+ 1, x .+ 1) && agree(1 .- a, 1 .- x) && agree(2 .^ a, 2f0 .^ x) && agree(a .^ 2, x .^ 2) && agree(1 ./ a, 1 ./ x) && agree(a .^ 3, x .^ 3)
    @test agree(max.(a, b), max.(x, y)) && agree(min.(a, 3), min.(x, 3)) && agree(mod.(a, 4), mod.(x, 4)) && agree(clamp.(a, 2, 4), clamp.(x, 2, 4))
    @test agree(a .+ b .* 2 .- 1, x .+ y .* 2 .- 1) && agree(a .+ b .+ a .+ 1, x .+ y .+ x .+ 1)
    @test agree(a .+ y, x .+ y) && agree(y .* a, y .* x)
    @test fails(() -> a + NDArray(ones(Float32, 3, 2)), ShapeError)
    @test fails(() -> a .+ NDArray(ones(Float32, 4, 2)), ShapeError, "broadcast")
end
@testset "sizes of 1 and missing axes are repeated as in Julia" begin
    column, row = Float32[10, 20], Float32[1 2 3]
    @test agree(a .+ NDArray(column), x .+ column) && agree(a .* NDArray(row), x .* row) && agree(NDArray(column) .+ NDArray(row), column .+ row)
    c = copy(a)
    c .+= NDArray(column)
    @test Array(c) == x .+ column
    c .= 3
    @test all(Array(c) .== 3)
    c .= NDArray(row)
    @test Array(c) == [1 2 3; 1 2 3]
    z = zeros(Float32, 2, 3)
    z .= a .+ 1
    @test z == x .+ 1
    @test fails(() -> (c .= NDArray(ones(3, 3))), FlexorError)
end
@testset "functions" begin
    for f in (abs, sqrt, exp, log, log2, log10, log1p, expm1, sin, cos, tan, atan, sinh, tanh, asinh, cbrt, abs2, inv, sign, relu, sigmoid)
        @test agree(f.(a ./ 8), f.(x ./ 8))
    end
    @test agree(floor.(a ./ 2), floor.(x ./ 2)) && agree(round.(a ./ 2), round.(x ./ 2)) && agree(identity.(a), x)
    @test agree((v -> v + 1).(a), x .+ 1)  # no operator: computed in Julia
    @test agree(muladd.(a, b, 1), x .* y .+ 1)
end
@testset "comparisons are Bool, types widen as they must" begin
    @test Array(a .> b) == (x .> y) && eltype(a .> b) === Bool && Array(a .== 3) == (x .== 3) && Array((a .> 2) .& (b .> 2)) == ((x .> 2) .& (y .> 2)) && Array(3 .< a) == (3 .< x)
    @test agree(a .* (a .> 2), x .* (x .> 2)) && Array(.!(a .> 2)) == .!(x .> 2)
    n = NDArray(Int32[1, 2, 3])
    @test agree(n .+ 1, Int32[2, 3, 4]) && eltype(n .+ 0.5) === Float32 && eltype(n ./ 2) === Float32 && eltype(n .+ NDArray([1.0, 2, 3])) === Float64
    @test eltype(a .+ 1.0) === Float32 && eltype(exp.(n)) === Float32
    @test Array(ifelse.(a .> 2, a, b)) == ifelse.(x .> 2, x, y)
    @test agree(Float64.(a), Float64.(x))
end
@testset "reductions" begin
    @test sum(a) == 21 && mean(a) == 3.5 && maximum(a) == 6 && minimum(b) == 1 && prod(a) == 720
    @test agree(sum(a; dims = 1), sum(x; dims = 1)) && agree(mean(a; dims = 2), mean(x; dims = 2)) && agree(maximum(a; dims = (1, 2)), maximum(x; dims = (1, 2)))
    @test sum(a .> 2) == 4 && sum(abs2, a) == sum(abs2, x) && argmax(a) == CartesianIndex(2, 3) && extrema(a) == (1, 6) && any(a .> 5) && !all(a .> 5)
    @test agree(softmax(a), exp.(x) ./ sum(exp.(x); dims = 2))
    @test isapprox(Float64(Flexor.LinearAlgebra.norm(a)), sqrt(sum(abs2, x)); rtol = 1e-5)
end
@testset "matrices" begin
    @test agree(a * b', x * y') && agree(a * NDArray(Float32[1, 2, 3]), x * Float32[1, 2, 3]) && agree(a * y', x * y') && agree(x * b', x * y') && agree(transpose(a), permutedims(x))
    e = try; a * b; catch e; e; end
    @test e isa ShapeError && e.operator == "dot" && occursin("(2, 3)", e.message) && e.kind == "shape"
end
@testset "operators by name" begin
    @test agree(nd.softmax(a; axis = 1), exp.(x) ./ sum(exp.(x); dims = 1))
    @test agree(nd.concat(a, b; dim = 1), vcat(x, y)) && length(nd.slice_channel(a; num_outputs = 3, axis = 2)) == 3
    @test Array(nd.take(a, [3, 1]; axis = 2)) == x[:, [3, 1]] && Array(nd.argmax(a; axis = 2)) == [3, 3]
    @test fails(() -> nd.softmax(a; axis = 0), OutOfRangeError, "from 1")
    @test fails(() -> nd.softmax(a; axis = 5), FlexorError, "softmax")
    @test occursin("axis", string(@doc nd.softmax)) && occursin("from 1", string(@doc nd.softmax))
    documented = [n for n in names(nd; all = true) if isdefined(nd, n) && getfield(nd, n) isa Function && !startswith(string(n), "#") && !(n in (:eval, :include))]
    own = filter(n -> parentmodule(getfield(nd, n)) === nd, documented)
    @test length(own) > 200 && all(n -> haskey(Base.Docs.meta(nd), Base.Docs.Binding(nd, n)), own)
end
