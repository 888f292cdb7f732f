# SPDX-License-Identifier: Apache-2.0
"""Interpreters and threads at their edges: subinterpreters are refused, threads that live at exit do no harm, signals come through a wait."""
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from flexor import nd


def python(program, **options):
    return subprocess.run([sys.executable, "-X", "faulthandler", "-c", program], capture_output=True, text=True, timeout=120, **options)


def test_subinterpreters_are_refused():
    run = python("""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import flexor, os
folder = os.path.dirname(flexor.__file__)
i = interpreters.create()
try:
    failed = interpreters.run_string(i, f"import sys; sys.path.insert(0, {folder!r}); import _flexor")  # NumPy, which flexor imports first, refuses before it
    print("said", failed.msg if failed else "nothing")
except Exception as e:
    print("said", e)
print(flexor.nd.ones(2).tolist())
""")
    if "No module named" in run.stderr:
        pytest.skip("this Python has no module for subinterpreters")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("said") and "nothing" not in run.stdout and run.stdout.endswith("[1.0, 1.0]\n"), run.stdout
    assert "main interpreter only" in run.stdout or "does not support loading in subinterpreters" in run.stdout, run.stdout


def test_threads_that_live_at_exit():
    run = python("""
import threading, time
from flexor import nd
def forever():
    while True:
        x = nd.ones((50, 50))
        (x @ x).asnumpy()
for _ in range(4):
    threading.Thread(target=forever, daemon=True).start()
time.sleep(0.3)
print("done")
""")
    assert run.returncode == 0 and run.stdout == "done\n", run.stderr


def test_many_threads_compute_what_one_does():
    a = np.random.RandomState(0).rand(20, 20).astype("f")
    want, wrong = (a @ a + a).tolist(), []

    def work():
        x = nd.array(a)
        for _ in range(100):
            if (x @ x + x).tolist() != [[float(v) for v in row] for row in got]:
                wrong.append(1)
    got = (nd.array(a) @ nd.array(a) + nd.array(a)).tolist()
    np.testing.assert_allclose(got, want, rtol=1e-5)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_waits_let_other_threads_run():
    """A wait of a second or so: a thread that counts meanwhile gets far."""
    counted, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0.001)
    t = threading.Thread(target=count)
    t.start()
    x = nd.ones((600, 600))
    while counted[0] < 20:
        for _ in range(10):
            y = x @ x
        y.wait()
    stop.set()
    t.join()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no setitimer here")
def test_a_signal_ends_a_wait():
    class Now(Exception):
        pass

    def handler(*_):
        raise Now
    old = signal.signal(signal.SIGALRM, handler)
    x = nd.ones((700, 700))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Now):
            while True:
                for _ in range(20):
                    y = x @ x
                y.wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert y[0, 0].item() == 700
