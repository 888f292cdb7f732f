# SPDX-License-Identifier: Apache-2.0
# Devices: arrays, networks and fits on one that is no CPU, the emulated one of the library's tests (FLEXOR_TEST_DEVICE); what one that is not there says.
const emu = "emu(0)"
emulated() = Flexor.device_count("emu") == 2

@testset "a device that is not there" begin
    @test_throws DeviceError NDArray([1, 2]; device = "gpu(99)")
    @test_throws DeviceError nd.random_normal(shape = (3,), device = "gpu(99)")
    @test_throws DeviceError to_device(NDArray([1]), "gpu(99)")
    @test_throws InvalidArgumentError NDArray{Float32}(undef, 2; device = "gpu(x")
    err = try NDArray(1; device = "gpu(99)") catch e; e end
    @test occursin("gpu(99)", sprint(showerror, err))
    @test device(NDArray([1])) == "cpu(0)"
    @test Flexor.device_count("cpu") == 1 && Flexor.device_count() >= 0
    @test Flexor.device_properties().cores >= 1
    @test Flexor.synchronize() === nothing
end

if emulated()
    @testset "arrays" begin
        x = NDArray(Float32[1 2 3; 4 5 6]; device = emu)
        made = [x, NDArray{Float64}([1, 2]; device = emu), NDArray(2.5; device = emu), NDArray(NDArray([1, 2]); device = emu), NDArray{Int64}(NDArray([1.0]); device = emu),
                NDArray{Float32}(undef, 2, 3; device = emu), NDArray([1 2; 3 4]; reversed = true, device = emu), nd.zeros(shape = (2,), device = emu), nd.full(shape = (2,), value = 3, device = emu),
                nd.random_uniform(shape = (3,), device = emu), similar(x), zero(x), copy(x), fill!(similar(x), 2)]
        @test all(device.(made) .== emu)
        @test Array(x) == [1 2 3; 4 5 6] && all(Array(made[end]) .== 2)
        @test occursin("on emu(0)", sprint(show, MIME"text/plain"(), x))
        results = [x .+ 1, x .+ [10, 20], [1 1 1; 2 2 2] .* x .+ ones(Float32, 2, 3), x * ones(Float32, 3, 2), x[:, 2], x[[2, 1], :], x[:, 3:2], sum(x; dims = 1), vcat(x, x), nd.softmax(x), exp.(x),
                   permutedims(x), nd.take(x, [2, 1]), (y -> y + 0.5f0).(x)]
        @test all(device.(results) .== emu)
        @test Array(results[3]) == [2 3 4; 9 11 13] && Array(results[6]) == [4 5 6; 1 2 3]
        big = NDArray(rand(Float32, 64, 64); device = emu)
        @test Array(2 .* big .+ big .^ 2) ≈ 2 .* Array(big) .+ Array(big) .^ 2
        @test x[2, 3] == 6
        x[1, :] = [7, 8, 9]
        x[2, 2] = 0
        x[:, 1:1] .= [5, 4]
        x .+= 1
        @test Array(x) == [6 9 10; 5 1 7] && device(x) == emu
        copyto!(x, [1 2 3; 4 5 6])
        there = to_device(x, "emu(1)")
        @test device(there) == "emu(1)" && device(to_device(there, "cpu")) == "cpu(0)" && to_device(x, emu) === x && to_device(x, nothing) === x
        @test Array(there) == Array(x)
        @test_throws DeviceError x .+ NDArray(ones(Float32, 2, 3))
        Flexor.seed!(3)
        here = Array(nd.random_normal(shape = (4,)))
        Flexor.seed!(3)
        @test Array(nd.random_normal(shape = (4,), device = emu)) ≈ here
        @test Flexor.device_properties(emu).memory == 2^30
        Flexor.synchronize(emu)
        @test Flexor.memory(device = emu).live > 0
        @test Flexor.memory(device = emu, reset_peak = true, release_unused = true).peak >= 0
    end

    network() = Chain(Dense(8; activation = tanh), Dense(3))
    x = Float32[sin(i * k) for i in 1:30, k in 1:4]
    y = [argmax(x[i, 1:3]) for i in 1:30]

    @testset "a loop of one's own" begin
        losses = map(("cpu", emu)) do place
            ps, st = setup(network(), (missing, 4); seed = 1, device = place)
            data, opt, loss = NDArray(x; device = place), Adam(0.05), nothing
            for _ in 1:3
                loss, grads = withgradient(p -> mean(softmax_cross_entropy(network()(data, p), y)), ps)
                update!(opt, ps, grads)
                @test device(grads) == device(ps)
            end
            @test startswith(device(ps), place) && device(network()(x, ps)) == device(ps)
            Flexor.item(loss)
        end
        @test losses[1] ≈ losses[2] atol = 1e-4
        ps, st = setup(network(), (missing, 4); seed = 1)
        moved = to_device(ps, emu)
        @test device(moved) == emu && keys(moved) == keys(ps) && device(to_device(moved, "cpu")) == "cpu(0)"
        @test_throws DeviceError network()(NDArray(x), moved)
        twice = Operator(v -> 2v) do dy, v, y
            2dy
        end
        v = NDArray(Float32[1, 2]; device = emu)
        g = gradient(a -> sum(twice(a)), v)
        @test Array(g) == [2, 2] && device(g) == emu && device(twice(v)) == emu
    end

    @testset "a fit" begin
        fits = map(place -> fit(Classifier(network()), x, y; epochs = 2, seed = 1, device = place), ("cpu", emu))
        @test device(fits[2]) == emu
        p = predict_proba(fits[2], x)
        @test predict_proba(fits[1], x) ≈ p atol = 1e-3
        mktempdir() do folder
            path = Flexor.save(joinpath(folder, "fit.flx"), fits[2])
            loaded = Flexor.load(path; device = emu)
            @test device(loaded) == emu && device(Flexor.load(path)) == "cpu(0)" && predict_proba(loaded, x) ≈ p
            @test device(to_device(loaded, "cpu")) == "cpu(0)" && predict_proba(loaded, x) ≈ p
        end
    end
end
