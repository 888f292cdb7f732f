# SPDX-License-Identifier: Apache-2.0
# The ABI called from Julia, by the ccall layer that generate.py makes from the header: LIBFLEXOR=libflexor.so julia calls_test.jl FLEXOR_JL.
module Flexor
using Libdl
include(abspath(ARGS[1]))
__init__() = load_library()
end
using .Flexor: FlexorError, Handle, free!
for name in names(Flexor, all = true)
    startswith(string(name), r"flx_|FLX_") && @eval const $name = Flexor.$name
end

make(values, dims) = flx_ndarray_create_from(Float32[values...], FLX_FLOAT32, FLX_COLUMN_MAJOR, dims, FLX_FLOAT32, nothing)
dims_of(a) = Tuple(flx_ndarray_describe(a)[2])
function read_back(a)
    out = Array{Float32}(undef, dims_of(a)...)
    @assert flx_ndarray_read(a, out, FLX_FLOAT32, FLX_COLUMN_MAJOR, -1)
    return out
end
"""The error of a call that must fail, its message with all `words`."""
function fails(call, words...; kind = FlexorError)
    try
        call()
    catch e
        e isa kind || rethrow()
        for w in words
            occursin(w, e.message) || error("`$w` is not in: $(e.message)")
        end
        return e
    end
    error("nothing failed")
end
function fit_task(rows; batch_size = 8, options...)
    x, y = make((1:2rows) .* 7 .% 11 ./ 11, (rows, 2)), make((1:rows) .% 2, (rows,))
    batches = flx_iter_from_arrays([x, y], ["data", "label"], ["batch_size" => batch_size])
    model = flx_model_create(flx_layer_create("Dense", nothing, ["units" => 1]), nothing)
    sgd = flx_optimizer_create("SGD", ["learning_rate" => 0.1])
    return flx_fit_start(model, flx_layer_create("L2Loss", nothing, []), sgd, batches, nothing, ["seed" => 1, options...])
end
function finish(task)
    flx_task_stop(task)
    while flx_task_next(task, -1) != FLX_DONE end
end

function version_and_constants()
    flx_abi_require(FLX_ABI_VERSION)
    @assert flx_abi_version() >= FLX_ABI_VERSION && FLX_COLUMN_MAJOR == 1 && FLX_ERROR_SHAPE == 4 && VersionNumber(flx_version()) >= v"0.1.0"
    fails(() -> flx_abi_require(FLX_ABI_VERSION + 1000), "flx_abi_require")
end
function array_from_host_memory_and_back()
    m = Float32[1 2 3; 4 5 6]
    a = make(m, size(m))
    @assert flx_ndarray_describe(a) == (FLX_FLOAT32, [2, 3]) && read_back(a) == m
    rows = Vector{Float64}(undef, 6)
    flx_ndarray_read(a, rows, FLX_FLOAT64, FLX_ROW_MAJOR, -1)
    @assert rows == 1:6 && flx_ndarray_nbytes(a) == 24
end
function prepared_call()
    add = flx_call_create("broadcast_add", [])
    @assert read_back(flx_call_binary(add, 0, make([1, 2], (2,)), make([10, 20], (2,)))) == [11, 22]
    plus = flx_call_create("_plus_scalar", ["scalar" => 1])
    @assert read_back(flx_call_run(plus, 0, [make([1, 2], (2,))], [])[1]) == [2, 3]
    @assert read_back(flx_call_run(plus, 0, [make([1, 2], (2,))], [0.5])[1]) == [1.5, 2.5]
end
function invoke_with_options()
    total = flx_invoke("sum", 0, [make(1:4, (2, 2))], Dict("axis" => "1", "keepdims" => "True"))
    @assert length(total) == 1 && read_back(total[1]) == reshape([4, 6], 2, 1)
    target = make([0, 0], (2,))
    flx_invoke_into("square", 0, [make([3, 4], (2,))], [], [target])
    @assert read_back(target) == [9, 16]
end
function many_results()
    parts = flx_invoke("SliceChannel", 0, [make(1:6, (2, 3))], ["num_outputs" => 3, "axis" => 1])
    @assert read_back.(parts) == [reshape(Float32[2i - 1, 2i], 2, 1) for i in 1:3]
    many = flx_invoke("SliceChannel", 0, [make(1:1000, (1000,))], ["num_outputs" => 1000, "axis" => 0])
    @assert length(many) == 1000 && read_back(many[1000]) == [1000]
