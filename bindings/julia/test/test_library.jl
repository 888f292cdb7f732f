# SPDX-License-Identifier: Apache-2.0
# Options, random numbers, profiles, memory.

@testset "everything has a docstring" begin
    documented(m, name) = haskey(Base.Docs.meta(m), Base.Docs.Binding(m, name)) || (f = getfield(m, name); haskey(Base.Docs.meta(Flexor), Base.Docs.Binding(Flexor, name))) ||
                          parentmodule(getfield(m, name)) !== m
    ours(m) = filter(n -> !startswith(string(n), "#") && !(n in (nameof(m), :eval, :include)) && isdefined(m, n), names(m; all = m !== Flexor))
    for m in (Flexor, nd, Flexor.Metrics, Flexor.Initializers, Flexor.Schedules, Flexor.Iterators)
        @test isempty(filter(n -> getfield(m, n) isa Union{Function,Type} && !documented(m, n), ours(m)))
    end
    @test length(ours(nd)) > 200 && occursin("Counts from 1", sprint(show, MIME("text/plain"), @doc nd.softmax))
end
@testset "random numbers follow the seed" begin
    draw() = Array(nd.random_normal(; shape = (3, 4)))
    Flexor.seed!(7)
    first, second = draw(), draw()
    Flexor.seed!(7)
    @test draw() == first && draw() == second && first != second
    Flexor.seed!(8)
    @test draw() != first
    a, b = (setup(Dense(3), (missing, 4); seed = s)[1][Symbol("weight")] for s in (1, 2))
    @test Array(a) == Array(setup(Dense(3), (missing, 4); seed = 1)[1][Symbol("weight")]) != Array(b)
end
@testset "profiles" begin
    a = NDArray(ones(Float32, 50, 50))
    mktempdir() do folder
        report = Flexor.profile(; file = joinpath(folder, "trace.json")) do
            sum(a * a)
        end
        @test occursin("dot", String(report)) && Flexor.read_json(read(joinpath(folder, "trace.json"), String)) isa Union{Dict,Vector}
    end
    @test_throws ErrorException Flexor.profile(() -> error("mine"))
    @test Array(a .+ 1)[1] == 2
end
@testset "options, information, memory" begin
    before = Flexor.config("FLEXOR_ENGINE")
    @test occursin("FLEXOR_ENGINE", String(Flexor.config()))
    @test fails(() -> Flexor.config("FLEXOR_NONE"), UnknownNameError, "FLEXOR_NONE")
    @test Flexor.config("FLEXOR_ENGINE") == before
    @test !isempty(Flexor.info()) && occursin("libflexor", Flexor.info("path"))
    m = Flexor.memory()
    a = NDArray(zeros(Float32, 1_000_000))
    wait(a)
    @test Flexor.memory().live >= m.live + 4_000_000
    free!(a)
    Flexor.wait_all()
    @test Flexor.memory().live < m.live + 4_000_000
end
