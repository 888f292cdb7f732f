# SPDX-License-Identifier: Apache-2.0
# Sources of batches, weights, fits that go on, MXNet's files.

x, y = Flexor.iris()
net = Chain(Standardize(), Dense(16, relu), Dense(3))
species = ["setosa", "versicolor", "virginica"]
order = sortperm([sin(37i) for i in 1:150])
parts = [order[k:k+24] for k in 1:25:150]

@testset "batches in Julia: vectors, generators, iterators" begin
    pairs = [(x[i, :], y[i]) for i in parts]
    f = fit(Classifier(net), pairs; classes = species, epochs = 40, optimizer = Adam(0.02), seed = 1)
    @test accuracy(predict(f, x), y) > 0.9 && f.classes == species && length(f.history) == 40
    g = fit(Classifier(net), ((x[i, :], y[i]) for i in parts); classes = species, epochs = 40, optimizer = Adam(0.02), seed = 1)
    @test g.history.loss == f.history.loss
    asked = Int[]
    me = current_task()
    one(k) = (current_task() === me || error("another task"); push!(asked, k); (x[parts[k], :], y[parts[k]]))
    fit(Classifier(net), (one(k) for k in 1:3); classes = species, epochs = 2, validation = pairs[4:6]) do state
        @test length(asked) >= 3 * state.epoch && 0 <= state.valid.accuracy <= 1
    end
    @test asked == repeat(1:3, 3)  # Standardize looks at all of it first
    empty!(asked)
    fit(Classifier(Dense(3)), (one(k) for k in 1:3); classes = species, epochs = 2)
    @test asked == repeat(1:3, 2)
    numbers = fit(Regressor(Chain(Standardize(), Dense(1))), [(x[i, :], 2 .* x[i, 1:1]) for i in parts]; epochs = 100, optimizer = Adam(0.05), seed = 1)
    @test size(predict(numbers, x)) == (150, 1) && maximum(abs, predict(numbers, x) .- 2 .* x[:, 1]) < 0.5
    @test evaluate(f, pairs)["accuracy"] ≈ evaluate(f, x, y)["accuracy"]
    once = Channel(c -> foreach(p -> put!(c, p), pairs))
    @test fails(() -> fit(Classifier(net), once; classes = species, epochs = 2), InvalidArgumentError, "one epoch")
    @test fails(() -> fit(Classifier(net), pairs), InvalidArgumentError, "classes")
    @test fails(() -> fit(Classifier(net), [1, 2]; classes = species), InvalidArgumentError, "pair")
    @test fails(() -> fit(Classifier(net), []; classes = species), InvalidArgumentError, "no batch")
    @test_throws ErrorException fit(Classifier(net), (k < 3 ? pairs[k] : error("mine") for k in 1:4); classes = species)
    @test length(fit(Classifier(net), pairs; classes = species, epochs = 1).history) == 1
end
@testset "the library's sources" begin
    numbers = Float32.(indexin(y, species) .- 1)
    f = fit(Classifier(net), batches(x, numbers; size = 25, shuffle = true, seed = 1); classes = species, epochs = 40, optimizer = Adam(0.02), seed = 1)
    @test accuracy(predict(f, x), y) > 0.9
    mktempdir() do folder
        write(joinpath(folder, "x.csv"), join((join(x[i, :], ',') for i in order), '\n'))
        write(joinpath(folder, "y.csv"), join(numbers[order], '\n'))
        csv = Flexor.Iterators.CSVIter(joinpath(folder, "x.csv"), (4,); label_csv = joinpath(folder, "y.csv"), batch_size = 25)
        g = fit(Classifier(net), csv; classes = species, epochs = 40, optimizer = Adam(0.02), seed = 1, validation = csv)
        @test accuracy(predict(g, x), y) > 0.9 && g.history.valid.accuracy[end] > 0.9
    end
end
@testset "weights of samples" begin
    weights = [name == "virginica" ? 0.0 : 1.0 for name in y]
    f = fit(Classifier(net), x, y; weights = weights, epochs = 40, optimizer = Adam(0.02), seed = 1)
    without = fit(Classifier(net), x, y; epochs = 40, optimizer = Adam(0.02), seed = 1)
    @test count(==("virginica"), predict(f, x)) < 20 && count(==("virginica"), predict(without, x)) > 40
    @test fails(() -> fit(Classifier(net), x, y; weights = [1, 2]), ShapeError, "150")
end
@testset "a fit goes on" begin
    first = fit(Classifier(net), x, y; epochs = 5, optimizer = Adam(0.01), seed = 1)
    before = predict_proba(first, x)
    more = fit(first, x, y; epochs = 30, optimizer = Adam(0.01), seed = 2)
    @test length(more.history) == 35 && more.history.epoch == 1:35 && more.history.loss[6] < first.history.loss[1] && more.history.loss[end] < first.history.loss[end]
    @test predict_proba(first, x) == before && Flexor.last_fit() === more
    mktempdir() do folder
        Flexor.save(joinpath(folder, "a.flx"), first)
        again = fit(Flexor.load(joinpath(folder, "a.flx")), x, y; epochs = 30, optimizer = Adam(0.01), seed = 2)
        @test predict_proba(again, x) == predict_proba(more, x)
    end
end
@testset "MXNet's pairs of files" begin
    G = Flexor.Glue
    fc = G.flx_symbol_compose("FullyConnected", "fc", (G.flx_symbol_variable("data", ()),), (), ["num_hidden" => "3"])
    values = (fc_weight = NDArray(Float32[1 0 0 0; 0 1 0 0; 0 0 1 0]), fc_bias = NDArray(Float32[0, 0, 0.5]))
    rows = Float32[4 1 1 0; 1 4 1 9; 1 1 1 0]
    scores = rows * Float32[1 0 0; 0 1 0; 0 0 1; 0 0 0] .+ Float32[0 0 0.5]
    mktempdir() do folder
        for (head, classes) in (("SoftmaxOutput", 1:3), ("LinearRegressionOutput", nothing))
            G.flx_checkpoint_save(G.flx_symbol_compose(head, "out", (fc,), (), ()), Flexor.params_handle(values), joinpath(folder, head), 10, -1)
            f = Flexor.load(joinpath(folder, "$head-0010.params"))
            @test f.classes == classes && f.parameters.fc_bias == values.fc_bias
            if classes === nothing
                @test predict(f, rows) ≈ scores
                continue
            end
            @test predict(f, rows) == [1, 2, 3] && predict_proba(f, rows) ≈ exp.(scores) ./ sum(exp.(scores); dims = 2)
            Flexor.save(joinpath(folder, "a.flx"), f)
            @test predict(Flexor.load(joinpath(folder, "a.flx")), rows) == [1, 2, 3]
            more = fit(f, rows, [2, 2, 2]; epochs = 50, optimizer = Adam(0.1), seed = 1)
            @test predict(more, rows) == [2, 2, 2]
        end
    end
    @test fails(() -> Flexor.load("lenet.params"), FileError, "lenet-0010.params")
end
