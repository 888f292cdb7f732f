# SPDX-License-Identifier: Apache-2.0
# Arrays: types, sizes, order, parts, conversions, printing.
using Serialization

@testset "element types stay, in both directions" begin
    for T in (Float32, Float64, Float16, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Bool)
        x = T.(reshape([0, 1, 1, 0, 1, 1], 2, 3))
        a = NDArray(x)
        @test a isa NDArray{T,2} && size(a) == (2, 3) && eltype(a) === T
        @test Array(a) isa Matrix{T} && Array(a) == x
        @test a[2, 1] === x[2, 1]
    end
    @test NDArray(Flexor.BFloat16[1.5, 2])[1] == Flexor.BFloat16(1.5)
    @test eltype(NDArray([1//2 1//4])) === Float32 && eltype(NDArray{Float64}([1, 2])) === Float64
    @test NDArray([typemax(Int64) - 1])[1] === typemax(Int64) - 1
    @test fails(() -> NDArray(["a", "b"]), DTypeError, "numbers")
    @test Array(NDArray(view(rand(Float32, 4, 4), 1:2:4, :))) isa Matrix{Float32}
end
@testset "element (i, j) is element (i, j)" begin
    x = reshape(Float32.(1:24), 2, 3, 4)
    a = NDArray(x)
    @test all(a[i, j, k] == x[i, j, k] for i in 1:2, j in 1:3, k in 1:4)
    @test a[7] == x[7] && a[end] == 24
    @test Array(reshape(a, 4, 6)) == reshape(x, 4, 6) && Array(vec(a)) == vec(x) && Array(reshape(a, :, 2)) == reshape(x, :, 2)
    @test Array(permutedims(a, (3, 1, 2))) == permutedims(x, (3, 1, 2))
    flux = rand(Float32, 5, 4, 3, 2)  # width, height, channels, batch
    @test Array(NDArray(flux; reversed = true)) == permutedims(flux, (4, 3, 2, 1))
end
@testset "parts" begin
    x = reshape(Float32.(1:24), 4, 6)
    a = NDArray(x)
    for parts in ((1, :), (:, 2), (2:3, :), (2:3, 4), ([1, 3, 1], :), (:, 2:2:6), (2:2, 3:5), (x[:, 1] .> 2, :), (:, :), (Int[], :))
        @test Array(a[parts...]) == x[parts...] && size(a[parts...]) == size(x[parts...])
    end
    for (parts, v) in (((1, 2), 100), ((2, :), 7), ((1:2, 3:4), Float32[1 2; 3 4]), ((:, 5), Float32[9, 8, 7, 6]), (([4, 1], 6), 0))
        y, b = copy(x), copy(a)
        if v isa Number && !all(p -> p isa Int, parts)
            y[parts...] .= v
        else
            y[parts...] = v
        end
        b[parts...] = v
        @test Array(b) == y
    end
    @test_throws BoundsError a[5, 1]
    @test_throws BoundsError a[:, 7]
    @test_throws BoundsError a[1, 7] = 0
    @test fails(() -> (a[1:2, 1] = [1, 2, 3]), ShapeError, "fill")
end
@testset "copies, views, fill" begin
    a = NDArray(Float32[1 2; 3 4])
    b = copy(a)
    b .= 0
    @test Array(a) == [1 2; 3 4] && Array(b) == zeros(2, 2)
    fill!(b, 5)
    @test Array(b) == fill(5, 2, 2)
    copyto!(b, [1 1; 2 2])
    @test Array(b) == [1 1; 2 2] && copyto!(zeros(2, 2), b) == [1 1; 2 2]
    @test fails(() -> copyto!(b, [1, 2, 3]), ShapeError)
    @test Array(zero(a)) == zeros(2, 2) && similar(a) isa NDArray{Float32,2} && similar(a, Float64, (3,)) isa NDArray{Float64,1}
    @test Array(vcat(a, b)) == vcat(Array(a), Array(b)) && Array(hcat(a, b)) == hcat(Array(a), Array(b)) && size(cat(a, b; dims = 3)) == (2, 2, 2)
    @test a == copy(a) && a == [1 2; 3 4] && a != b && a ≈ a .+ 1f-8
    @test size(dropdims(NDArray(ones(2, 1, 3)); dims = 2)) == (2, 3) && fails(() -> dropdims(a; dims = 1), ShapeError)
end
@testset "shown, iterated, serialized" begin
    a = NDArray(Float32[1 2; 3 4])
    @test sprint(show, MIME("text/plain"), a) == "2×2 NDArray{Float32,2}:\n 1.0  2.0\n 3.0  4.0"
    @test sprint(show, a) == "NDArray(Float32[1.0 2.0; 3.0 4.0])"
    @test collect(a) == [1 2; 3 4] && [v for v in a] == [1 2; 3 4] && sum(v for v in a) == 10
    io = IOBuffer()
    serialize(io, a)
    b = deserialize(seekstart(io))
    @test b isa NDArray{Float32,2} && b == a
    @test sprint(show, NDArray(Float32[])) == "NDArray(Float32[])"
end
@testset "freed" begin
    a = NDArray(ones(3))
    free!(a)
    free!(a)
    @test fails(() -> a .+ 1, HandleError, "freed")
end
