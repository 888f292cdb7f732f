# SPDX-License-Identifier: Apache-2.0
# Layers, parameters, losses, optimizers, loops of one's own.
using Serialization

@testset "a chain is a value" begin
    net = Chain(Dense(4, relu), flatten, Dense(2; use_bias = false))
    @test length(net) == 3 && net[1] == Dense(4; activation = relu) && net[1:2] == Chain(Dense(4, relu), Flatten()) && net == Chain(Dense(4, relu), Flatten(), Dense(2; use_bias = false))
    @test Conv((5, 5), 20, tanh) == Conv2D(20, (5, 5); activation = "tanh") && MaxPool((2, 2)) == MaxPool2D(; pool_size = (2, 2))
    @test occursin("Dense(units = 4, activation = relu)", sprint(show, MIME("text/plain"), net))
    io = IOBuffer()
    serialize(io, net)
    @test deserialize(seekstart(io)) == net
    @test fails(() -> Chain(3), InvalidArgumentError, "Dense")
    @test fails(() -> setup(Chain(Dense(-1)), (missing, 3)), FlexorError, "units")
end
@testset "parameters and states are explicit" begin
    net = Chain(Dense(4, relu), BatchNorm(), Dense(2))
    ps, st = setup(net, (missing, 3); seed = 1)
    @test collect(keys(ps))[1:2] == [Symbol("0.weight"), Symbol("0.bias")] && Symbol("1.running_mean") in keys(st)
    @test size(ps[Symbol("0.weight")]) == (4, 3)
    x = rand(Float32, 5, 3)
    y, st2 = net(x, ps, st)
    @test size(y) == (5, 2) && size(net(x, merge(ps, st))) == (5, 2)
    before = Array(st[Symbol("1.running_mean")])
    withgradient(p -> sum(net(x, p, st)[1]), ps)
    @test Array(st[Symbol("1.running_mean")]) != before  # training moved it
    again, _ = setup(net, (missing, 3); seed = 1)
    @test all(ps[k] == again[k] for k in keys(ps))
    w = Array(setup(Dense(4), (missing, 3); seed = 1, initializer = Flexor.Initializers.Normal(; sigma = 3.0))[1].weight)
    @test maximum(abs, w) > 1
    @test fails(() -> net(x, NamedTuple()), StateError)
end
@testset "losses" begin
    scores = NDArray(Float32[1 2 3; 3 2 1])
    expected = -log.([exp(3), exp(1)] ./ sum(exp.(1:3)))
    @test Array(softmax_cross_entropy(scores, [3, 3])) ≈ expected
    @test Array(softmax_cross_entropy(scores, NDArray(Float32[0 0 1; 0 0 1]); sparse_label = false)) ≈ expected
    @test Array(l2_loss(NDArray(Float32[1, 2]), [3, 2])) == [2, 0]
    @test string(softmax_cross_entropy()) == "SoftmaxCrossEntropyLoss" && string(huber_loss(; rho = 2.0)) == "HuberLoss(rho=2.0)"
end
@testset "optimizers" begin
    w, g = NDArray(Float32[1, 2]), NDArray(Float32[1, 1])
    opt = SGD(0.5)
    update!(opt, (w = w,), (w = g,))
    @test Array(w) == [0.5, 1.5] && opt.learning_rate == 0.5
    opt.learning_rate = 0.1
    @test opt.learning_rate == 0.1
    adam = Adam(Flexor.Schedules.Factor(1; factor = 0.5, base_lr = 1.0))
    update!(adam, w, g)
    @test isfinite(sum(w)) && Flexor.Schedules.Factor(1; factor = 0.5, base_lr = 1.0)(3) < 1
    io = IOBuffer()
    serialize(io, adam)
    @test deserialize(seekstart(io)).kind == "Adam"
    @test fails(() -> Adam(-1), FlexorError, "learning_rate")
    for name in ("SGD", "Adam", "NAG", "RMSProp", "AdaGrad", "AdaDelta", "Adamax", "Ftrl", "FTML", "Signum")
        v = NDArray(Float32[1, 2])
        update!(getfield(Flexor, Symbol(name))(0.1), v, g)
        @test Array(v) != [1, 2]
    end
end
@testset "a loop of one's own learns" begin
    x, names = Flexor.iris()
    y = Float32.(indexin(names, sort(unique(names))))
    net = Chain(Dense(16, tanh), Dense(3))
    ps, st = setup(net, (missing, 4); seed = 1)
    opt, losses = Momentum(0.05, 0.9), Float64[]
    for epoch in 1:20
        total = 0.0
        for (xb, yb) in batches(x, y; size = 16, shuffle = true, seed = epoch)
            loss, grads = withgradient(p -> mean(softmax_cross_entropy(net(xb, p), yb)), ps)
            update!(opt, ps, grads)
            total += loss
        end
        push!(losses, total)
    end
    @test losses[end] < 0.5 * losses[1]
    fast = hybridize(net)
    @test Array(fast(x, ps)) ≈ Array(net(x, ps))
end
@testset "looked at" begin
    net = Chain(Conv((3, 3), 4, relu), MaxPool((2, 2)), flatten, Dense(10))
    @test occursin("parameters", sprint(show, summarize(net, (missing, 1, 8, 8))))
    @test occursin("<svg", String(draw(net, (1, 1, 8, 8)))) && showable(MIME("image/svg+xml"), draw(net, (1, 1, 8, 8)))
    @test fails(() -> summarize(net, (missing, 1, 2, 2)), ShapeError)
end
@testset "batches" begin
    b = batches(reshape(1:10, 10, 1), 1:10; size = 4)
    @test [size(p[1], 1) for p in b] == [4, 4, 2] && length(b) == 3 && length(batches(1:10; size = 4, last = "drop")) == 2
    @test sort(vcat([Array(p[1]) for p in batches(1:10; size = 3, shuffle = true, seed = 2)]...)) == 1:10
    @test fails(() -> batches(1:3, 1:4), ShapeError, "3, 4")
end
