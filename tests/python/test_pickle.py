# SPDX-License-Identifier: Apache-2.0
"""Pickle and copy of arrays and symbols; what cannot be pickled says so."""
import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import flexor as fx
from flexor import autograd, nd, sym

DTYPES = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32", "uint64", "bfloat16"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_arrays(dtype, shape):
    x = nd.array(np.arange(int(np.prod(shape))).reshape(shape) % 2, dtype=dtype)
    for again in (*(pickle.loads(pickle.dumps(x, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)), copy.copy(x), copy.deepcopy(x)):
        assert type(again) is fx.NDArray and again is not x and again.dtype == x.dtype and again.shape == shape and again.tolist() == x.tolist()


def test_copies_are_apart_and_gradients_stay_attached():
    x = nd.ones(3)
    x.attach_grad()
    for again in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        again += 1
        assert x.tolist() == [1, 1, 1] and again.grad is not None and again.grad.tolist() == [0, 0, 0]
        with autograd.record():
            y = again * 3
        y.backward()
        assert again.grad.tolist() == [3, 3, 3] and x.grad.tolist() == [0, 0, 0]
    assert copy.deepcopy(nd.ones(1)).grad is None


def test_views_and_containers():
    x = nd.arange(12).reshape(3, 4)
    again = pickle.loads(pickle.dumps({"view": x[:, 1:3], "turned": x.T, "twice": [x, x]}))
    assert again["view"].tolist() == x[:, 1:3].tolist() and again["turned"].tolist() == x.T.tolist() and again["twice"][0] is again["twice"][1]


def test_symbols():
    s = sym.softmax(sym.fully_connected(sym.var("x", shape=(None, 3)), num_hidden=2, name="fc"), name="out")
    again = pickle.loads(pickle.dumps(s))
    assert type(again) is sym.Symbol and again.tojson() == s.tojson() and copy.deepcopy(s).list_arguments() == s.list_arguments()


def test_what_belongs_to_this_process():
    for thing in (sym.var("x").graph(), fx._core.call("relu"), fx._core.f.flx_params_create()):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(thing)


def test_in_another_process(tmp_path):
    (tmp_path / "x").write_bytes(pickle.dumps([nd.array([1.5, 2]), fx.bfloat16, sym.var("v") + 1]))
    run = subprocess.run([sys.executable, "-c", "import pickle, sys; x, t, s = pickle.load(open(sys.argv[1], 'rb')); print(x.tolist(), repr(t), s.list_arguments())", str(tmp_path / "x")],
                         capture_output=True, text=True)
    assert run.stdout == "[1.5, 2.0] flexor.bfloat16 ['v']\n", run.stderr
