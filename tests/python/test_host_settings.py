# SPDX-License-Identifier: Apache-2.0
"""What belongs to the host is the same after `import flexor` and after a fit: BLAS threads, locale, floating-point mode, signals, stdout, the environment. And a library
that is missing or too old is an ImportError that says so."""
import json
import os
import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, json, locale, os, signal, sys
import numpy as np
np.ones((64, 64)) @ np.ones((64, 64))
libm, libc = ctypes.CDLL("libm.so.6"), ctypes.CDLL(None)
libm.fesetround(0x800)  # upwards
locale.setlocale(locale.LC_ALL, "C.UTF-8")
locale.setlocale(locale.LC_NUMERIC, "C")
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
blas = next((line.split()[-1] for line in open("/proc/self/maps") if "openblas" in line and "libblas" in line), None)
blas = ctypes.CDLL(blas) if blas else None
if blas: blas.openblas_set_num_threads(2)

def now():
    mode = ctypes.create_string_buffer(64)
    libm.fegetenv(mode)
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if line.startswith("Sig"))
    return {"round": libm.fegetround(), "control": mode.raw[:2].hex(), "mxcsr": hex(int.from_bytes(mode.raw[28:32], "little") & ~0x3f), "blas": blas and blas.openblas_get_num_threads(),
            "locale": [locale.setlocale(c) for c in (locale.LC_ALL, locale.LC_NUMERIC, locale.LC_CTYPE)], "environment": dict(os.environ), "folder": os.getcwd(),
            "signals": [status["SigBlk"], status["SigIgn"], status["SigCgt"]], "handlers": [str(signal.getsignal(s)) for s in range(1, 32)],
            "umask": os.umask(0o22), "errors": np.geterr(), "hook": sys.excepthook is sys.__excepthook__, "switch": sys.getswitchinterval()}
first = now()
import flexor
loaded = now()
from flexor import _core, nd
f = _core.f
x, y = nd.array(np.random.rand(512, 1, 12, 12).astype("float32")), nd.array(np.arange(512) % 4, dtype="float32")
batches = f.flx_iter_from_arrays([x, y], ["data", "label"], {"batch_size": "32"})
net = f.flx_layer_create("Sequential", None, {})
for kind, settings in (("Conv2D", {"channels": "8", "kernel_size": "3"}), ("BatchNorm", {}), ("Flatten", {}), ("Dense", {"units": "4"})):
    f.flx_layer_add(net, f.flx_layer_create(kind, None, settings))
model = f.flx_model_create(net, None)
task = f.flx_fit_start(model, f.flx_layer_create("SoftmaxCrossEntropyLoss", None, {}), f.flx_optimizer_create("SGD", {"learning_rate": "0.1"}), batches, None,
                       {"epochs": "2", "seed": "1", "metrics": "accuracy"})
_core.run_task(task)
try:
    nd.ones((2, 3)) + nd.ones((4,))
except flexor.ShapeError:
    pass
fitted = now()
print(json.dumps([first, loaded, fitted]))
"""


@pytest.fixture(scope="module")
def settings():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and done.stdout.count("\n") == 1, "something was printed"
    return json.loads(done.stdout)


WHAT = ("round", "control", "mxcsr", "blas", "locale", "environment", "folder", "signals", "handlers", "umask", "errors", "hook", "switch")


@pytest.mark.parametrize("what", WHAT)
def test_unchanged_by_import(settings, what):
    first, loaded, _ = settings
    assert loaded[what] == first[what]


@pytest.mark.parametrize("what", WHAT)
def test_unchanged_by_a_fit(settings, what):
    first, _, fitted = settings
    if what == "blas" and first[what] is None:
        pytest.skip("NumPy has another BLAS than OpenBLAS")
    assert fitted[what] == first[what]


def test_the_mode_was_unusual(settings):
    assert settings[0]["round"] == 0x800


def test_numpy_alone_is_loaded(program):
    """Nothing but NumPy comes with `import flexor`: no framework, no plotting, no scikit-learn."""
    done = program("import numpy, sys; before = set(sys.modules); import flexor; print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))")
    assert not {"sklearn", "matplotlib", "tqdm", "pandas", "scipy", "torch", "mxnet"} & set(done.stdout.split())


def copied(folder):
    """The package of this build, copied: sources and glue."""
    import flexor
    target = os.path.join(folder, "flexor")
    shutil.copytree(os.path.dirname(flexor.__file__), target, symlinks=False, ignore=shutil.ignore_patterns("__pycache__", "datasets"))
    return target


def test_library_missing(program, tmp_path):
    glue = os.path.join(copied(tmp_path), "_flexor.so")
    with open(glue, "rb") as file:
        data = file.read()
    assert b"libflexor.so.0\0" in data
    os.remove(glue)
    with open(glue, "wb") as file:
        file.write(data.replace(b"libflexor.so.0\0", b"libflexor.so.?\0"))
    done = program("import flexor", fails=True, env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path)
    last = done.stderr.strip().split("\n")[-1]
    assert done.returncode == 1 and last.startswith("ImportError: ") and "libflexor.so" in last
    assert "install" in last or "LD_LIBRARY_PATH" in last, "it does not say what to do: " + last


def test_library_too_old(program, tmp_path):
    """The library says which versions do not fit, and the message reaches the user."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler")
    older = tmp_path / "older.c"
    older.write_text('int flx_abi_require(int v) { return 8; }\nconst char *flx_last_error(void) { return "[flx_abi_require] this program needs ABI version 9 of the library, '
                     'which has 3."; }\n')
    subprocess.run([compiler, "-shared", "-fPIC", str(older), "-o", str(tmp_path / "older.so")], check=True)
    done = program("import flexor", fails=True, env={"LD_PRELOAD": str(tmp_path / "older.so")})
    assert done.returncode == 1 and "ImportError: " in done.stderr and "needs ABI version 9" in done.stderr.strip().split("\n")[-1]
