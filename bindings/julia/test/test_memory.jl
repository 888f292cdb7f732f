# SPDX-License-Identifier: Apache-2.0
# Handles come back to where they were; memory that the collector does not see is collected; finalizers run anywhere.

@noinline make_some() = (kept = [NDArray(Float32[i]) .+ 1 for i in 1:200]; Flexor.Glue.flx_handle_live("ndarray"))
@testset "the collector frees" begin
    sum(NDArray(ones(Float32, 2)) .+ 1)
    before = live("ndarray")
    @test make_some() >= before + 200
    @test live("ndarray") <= before
    x = NDArray(Float32[1, 2])
    work() = for _ in 1:50
        withgradient(v -> sum(exp.(v) .* 2), x)
    end
    work()
    after = live()
    work()
    @test live() <= after
end
@testset "big arrays that nobody holds are collected in time" begin
    limit = Flexor.memory().limit
    try
        Flexor.memory(limit = 1_500_000_000)
        a = NDArray(zeros(Float32, 4_000_000))
        for _ in 1:400  # 6.4 GB in all
            b = a .+ 1
        end
        Flexor.wait_all()
        @test Flexor.memory().peak < 1_500_000_000
    finally
        Flexor.memory(limit = limit)
    end
end
@testset "a collection at every call" begin
    a = NDArray(Float32[1 2; 3 4])
    for _ in 1:20
        GC.gc()
        b = a * a'
        GC.gc()
        @test Array(b .+ 1) == [6 12; 12 26]
    end
    fitted = fit(Classifier(Chain(Dense(2))), rand(Float32, 20, 3), repeat([1, 2], 10); epochs = 3) do state
        GC.gc()
    end
    @test length(fitted.history) == 3
end
@testset "threads and tasks of Julia's" begin
    a = NDArray(ones(Float32, 100))
    totals = Vector{Float64}(undef, 8)
    Threads.@threads for i in 1:8
        totals[i] = sum(a .* i)
    end
    @test totals == 100 .* (1:8)
    tasks = [@async Float64(sum(a .+ i)) for i in 1:8]
    @test fetch.(tasks) == 100 .* (2:9)
end
