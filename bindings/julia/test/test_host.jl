# SPDX-License-Identifier: Apache-2.0
# The package in processes of its own: what belongs to the host stays, a library that is missing or too old is told, Ctrl-C, workers.
using Distributed

julia(code, environment...; options = ()) = addenv_(`$(Base.julia_cmd()) --startup-file=no $options -e $code`, environment...)
addenv_(command, pairs...) = setenv(command, merge(Dict(ENV), Dict(pairs)))
function output(command)
    out, err = Pipe(), Pipe()
    done = run(pipeline(ignorestatus(command); stdout = out, stderr = err); wait = false)
    close(out.in)
    close(err.in)
    texts = @async(read(out, String)), @async(read(err, String))
    wait(done)
    return done.exitcode, fetch(texts[1]), fetch(texts[2])
end

const WATCHED = raw"""
    using LinearAlgebra, Random
    @eval blas_threads() = $(isdefined(BLAS, :get_num_threads) ? :(BLAS.get_num_threads()) : :(ccall((BLAS.@blasfunc(openblas_get_num_threads), Base.libblas_name), Int32, ())))
    rand(20, 20) * rand(20, 20)
    BLAS.set_num_threads(2)
    Random.seed!(3)
    ccall(:fesetround, Int32, (Int32,), 0x800)  # upwards
    ccall(:setlocale, Cstring, (Int32, Cstring), 6, "C")
    status() = [l for l in eachline("/proc/self/status") if startswith(l, r"Sig(Blk|Ign|Cgt)")]
    now() = (blas_threads(), ccall(:fegetround, Int32, ()), unsafe_string(ccall(:setlocale, Cstring, (Int32, Ptr{UInt8}), 6, C_NULL)), sort(collect(ENV)), pwd(), status(),
             copy(Random.default_rng()), collect(DEPOT_PATH), collect(LOAD_PATH), stdout, stderr)
    watched = (:blas, :rounding, :locale, :environment, :folder, :signals, :random, :depots, :load, :stdout, :stderr)
    first = now()
    using Flexor
    loaded = now()
    x = Float32[(i * j) % 7 for i in 1:200, j in 1:4]
    fit(Classifier(Chain(Dense(8, relu), Dense(2))), x, x[:, 1] .> 3; epochs = 2, seed = 1)
    try NDArray(ones(2, 3)) * NDArray(ones(2, 3)) catch e; e isa ShapeError || rethrow() end
    fitted = now()
    for (what, a, b, c) in zip(watched, first, loaded, fitted)
        a == b == c || println(what, " was ", a, ", is ", b, ", then ", c)
    end
    """
@testset "settings of the host stay as they were" begin
    code, out, err = output(julia(WATCHED))
    @test (code, out, err) == (0, "", "")
end
@testset "a library that is missing or too old is told" begin
    code, out, err = output(julia("using Flexor", "LIBFLEXOR" => "/nowhere/libflexor.so.0"))
    @test code != 0 && occursin("/nowhere/libflexor.so.0", err)
    compiler = Sys.which("cc")
    if compiler === nothing
        println("skipped: there is no C compiler for an older library")
    else
        mktempdir() do folder
            write(joinpath(folder, "older.c"), """int flx_abi_require(int v) { return 8; }
                const char *flx_last_error(void) { return "[flx_abi_require] this program needs ABI version 9 of the library, which has 3."; }
                const char *flx_last_error_field(const char *f) { return ""; }""")
            older = joinpath(folder, "libolder.so")
            run(`$compiler -shared -fPIC -Wl,-soname,libflexor.so.0 -o $older $(joinpath(folder, "older.c"))`)
            code, out, err = output(julia("using Flexor", "LIBFLEXOR" => older))
            @test code != 0 && occursin("needs ABI version 9", err)
        end
    end
