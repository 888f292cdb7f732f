# SPDX-License-Identifier: Apache-2.0
"""Types: a user's program under `mypy --strict`, the glue's stub held against the glue, the base of the package itself."""
import os
import re
import subprocess
import sys

import pytest

import flexor

PACKAGE = os.path.dirname(os.path.abspath(flexor.__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

GOOD = '''
from typing import List, Optional, Tuple
import numpy as np
import flexor as fx
from flexor import autograd, nd, nn, profiler, random, sym

x: fx.NDArray = nd.array(np.ones((2, 3)))
y: fx.NDArray = nd.softmax(nd.relu(x) + 1.0, axis=1, temperature=None)
x.attach_grad()
with autograd.record():
    loss = (x * x).sum()
loss.backward()
g: Optional[fx.NDArray] = x.grad
shape: Tuple[int, ...] = x.shape
s: sym.Symbol = sym.fully_connected(sym.var("data", shape=(None, 3)), num_hidden=4, name="fc")
names: List[str] = s.list_arguments()
rows: int = s.infer_shape(data=(2, 3))[1][0][0]
try:
    x @ x
except fx.ShapeError as e:
    print(e.operator.upper(), e.status + 1)


@autograd.operator
def clip01(a: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> object:
    return a.clip(0, 1)


with profiler.span("name"):
    random.seed(1)
net = nn.Sequential(nn.Dense(3, activation="relu"))
clf: fx.Classifier = fx.Classifier(net, epochs=3, optimizer=fx.Adam(0.01))
for event in clf.fit_iter(np.ones((4, 2)), [0, 1, 2, 0]):
    print(event.epoch + 1, event.loss)
trainer = fx.Trainer(net.parameters(), fx.SGD(0.1, momentum=0.9))
trainer.step(4)
'''
BAD = {'nd.softmax(nd.ones(2), axis="a")': "arg-type", "nd.relu()": "call-arg", 'nd.relu(nd.ones(2), no=1)': "call-arg", "fx.NoSuch": "", 'nd.sum(1, keepdims="x")': "arg-type",
       'sym.var(5)': "arg-type", "x: int = nd.ones(2)": "assignment"}


def mypy(*args, cwd):
    env = {**os.environ, "MYPYPATH": os.path.dirname(PACKAGE)}
    env.pop("PYTHONPATH", None)
    run = subprocess.run([sys.executable, "-m", "mypy", "--cache-dir", str(cwd / "cache"), *args], capture_output=True, text=True, cwd=cwd, env=env)
    return run.returncode, run.stdout + run.stderr


@pytest.fixture(autouse=True, scope="module")
def needed():
    pytest.importorskip("mypy", reason="mypy is not installed (tools/test puts it into build/venv-tests)")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("mypy")


def test_a_users_program_and_its_mistakes(place):
    (place / "good.py").write_text(GOOD)
    head = "import flexor as fx\nfrom flexor import nd, sym\n"
    (place / "bad.py").write_text(head + "\n".join(f"{line if ':' in line else 'print(' + line + ')'}" for line in BAD) + "\n")
    code, text = mypy("--strict", "--follow-imports=silent", "good.py", "bad.py", cwd=place)
    assert "good.py" not in text, text
    lines = {int(n) for n in re.findall(r"bad\.py:(\d+): error", text)}
    wanted = {3 + i for i, line in enumerate(BAD) if line != "fx.NoSuch"}  # (a module with __getattr__ has any name)
    assert code == 1 and wanted <= lines, text


def test_the_stub_of_the_glue(place):
    env = {**os.environ, "PYTHONPATH": os.path.dirname(PACKAGE)}
    known = subprocess.run([sys.executable, "-m", "mypy.stubtest", "--help"], capture_output=True, text=True).stdout
    options = [o for o in ("--ignore-disjoint-bases",) if o in known]
    run = subprocess.run([sys.executable, "-m", "mypy.stubtest", "flexor._flexor", "--concise", *options], capture_output=True, text=True, cwd=place, env=env)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_base_of_the_package(place):
    config = os.path.join(ROOT, "bindings", "python", "pyproject.toml")
    _, text = mypy("--config-file", config, "-p", "flexor", cwd=place)
    base = ("__init__", "_convert", "_core", "_dtypes", "_host", "_indexing", "_interop", "_linear", "_operator", "autograd", "config", "contrib", "device", "errors", "nd",
            "ndarray", "op", "profiler", "random", "sym", "symbol", "_generated/op", "_generated/symbols")
    training = ("_events", "_settings", "_sklearn", "estimator", "history", "init", "metric", "model", "optimizer", "schedule", "trainer", "nn/", "data/", "datasets/",
                *(f"_generated/{m}" for m in ("initializers", "iters", "layers", "metrics", "optimizers", "schedules")))
    known = [f"flexor/{m}" if m.endswith("/") else f"flexor/{m}.py:" for m in base + training]
    wrong = [line for line in text.splitlines() if ": error:" in line and any(m in line for m in known)]
    assert "Found" in text or "Success" in text, text
    assert not wrong, "\n".join(wrong)
