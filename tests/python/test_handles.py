# SPDX-License-Identifier: Apache-2.0
"""Handles: freed early, twice, from another thread, by the collector at any moment, at exit, after fork."""
import gc
import os
import threading
import weakref

import numpy as np
import pytest

import flexor as fx
from flexor import _core, nd

f = _core.f
FIT = """
import numpy as np
from flexor import _core, nd
f = _core.f
def task(rows=64, **options):
    x, y = nd.array(np.random.rand(rows, 2).astype("float32")), nd.array(np.arange(rows) % 2, dtype="float32")
    batches = f.flx_iter_from_arrays([x, y], ["data", "label"], {"batch_size": options.pop("batch_size", "8")})
    model = f.flx_model_create(f.flx_layer_create("Dense", None, {"units": "1"}), None)
    sgd = f.flx_optimizer_create("SGD", {"learning_rate": "0.1"})
    return f.flx_fit_start(model, f.flx_layer_create("L2Loss", None, {}), sgd, batches, None, {"seed": "1", "epochs": "1", **options})
"""


def live():
    gc.collect()
    return f.flx_handle_live(None)


def test_use_after_free():
    a = nd.ones((2, 3))
    _core.free(a)
    for use in (lambda: a.shape, lambda: a + 1, a.asnumpy, lambda: a[0], lambda: nd.ones((2, 3)) + a, lambda: _core.invoke("relu", [a])):
        with pytest.raises(fx.HandleError):
            use()
    assert "freed" in repr(a)  # a debugger may show it


def test_double_free():
    before = live()
    a, b = nd.ones((2, 3)), nd.zeros((2, 3))
    for _ in range(3):
        _core.free(a)
    c = nd.full((2, 3), 7)  # may take the place of what was freed
    _core.free(a)
    assert (c.asnumpy() == 7).all() and (b.asnumpy() == 0).all()
    del a, b, c
    assert live() == before


def test_views_outlive_their_array():
    a = nd.array(np.arange(12, dtype="float32").reshape(3, 4))
    row, memory = a[1], np.asarray(a)
    del a
    gc.collect()
    assert row.asnumpy().tolist() == [4, 5, 6, 7] and memory[2, 3] == 11


def test_another_kind_or_thing():
    call = f.flx_call_create("relu", {})
    for wrong in (call, "text", 7, object(), None):
        with pytest.raises((TypeError, fx.HandleError)):
            f.flx_ndarray_nbytes(wrong)


def test_freed_in_another_thread_while_in_use():
    errors = []
    for _ in range(200):
        a = nd.ones((64, 64))
        go = threading.Barrier(2)

        def use():
            go.wait()
            try:
                for _ in range(20):
                    total = (a * 2).sum()
                if total.item() != 8192:
                    errors.append(total.item())
            except fx.HandleError:
                pass  # freed before it was used

        thread = threading.Thread(target=use)
        thread.start()
        go.wait()
        _core.free(a)
        thread.join()
    assert not errors


def test_eight_threads_make_use_and_drop():
    before, wrong = live(), []

    def work(seed):
        x = nd.full((8,), seed)
        for i in range(300):
            y = x + i
            if i % 50 == 0 and y.asnumpy()[3] != seed + i:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong and live() == before


def test_the_collector_at_every_moment():
    def work(i):
        ring = [nd.full((4,), i)]
        ring.append(ring)  # only the collector can free it
        x = nd.ones((4,))
        x.attach_grad()
        with fx.autograd.record():
            y = (x * ring[0] + 1).sum()
        y.backward()
        assert x.grad.asnumpy()[0] == i
        with pytest.raises(fx.ShapeError):
            nd.ones((2, 3)) + nd.ones((4,))

    work(0)  # prepared calls are kept
    before, old = live(), gc.get_threshold()
    gc.set_threshold(1)
    try:
        for i in range(200):
            work(i)
    finally:
        gc.set_threshold(*old)
    assert live() == before


def test_native_memory_follows_live_arrays():
    """A loop that makes a gigabyte of garbage keeps native memory below twice what is live."""
    kept = [nd.zeros((256, 1024)) for _ in range(16)]  # 16 MiB
    f.flx_memory_release_unused(None)
    base = f.flx_memory_stat(None, "live")
    f.flx_memory_peak_reset(None)
    x = kept[0]
    for _ in range(1024):
        x = x + 1
    assert x.asnumpy()[0, 0] == 1024
    assert f.flx_memory_stat(None, "peak") < 2 * base
    cycles = 0
    for _ in range(1024):  # garbage in circles, which no count frees
        ring = [nd.zeros((256, 1024))]
        ring.append(ring)
        cycles = max(cycles, f.flx_memory_stat(None, "live"))
    assert cycles < base + (1 << 29), "the collector was not asked to run"


def test_weak_references():
    a = nd.ones((2,))
    ref = weakref.ref(a)
    assert ref() is a
    del a
    assert ref() is None


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "import os; os._exit(0)", "import sys; sys.exit(0)", "gc.disable()"])
def test_exit_with_everything_alive(program, ending):
    done = program(FIT + """
import gc, threading, time
a = nd.ones((1000, 1000))
ring = [a @ a, nd.ones((3,))]
ring.append(ring)
running = task(rows=200_000, batch_size="1", epochs="100")
assert f.flx_task_next(running, 20) == f.FLX_PENDING
class Late:
    def __del__(self):
        self.a = None
late = Late()
late.a = a + 1
threading.Thread(target=lambda: [a + 1 for _ in iter(int, 1)], daemon=True).start()
time.sleep(0.05)
""" + ending)
    assert done.stdout == "" and done.stderr == ""


def test_uncaught_error_is_shown_once(program):
    done = program("from flexor import nd\nnd.ones((2, 3)) @ nd.ones((2, 3))", fails=True)
    assert done.returncode == 1 and done.stderr.count("ShapeError: [") == 1 and 'nd.ones((2, 3)) @ nd.ones((2, 3))' not in done.stdout


def test_fork():
    a = nd.array(np.arange(6, dtype="float32").reshape(2, 3))
    big = a @ a.T
    child = os.fork()
    if child == 0:
        code = 1
        try:
            good = (a + 1).asnumpy()[1, 2] == 6 and big.shape == (2, 2) and (a @ a.T).asnumpy()[0, 0] == 5
            code = 0 if good else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert (a @ a.T).asnumpy().tolist() == big.asnumpy().tolist()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(tmp_path, method):
    import multiprocessing as mp
    (nd.ones((64, 64)) @ nd.ones((64, 64))).asnumpy()  # the parent has used its threads
    with mp.get_context(method).Pool(2) as pool:
        assert pool.map(_square_sum, range(4), chunksize=1) == [0, 64 * 64, 4 * 64 * 64, 9 * 64 * 64]


def _square_sum(i):
    return (nd.full((64, 64), i) ** 2).sum().item()


def test_fork_during_a_fit(program):
    done = program(FIT + """
import os
running = task(rows=20_000, batch_size="1", epochs="2")
assert f.flx_task_next(running, 30) == f.FLX_PENDING
child = os.fork()
if child == 0:
    one = task(epochs="1")
    while f.flx_task_next(one, -1) != f.FLX_DONE:
        pass
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
f.flx_task_stop(running)
while f.flx_task_next(running, -1) != f.FLX_DONE:
    pass
print("done")
""")
    assert done.stdout == "done\n" and done.stderr == ""
