# SPDX-License-Identifier: Apache-2.0
# Layers and operators of one's own: at once, traced, in fits, in files.
using Serialization

struct ScaleShift <: Layer end
Flexor.parameters(::ScaleShift, input) = (scale = Param(input[2:end], ones), shift = Param(input[2:end], zeros))
(::ScaleShift)(x, p) = x .* p.scale .+ p.shift

struct Gated <: Layer
    units::Int
end
Flexor.parameters(l::Gated, input) = (values = Dense(l.units), gates = Dense(l.units, sigmoid))
(::Gated)(x, p) = p.values(x) .* p.gates(x)

struct Folded <: Layer end  # reshapes, parts, reductions; no parameter
(::Folded)(x, p) = (y = reshape(x, size(x, 1), :); hcat(y[:, 1:2] .- mean(y; dims = 2), softmax(y)[:, [3, 1]]))

struct Counting <: Layer end
(::Counting)(x, p) = x ./ size(x, 1)

x, y = Flexor.iris()
train, test = splitobs(length(y), 0.7; seed = 1)
clip01 = Operator(x -> clamp.(x, 0, 1)) do dy, x, y
    dy .* (0 .< x .< 1)
end

@testset "a layer of one's own runs on arrays, with gradients" begin
    net = Chain(flatten, ScaleShift(), Dense(3))
    ps, st = setup(net, (missing, 2, 2); seed = 1)
    @test keys(ps) == (Symbol("1.scale"), Symbol("1.shift"), Symbol("2.weight"), Symbol("2.bias")) && size(ps[Symbol("1.scale")]) == (4,)
    data = NDArray(reshape(Float32.(1:20), 5, 2, 2))
    ps[Symbol("1.scale")][:] = Float32[1, 2, 3, 4]
    ps[Symbol("1.shift")][:] = Float32[0, 1, 0, 1]
    middle = Array(flatten(data)) .* Float32[1 2 3 4] .+ Float32[0 1 0 1]
    @test Array(net(data, ps)) ≈ middle * Array(ps[Symbol("2.weight")])' .+ Array(ps[Symbol("2.bias")])'
    fast = hybridize(net)
    @test Array(fast(data, ps)) ≈ Array(net(data, ps)) && Array(fast(data, ps, st)[1]) == Array(fast(data, ps))
    plain = gradient(p -> sum(net(data, p) .^ 2), ps)
    planned = gradient(p -> sum(fast(data, p) .^ 2), ps)
    @test all(k -> isapprox(Array(plain[k]), Array(planned[k]); rtol = 1e-4), keys(ps))
    one = NDArray(reshape(Float32.(1:4), 1, 4))  # a batch of one: parameters still meet the last axis
    alone, _ = setup(ScaleShift(), (missing, 4); seed = 1)
    @test ScaleShift()(one, alone) == one && size(ScaleShift()(one, alone)) == (1, 4) && ScaleShift()(one, alone, NamedTuple())[1] == one
    @test size((1 .+ alone.scale .* 2) .* one) == (1, 4) && size(-alone.scale .* one) == (1, 4)
    @test fails(() -> net(data, NamedTuple()), StateError, "scale")
    @test fails(() -> Param((missing, 3)), ShapeError, "batch")
end
@testset "layers within it, called as functions" begin
    net = Chain(ScaleShift(), Gated(5), Dense(3))
    ps, _ = setup(net, (missing, 4); seed = 1)
    @test Symbol("1.values.weight") in keys(ps) && Symbol("1.gates.bias") in keys(ps)
    inner = Dense(5)(x, Flexor.below(ps, "1.values.")) .* Dense(5, sigmoid)(x, Flexor.below(ps, "1.gates."))
    @test Array(net(x, ps)) ≈ Array(Dense(3)(inner, Flexor.below(ps, "2."))) && Array(hybridize(net)(x, ps)) ≈ Array(net(x, ps))
    @test occursin("ScaleShift", sprint(show, summarize(net, (missing, 4)))) && occursin("<svg", String(draw(net, (1, 4))))
end
@testset "traced: reshapes, parts, reductions; what cannot be is said" begin
    net = Chain(Folded(), Dense(2))
    ps, _ = setup(net, (missing, 2, 2); seed = 1)
    for rows in (1, 4)
        data = rand(Float32, rows, 2, 2)
        @test Array(net(data, ps)) ≈ Array(hybridize(net)(data, ps))
    end
    @test fails(() -> setup(Counting(), (missing, 2)), InvalidArgumentError, "Counting", "observations")
    for (f, word) in ((v -> v .+ sum(Array(v)), "traced"), (v -> (u -> u + 1).(v), "operator"), (v -> v .+ NDArray(Float32[1, 2]), "parameter"), (v -> 3, "Int64"))
        Core.eval(Main, :(struct $(Symbol("Odd", word)) <: Layer end))
        kind = getfield(Main, Symbol("Odd", word))
        Core.eval(Main, :((::$kind)(x, p) = $f(x)))
        @test fails(() -> Base.invokelatest(setup, Base.invokelatest(kind), (missing, 2)), UnsupportedError, word)
    end
    @test fails(() -> Flexor.save("x.flx", Chain(Gated(3)), NamedTuple()), StateError, "setup")
