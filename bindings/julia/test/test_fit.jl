# SPDX-License-Identifier: Apache-2.0
# fit, predict, events, interrupts, metrics, files, Serialization.
using Serialization
struct Mine <: Exception end

x, y = Flexor.iris()
train, test = splitobs(length(y), 0.7; seed = 1)
net = Chain(Standardize(), Dense(16, relu), Dense(8, relu), Dense(3))
quick(; options...) = fit(Classifier(net), x[train, :], y[train]; epochs = 30, optimizer = Adam(0.01), seed = 1, options...)

@testset "a classifier learns, and gives labels of the type given" begin
    f = quick()
    @test accuracy(predict(f, x[test, :]), y[test]) > 0.9 && predict(f, x) isa Vector{String} && f.classes == sort(unique(y))
    p = predict_proba(f, x[test, :])
    @test size(p) == (length(test), 3) && all(isapprox.(sum(p; dims = 2), 1; atol = 1e-5))
    @test length(f.history) == 30 && f.history.loss[end] < f.history.loss[1] && evaluate(f, x, y)["accuracy"] > 0.9
    @test f.parameters[Symbol("3.weight")] isa NDArray && occursin("3 classes", sprint(show, f))
    @test quick().history.loss == f.history.loss  # the same seed, the same bits
    for labels in (Symbol.(y), y .== "setosa", indexin(y, unique(y)) .+ 10)
        units = length(unique(labels))
        g = fit(Classifier(Chain(Dense(units))), x, labels; epochs = 1, seed = 1)
        @test eltype(predict(g, x)) === eltype(labels) || eltype(predict(g, x)) <: eltype(labels)
    end
    one = fit(Classifier(Chain(Standardize(), Dense(1))), x, y .== "setosa"; epochs = 20, seed = 1, optimizer = Adam(0.05))
    @test accuracy(predict(one, x), y .== "setosa") > 0.95
end
@testset "a regressor" begin
    target = 2 .* x[:, 1] .- x[:, 2]
    f = fit(Regressor(Chain(Standardize(), Dense(1))), x, target; epochs = 200, optimizer = Adam(0.05), seed = 1)
    @test predict(f, x) isa Vector{Float32} && maximum(abs, predict(f, x) .- target) < 0.7
    two = fit(Regressor(Dense(2)), x, [target target]; epochs = 1, seed = 1)
    @test size(predict(two, x)) == (150, 2)
    @test fails(() -> predict_proba(f, x), StateError)
end
@testset "the function of a fit runs on this task, between batches" begin
    epochs, me = Int[], current_task()
    f = fit(Classifier(net), x[train, :], y[train]; epochs = 30, seed = 1, validation = (x[test, :], y[test])) do state
        @test current_task() === me && state.loss > 0 && 0 <= state.valid.accuracy <= 1
        push!(epochs, state.epoch)
        state.epoch == 4 && stop!(state)
    end
    @test epochs == 1:4 && length(f.history) == 4
    @test_throws Mine fit(s -> throw(Mine()), Classifier(net), x, y; epochs = 3)
    @test quick(; epochs = 2) isa Flexor.Fitted  # all is as before
end
@testset "functions as metrics" begin
    share(scores, labels) = mean(labels .== "setosa")
    f = quick(; epochs = 2, metrics = ("accuracy", share))
    @test keys(f.history)[1:4] == ["epoch", "loss", "accuracy", "share"] && 0.2 < f.history["share"][1] < 0.5
    broken(scores, labels) = error("my metric")
    @test_throws ErrorException quick(; metrics = broken)
end
@testset "Ctrl-C and other tasks" begin
    big = rand(Float32, 20000, 4)
    labels = rand(1:3, 20000)
    ran = Ref(0)
    other = @async while ran[] >= 0
        ran[] += 1
        yield()
    end
    me = current_task()
    Timer(_ -> schedule(me, InterruptException(); error = true), 0.3)
    @test_throws InterruptException fit(Classifier(net), big, labels; epochs = 100000, batchsize = 4)
    @test ran[] > 1
    ran[] = -1
    @test quick(; epochs = 1) isa Flexor.Fitted
end
@testset "files and Serialization" begin
    f = quick(; epochs = 3)
    mktempdir() do folder
        path = joinpath(folder, "iris größe.flx")
        Flexor.save(path, f)
        g = Flexor.load(path)
        @test predict(g, x) == predict(f, x) && predict_proba(g, x) == predict_proba(f, x) && g.classes == f.classes
        again = joinpath(folder, "again.flx")
        Flexor.save(again, g)
        @test read(again) == read(path)
        @test fails(() -> Flexor.load(joinpath(folder, "none.flx")), FileError, "none.flx")
        write(joinpath(folder, "bad.flx"), "no model")
        @test fails(() -> Flexor.load(joinpath(folder, "bad.flx")), FormatError)
        ps, st = setup(net, (missing, 4); seed = 1)
        Flexor.save(joinpath(folder, "net.flx"), net, ps, st)
        @test Flexor.load(joinpath(folder, "net.flx")) isa Flexor.Fitted
    end
    io = IOBuffer()
    serialize(io, f)
    g = deserialize(seekstart(io))
    @test predict(g, x) == predict(f, x) && g.history.loss == f.history.loss
    @test Flexor.read_json("[\"a\\\"b\", \"\\u00e4\\ud83d\\ude00\", 3, {\"k\": [true, null, -1.5e2]}, {}]") == ["a\"b", "ä😀", 3, Dict("k" => [true, nothing, -150]), Dict()]
    @test Flexor.read_json(Flexor.json_list(["a\"b\\", "ä\n"])) == ["a\"b\\", "ä\n"]
    for wrong in ("", "[1,", "[1 2]", "{\"a\" 1}", "tru", "[\"a", "\"\\u12", "1 1")
        @test fails(() -> Flexor.read_json(wrong), FormatError, "JSON")
    end
end
@testset "what is wrong is said" begin
    @test fails(() -> fit(Classifier(net), x, y[1:10]), ShapeError, "150", "10")
    @test fails(() -> fit(Classifier(Chain(Dense(2))), x, y), ShapeError, "Dense(3)")
    @test fails(() -> fit(Classifier(net), x, fill("a", 150)), InvalidArgumentError, "two classes")
    @test fails(() -> quick(; epohcs = 3), UnknownNameError, "epochs")
    @test fails(() -> predict(quick(; epochs = 1), rand(Float32, 3, 7)), ShapeError)
    @test fails(() -> quick(; validation = (x, fill("none", 150))), InvalidArgumentError, "none")
end
@testset "curves" begin
    h = quick(; epochs = 5, validation = (x[test, :], y[test])).history
    text = sprint(show, MIME("text/plain"), plot(h))
    @test occursin("● loss", text) && occursin("valid.loss", text) && count(==('●'), text) == 6
    @test startswith(sprint(show, MIME("image/svg+xml"), plot(h, "accuracy")), "<svg") && h.valid.accuracy == h["valid.accuracy"]
    @test fails(() -> h["los"], UnknownNameError, "valid.loss") && occursin("epoch", sprint(show, MIME("text/plain"), h))
end
