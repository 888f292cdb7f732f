# SPDX-License-Identifier: Apache-2.0
# Stores of one process, and fits with them.
@testset "arrays by key" begin
    store = Store()
    @test (store.kind, store.rank, store.workers) == ("local", 1, 1) && sprint(show, store) == "Store(\"local\"): worker 1 of 1"
    w, v = NDArray(zeros(Float32, 2)), NDArray(zeros(Float32, 1))
    init!(store, "w" => NDArray(Float32[1, 2]), :v => NDArray(Float32[0]))
    init!(store, "w" => NDArray(Float32[9, 9]))
    pull!(store, "w" => w)
    @test Array(w) == [1, 2]
    push!(store, "w" => NDArray(Float32[1, 1]), "v" => NDArray(Float32[5]), "w" => NDArray(Float32[2, 3]); samples = 3)
    pull!(store, "w" => w, "v" => v)
    @test Array(w) == [3, 4] && Array(v) == [5]
    optimizer!(store, SGD(1.0))
    g = NDArray(Float32[1, 0])
    pushpull!(store, "w" => g)
    @test Array(g) == [2, 4]
    @test shard(5, store) == 1:1:5
    @test recover!(store) == -1
    @test fails(() -> checkpoint!(store), UnsupportedError, "no job")
    barrier(store)
    finish(store)
    @test fails(() -> pull!(store, "w" => w), StateError, "never initialized")
    @test fails(() -> Store("locl"), UnknownNameError, "Did you mean `local`")
end
@testset "a fit with a store gives the bits of a fit without one" begin
    x, y = Flexor.iris()
    quick(; options...) = predict_proba(fit(Classifier(Chain(Dense(8, relu), Dense(3))), x, y; epochs = 3, seed = 1, options...), x)
    want = quick()
    Store("local") do store
        @test quick(; store = store) == want
        @test quick(; store = store, update_on_store = true) == want
    end
end
