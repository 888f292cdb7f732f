# SPDX-License-Identifier: Apache-2.0
"""The ABI called from Python, by the glue that SWIG makes from the header: calls_test.py FOLDER_OF_GLUE. The same calls stand in calls_test.{R,jl,java}."""
import array
import faulthandler
import gc
import signal
import sys
import threading
import time
import traceback

faulthandler.dump_traceback_later(240, exit=True)
sys.path.insert(0, sys.argv[1])
import _flexor as f  # noqa: E402

WITH_COPY = (f.FLX_FLOAT32, f.FLX_ROW_MAJOR)


def floats(*values):
    return array.array("f", values)


def make(values, dims):
    return f.flx_ndarray_create_from(floats(*values), f.FLX_FLOAT32, f.FLX_ROW_MAJOR, dims, f.FLX_FLOAT32, None)


def read(handle):
    dims = f.flx_ndarray_describe(handle)[1]
    size = 1
    for d in dims:
        size *= d
    out = floats(*[0] * size)
    assert f.flx_ndarray_read(handle, out, *WITH_COPY, -1) == 1
    return list(out)


def fails(kind, words, call, *args):
    """The error of a call that must fail with an exception of class `kind`, its message with all `words`."""
    try:
        call(*args)
    except kind as e:
        assert all(w in str(e) for w in words), str(e)
        return e
    raise AssertionError(f"{call.__name__} did not fail")


def fit_task(rows, **options):
    x = make([(i * 7 % 11) / 11 for i in range(2 * rows)], [rows, 2])
    y = make([i % 2 for i in range(rows)], [rows])
    batches = f.flx_iter_from_arrays([x, y], ["data", "label"], {"batch_size": options.pop("batch_size", "8")})
    net = f.flx_layer_create("Dense", None, {"units": "1"})
    model = f.flx_model_create(net, None)
    loss = f.flx_layer_create("L2Loss", None, {})
    sgd = f.flx_optimizer_create("SGD", {"learning_rate": "0.1"})
    return f.flx_fit_start(model, loss, sgd, batches, None, {"seed": "1", **options})


def test_version_and_constants():
    f.flx_abi_require(f.FLX_ABI_VERSION)
    assert f.flx_abi_version() >= f.FLX_ABI_VERSION and f.FLX_COLUMN_MAJOR == 1 and f.FLX_ERROR_SHAPE == 4
    fails(f.Error, ["flx_abi_require"], f.flx_abi_require, f.FLX_ABI_VERSION + 1000)


def test_array_from_host_memory_and_back():
    a = make([1, 2, 3, 4, 5, 6], [2, 3])
    assert f.flx_ndarray_describe(a) == [f.FLX_FLOAT32, (2, 3)]
    assert read(a) == [1, 2, 3, 4, 5, 6]
    out = array.array("d", [0] * 6)
    assert f.flx_ndarray_read(a, out, f.FLX_FLOAT64, f.FLX_COLUMN_MAJOR, -1) == 1
    assert list(out) == [1, 4, 2, 5, 3, 6]
    assert f.flx_ndarray_nbytes(a) == 24
    empty = make([], [0, 3])
    assert read(empty) == []


def test_prepared_call():
    add = f.flx_call_create("broadcast_add", {})
    assert read(f.flx_call_binary(add, 0, make([1, 2], [2]), make([10, 20], [2]))) == [11, 22]
    plus = f.flx_call_create("_plus_scalar", {"scalar": "1"})
    assert read(f.flx_call_run(plus, 0, [make([1, 2], [2])], [])[0]) == [2, 3]
    assert read(f.flx_call_run(plus, 0, [make([1, 2], [2])], [0.5])[0]) == [1.5, 2.5]


def test_invoke_with_options():
    total = f.flx_invoke("sum", 0, [make([1, 2, 3, 4], [2, 2])], {"axis": "1", "keepdims": "True"})
    assert len(total) == 1 and f.flx_ndarray_describe(total[0])[1] == (2, 1) and read(total[0]) == [3, 7]
    target = make([0, 0], [2])
    f.flx_invoke_into("square", 0, [make([3, 4], [2])], {}, [target])
    assert read(target) == [9, 16]


def test_many_results():
    parts = f.flx_invoke("SliceChannel", 0, [make(range(6), [2, 3])], {"num_outputs": "3", "axis": "1"})
    assert [read(p) for p in parts] == [[0, 3], [1, 4], [2, 5]]
    many = f.flx_invoke("SliceChannel", 0, [make(range(1000), [1000])], {"num_outputs": "1000", "axis": "0"})
    assert len(many) == 1000 and read(many[999]) == [999]


def test_symbols():
    a, b = f.flx_symbol_variable("a", {"shape": "(2,)"}), f.flx_symbol_variable("b", {})
    total = f.flx_symbol_compose("elemwise_add", "total", [a, b], ["rhs", "lhs"], {})
    assert [f.flx_symbol_name(total, f.FLX_ARGUMENT, i) for i in range(f.flx_symbol_count(total, f.FLX_ARGUMENT))] == ["b", "a"]
    assert f.flx_symbol_shape(f.flx_symbol_infer(total, {}, 0), f.FLX_OUTPUT, 0) == [f.FLX_FLOAT32, 2, (2,)]
    graph = f.flx_graph_create(f.flx_symbol_from_json(f.flx_symbol_to_json(total)), {})
    assert read(f.flx_graph_run(graph, 0, [make([1, 2], [2]), make([10, 20], [2])])[0]) == [11, 22]