end
@testset "fitted, saved, loaded" begin
    net = Chain(ScaleShift(), Gated(16), Dense(3))
    f = fit(Classifier(net), x[train, :], y[train]; epochs = 60, optimizer = Adam(0.02), seed = 1)
    @test accuracy(predict(f, x[test, :]), y[test]) > 0.9
    mktempdir() do folder
        path = joinpath(folder, "gated.flx")
        Flexor.save(path, f)
        code = "using Flexor; x, y = Flexor.iris(); print(join(predict(Flexor.load(ARGS[1]), x), ','))"
        @test readchomp(`$(Base.julia_cmd()) --startup-file=no -e $code $path`) == join(predict(f, x), ',')  # without the structs
        ps, st = setup(net, (missing, 4); seed = 2)
        Flexor.save(path, net, ps, st)
        @test size(predict(Flexor.load(path), x)) == (150, 3)
    end
    io = IOBuffer()
    serialize(io, f)
    @test predict(deserialize(seekstart(io)), x) == predict(f, x)
end
@testset "an operator of one's own" begin
    a = NDArray(Float32[-0.5, 0.25, 0.75, 1.5])
    @test Array(clip01(a)) == [0, 0.25, 0.75, 1] && clip01([-1.0, 2.0]) == [0, 1]
    @test Array(gradient(v -> sum(clip01(v) .* NDArray(Float32[1, 2, 3, 4])), a)) == [0, 2, 3, 0]
    both = Operator((p, q) -> (p .+ q, p .* q); outputs = 2, name = "both") do ds, dp, p, q, s, m
        (ds .+ dp .* q, nothing)
    end
    ga, gb = gradient((p, q) -> sum(both(p, q)[2]), a, a .+ 1)
    @test Array(ga) ≈ Array(a) .+ 1 && all(iszero, Array(gb))
    constant = Operator(v -> v .* 2)
    @test Array(gradient(v -> sum(v .+ constant(v)), a)) == [1, 1, 1, 1]
    broken = Operator((dy, v, w) -> error("my gradient"), v -> v)
    @test_throws ErrorException gradient(v -> sum(broken(v)), a)
    short = Operator((dy, v, w, r) -> (dy,), (v, w) -> v .+ w)
    @test fails(() -> gradient((v, w) -> sum(short(v, w)), a, a), InvalidArgumentError, "2 inputs")
end
struct Clip <: Layer end
(::Clip)(x, p) = named_clip(x)
named_clip = Operator((dy, x, y) -> dy .* (0 .< x .< 1), x -> clamp.(x, 0, 1); name = "clip01 of the tests")
struct Halves <: Layer end
(::Halves)(x, p) = halve(x)
halve = Operator((dy, x, y) -> repeat(dy, 1, 2), x -> x[:, 1:size(x, 2)÷2] .+ x[:, size(x, 2)÷2+1:end]; shapes = s -> (s[1], s[2] ÷ 2))
@testset "in fits, files and predictions" begin
    net = Chain(Standardize(), Dense(8), Clip(), Dense(6), Halves())
    f = fit(Classifier(net), x, y; epochs = 80, optimizer = Adam(0.03), seed = 1)
    @test accuracy(predict(f, x), y) > 0.9
    mktempdir() do folder
        path = joinpath(folder, "clip.flx")
        g = fit(Classifier(Chain(Dense(8), Clip(), Dense(3))), x, y; epochs = 2, seed = 1)
        Flexor.save(path, g)
        @test predict(Flexor.load(path), x) == predict(g, x)
        code = "using Flexor; x, y = Flexor.iris(); try predict(Flexor.load(ARGS[1]), x) catch e; print(e.message) end; " *
               "Operator(v -> clamp.(v, 0, 1); name = \"clip01 of the tests\"); print(join(predict(Flexor.load(ARGS[1]), x), ','))"
        said = readchomp(`$(Base.julia_cmd()) --startup-file=no -e $code $path`)
        @test occursin("clip01 of the tests", said) && endswith(said, join(predict(g, x), ','))
    end
    io = IOBuffer()
    serialize(io, f)  # holds the operator itself
    @test predict(deserialize(seekstart(io)), x) == predict(f, x)
    bad = Operator(v -> error("mine"); name = "bad")
    Core.eval(Main, :(struct BadLayer <: Layer end; (::BadLayer)(x, p) = $bad(x)))
    layer = Base.invokelatest(Main.BadLayer)
    @test_throws ErrorException Base.invokelatest(() -> fit(Classifier(Chain(layer, Dense(3))), x, y; epochs = 2))
    @test length(fit(Classifier(Dense(3)), x, y; epochs = 1).history) == 1  # all is as before
end