end
const INTERRUPTED = raw"""
    Base.exit_on_sigint(false)
    using Flexor
    x = Float32[(i * j) % 7 / 7 for i in 1:400, j in 1:4]
    y = x[:, 1] .> 0.5
    learner = Classifier(Chain(Dense(8, relu), Dense(2)))
    predict(fit(learner, x, y; epochs = 1, seed = 1), x)
    for k in 1:20
        try
            try
                println("running")
                fit(learner, x, y; epochs = 10_000_000, batchsize = 8, seed = 1)
            catch e
                e isa InterruptException || rethrow()
            end
            length(predict(Flexor.last_fit(), x)) == 400 || error("the model is not usable")
            println("stopped")
        catch e
            showerror(stdout, e, catch_backtrace())
            exit(1)
        end
    end
    GC.gc()
    println("live ", Flexor.Glue.flx_handle_live("task"))
    """
@testset "twenty interrupts of long fits" begin
    inner = open(julia(INTERRUPTED), "r")
    lines, longest = String[], 0.0
    for k in 1:20
        push!(lines, readline(inner))
        lines[end] == "running" || break
        sleep(0.03 + 0.007k)
        sent = time()
        kill(inner, 2)
        push!(lines, readline(inner))
        longest = max(longest, time() - sent)
        lines[end] == "stopped" || break
    end
    rest = read(inner, String)
    @test lines == repeat(["running", "stopped"], 20)
    @test success(inner) && rest == "live 0\n"
    println("the longest took ", round(longest; digits = 2), " s")
end
const THREADED = raw"""
    using Flexor
    Threads.nthreads() > 1 || Sys.CPU_THREADS == 1 || error("there is one thread")
    x = Float32[(i * j) % 7 / 7 for i in 1:100, j in 1:4]
    y = x[:, 1] .> 0.5
    clip = Operator((dy, u, v) -> dy .* (0 .< u .< 1), u -> clamp.(u, 0, 1); name = "threads_clip")
    work(k) = begin
        a = NDArray(fill(Float32(k), 3, 4))
        total = sum(sum(a .* i .+ 1) for i in 1:30)
        g = Array(gradient(v -> sum(clip(v .* 2)), NDArray(Float32[0.1k, 2])))
        f = fit(Classifier(Chain(Dense(k + 2, relu), Dense(2))), x, y; epochs = 2, seed = 1, metrics = (s, l) -> mean(l))
        k % 3 == 0 && GC.gc()
        (total, g, predict_proba(f, x))
    end
    alone = map(work, 1:8)
    together = Vector{Any}(undef, 8)
    Threads.@threads for k in 1:8
        together[k] = work(k)
    end
    together == alone || error("other results than alone")
    also = fetch.([Threads.@spawn(work(k)) for k in 1:8])
    also == alone || error("other results than alone, by tasks")
    """
@testset "several threads make, use, fit and drop" begin
    code, out, err = output(julia(THREADED, "JULIA_NUM_THREADS" => "4"))
    @test (code, out, err) == (0, "", "")
end
@testset "workers of Distributed" begin
    # a busy machine may take longer than the minute that Distributed waits for a worker to start
    ids = withenv(() -> addprocs(1; exeflags = `--startup-file=no`), "JULIA_WORKER_TIMEOUT" => "600")
    try
        @everywhere ids using Flexor
        a = NDArray(Float32[1 2; 3 4])
        b = remotecall_fetch(v -> v .* 2, ids[1], a)  # arrays and models travel by Serialization
        @test b isa NDArray && Array(b) == [2 4; 6 8]
        x = Float32[(i * j) % 7 for i in 1:100, j in 1:4]
        f = remotecall_fetch((u, v) -> fit(Classifier(Dense(2)), u, v; epochs = 2, seed = 1), ids[1], x, x[:, 1] .> 3)
        @test predict(f, x) == predict(fit(Classifier(Dense(2)), x, x[:, 1] .> 3; epochs = 2, seed = 1), x)
        e = try
            remotecall_fetch(v -> v * v, ids[1], NDArray(ones(2, 3)))
        catch e
            e
        end
        @test e isa RemoteException && e.captured.ex isa ShapeError
    finally
        rmprocs(ids)
    end
end