def test_error_becomes_exception():
    e = fails(f.Error, ["[dot]", "(2, 2)", "(3, 2)"], f.flx_invoke, "dot", 0, [make([0] * 4, [2, 2]), make([0] * 6, [3, 2])], {})
    assert e.status == f.FLX_ERROR_SHAPE and e.kind and isinstance(e, RuntimeError)
    f.errors[f.FLX_ERROR_NAME] = KeyError
    try:
        fails(KeyError, ["Activation"], f.flx_call_create, "Activatoin", {})
    finally:
        del f.errors[f.FLX_ERROR_NAME]


def test_wrong_arguments():
    fails(TypeError, ["handle"], f.flx_ndarray_nbytes, "no handle")
    fails(TypeError, [], f.flx_ndarray_create, ["x"], 0, None)
    fails(TypeError, [], f.flx_ndarray_create_from, "text", 0, 0, [1], 0, None)
    fails(BufferError, [], f.flx_ndarray_read, make([1], [1]), b"1234", *WITH_COPY, -1)
    a = make([1], [1])
    f.flx_free(a)
    f.flx_free(a)
    fails(f.Error, ["freed"], f.flx_ndarray_nbytes, a)
    fails(f.Error, ["null"], f.flx_ndarray_nbytes, None)
    fails(f.Error, [], f.flx_call_unary, make([1], [1]), 0, make([1], [1]))


def test_texts():
    a = make([1, 2], [2])
    assert f.flx_ndarray_device(a) == "cpu(0)" and f.flx_handle_kind(a) == "ndarray"  # borrowed
    ready, text = f.flx_ndarray_text(a, -1)  # owned
    assert ready == 1 and "(2" in text
    net = f.flx_layer_create("Dense", "größe", {"units": "3"})
    assert f.flx_layer_text(net, "name") == "größe"
    state = f.flx_random_save()
    assert isinstance(state, bytes) and f.flx_random_load(state) is None
    level, record = f.flx_log_next()
    assert (level, record) == (-1, None)


def test_gradient():
    x = make([1, 2, 3], [3])
    f.flx_autograd_attach(x, "write", None)
    y = f.flx_invoke("square", f.FLX_RECORD, [x], {})
    f.flx_autograd_backward(y, [], 0)
    assert read(f.flx_autograd_grad(x)) == [2, 4, 6]
    y = f.flx_invoke("square", f.FLX_RECORD, [x], {})
    assert read(f.flx_autograd_gradients(y, [make([1, 0, 1], [3])], [x], 0)[0]) == [2, 0, 6]


def test_fit_polled():
    task = fit_task(64, epochs="3", metrics="MSE")
    events, losses = [], []
    while True:
        event = f.flx_task_next(task, 20)
        if event == f.FLX_EPOCH:
            losses.append(f.flx_task_number(task, "loss"))
        if event != f.FLX_PENDING:
            events.append(event)
        if event == f.FLX_DONE:
            break
    assert events == [f.FLX_EPOCH] * 3 + [f.FLX_DONE] and losses[2] < losses[0]
    assert [f.flx_task_column_name(task, i) for i in range(f.flx_task_column_count(task))][:2] == ["epoch", "loss"]


def test_waiting_lets_others_run():
    rows = 200_000
    task = fit_task(rows, batch_size="1", epochs="1")
    helper = threading.Thread(target=lambda: (time.sleep(0.05), f.flx_task_stop(task)))
    helper.start()  # it can only stop the fit if the wait lets it run
    assert f.flx_task_next(task, -1) in (f.FLX_EPOCH, f.FLX_DONE)
    helper.join()
    assert f.flx_task_number(task, "batch") < rows
    while f.flx_task_next(task, -1) != f.FLX_DONE:
        pass


def test_waiting_is_interruptible():
    def handler(*_):
        raise KeyboardInterrupt
    old = signal.signal(signal.SIGALRM, handler)
    task = fit_task(200_000, batch_size="1", epochs="1000")
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        fails(KeyboardInterrupt, [], f.flx_task_next, task, -1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    f.flx_task_stop(task)
    while f.flx_task_next(task, -1) != f.FLX_DONE:
        pass


def test_timeouts():
    task = fit_task(200_000, batch_size="1", epochs="1000")
    assert f.flx_task_next(task, 0) == f.FLX_PENDING and f.flx_task_next(task, 150) == f.FLX_PENDING
    f.flx_task_stop(task)
    while f.flx_task_next(task, -1) != f.FLX_DONE:
        pass


def test_collector_frees():
    gc.collect()
    before = f.flx_handle_live(None)
    kept = [make([i], [1]) for i in range(100)]
    kept.append(kept)  # a circle, which only the collector can free
    assert f.flx_handle_live("ndarray") >= 100 and f.flx_handle_live(None) == before + 100
    del kept
    gc.collect()
    assert f.flx_handle_live(None) == before
    for _ in range(100):  # failures leave nothing behind
        fails(f.Error, [], f.flx_invoke, "dot", 0, [make([0] * 4, [2, 2]), make([0] * 6, [3, 2])], {"transpose_a": "no bool"})
    assert f.flx_handle_live(None) == before


def main():
    passed = failed = 0
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            try:
                test()
                passed += 1
                print("passed", name)
            except Exception:
                failed += 1
                traceback.print_exc(file=sys.stdout)
                print("FAILED", name)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