end
function symbols()
    a, b = flx_symbol_variable("a", ["shape" => "(2,)"]), flx_symbol_variable("b", [])
    total = flx_symbol_compose("elemwise_add", "total", [a, b], ["rhs", "lhs"], [])
    @assert flx_symbol_count(total, FLX_ARGUMENT) == 2 && flx_symbol_name(total, FLX_ARGUMENT, 0) == "b"
    @assert flx_symbol_shape(flx_symbol_infer(total, [], 0), FLX_OUTPUT, 0)[3] == [2]
    graph = flx_graph_create(flx_symbol_from_json(flx_symbol_to_json(total)), [])
    @assert read_back(flx_graph_run(graph, 0, [make([1, 2], (2,)), make([10, 20], (2,))])[1]) == [11, 22]
end
function error_becomes_exception()
    e = fails(() -> flx_invoke("dot", 0, [make(zeros(4), (2, 2)), make(zeros(6), (3, 2))], []), "[dot]", "(2, 2)", "(3, 2)")
    @assert e.status == FLX_ERROR_SHAPE && e.kind != "" && occursin("[dot]", sprint(showerror, e))
    fails(() -> flx_call_create("Activatoin", []), "Activation")
end
function wrong_arguments()
    a = make([1], (1,))
    fails(() -> flx_ndarray_nbytes("no handle"), kind = MethodError)
    fails(() -> flx_invoke("sum", 0, ["no handle"], []), kind = MethodError)
    fails(() -> flx_call_create("a\0b", []), kind = ArgumentError)
    fails(() -> flx_ndarray_create((1.5,), 0, nothing), kind = InexactError)
    free!(a)
    free!(a)
    fails(() -> flx_ndarray_nbytes(a), "freed")
    fails(() -> flx_ndarray_nbytes(nothing), "null")
end
function texts()
    a = make([1, 2], (2,))
    @assert flx_ndarray_device(a) == "cpu(0)" && flx_handle_kind(a) == "ndarray"  # borrowed
    ready, text = flx_ndarray_text(a, -1)  # owned
    @assert ready && occursin("(2", text)
    @assert flx_layer_text(flx_layer_create("Dense", "größe", ["units" => 3]), "name") == "größe"
    state = flx_random_save()
    @assert state isa Vector{UInt8} && flx_random_load(state) === nothing
    @assert flx_log_next() == (-1, nothing)
end
function gradient()
    x = make([1, 2, 3], (3,))
    flx_autograd_attach(x, "write", nothing)
    y = flx_invoke("square", FLX_RECORD, [x], [])
    flx_autograd_backward(y, [nothing], 0)
    @assert read_back(flx_autograd_grad(x)) == [2, 4, 6]
end
function fit_polled()
    task, losses = fit_task(64, epochs = 3), Float64[]
    while true
        event = flx_task_next(task, 20)
        event == FLX_EPOCH && push!(losses, flx_task_number(task, "loss"))
        event == FLX_DONE && break
    end
    @assert length(losses) == 3 && losses[3] < losses[1] && flx_task_column_name(task, 1) == "loss"
end
function waiting_lets_others_run()
    task = fit_task(200_000, batch_size = 1, epochs = 1)
    others = @async flx_task_stop(task)  # it runs only while the wait below lets it
    flx_task_next(task, -1)
    @assert istaskdone(others) && flx_task_number(task, "batch") < 200_000
    finish(task)
end
function timeouts()
    task = fit_task(200_000, batch_size = 1, epochs = 1000)
    @assert flx_task_next(task, 0) == FLX_PENDING && flx_task_next(task, 50) == FLX_PENDING
    finish(task)
end
@noinline make_many() = (kept = [make([i], (1,)) for i in 1:100]; flx_handle_live(nothing))
function collector_frees()
    GC.gc()
    before = flx_handle_live(nothing)
    @assert make_many() == before + 100
    GC.gc()
    @assert flx_handle_live(nothing) <= before
end

function main()
    passed = failed = 0
    for test in [version_and_constants, array_from_host_memory_and_back, prepared_call, invoke_with_options, many_results, symbols, error_becomes_exception, wrong_arguments,
                 texts, gradient, fit_polled, waiting_lets_others_run, timeouts, collector_frees]
        try
            test()
            passed += 1
            println("passed $test")
        catch e
            failed += 1
            showerror(stdout, e, catch_backtrace())
            println("\nFAILED $test")
        end
    end
    println("$passed passed, $failed failed")
    exit(failed == 0 ? 0 : 1)
end
main()
