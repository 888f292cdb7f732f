# SPDX-License-Identifier: Apache-2.0
"""Gradients beside finite differences; scopes; operators written in Python."""
import gc
import importlib
import threading

import numpy as np
import pytest

import flexor as fx
from flexor import autograd, nd


def numeric(function, x, step=1e-5):
    """d function / dx by central differences, in float64."""
    out = np.zeros_like(x)
    flat, grad = x.reshape(-1), out.reshape(-1)
    for i in range(flat.size):
        old = flat[i]
        flat[i] = old + step
        high = function(nd.array(x)).item()
        flat[i] = old - step
        low = function(nd.array(x)).item()
        flat[i], grad[i] = old, (high - low) / (2 * step)
    return out


FUNCTIONS = {
    "polynomial": lambda x: (x * x * 3 - 2 / x + x ** 3).sum(), "reflected": lambda x: ((1 - x) * (2 ** x) / (3 + x)).sum(),
    "relu and exp": lambda x: nd.exp(nd.relu(x) * 0.5).sum(), "softmax": lambda x: (nd.softmax(x, axis=1) * nd.arange(12, dtype="float64").reshape(3, 4)).sum(),
    "slices": lambda x: (x[1:, ::2] * x[:2, 1::2]).sum() + x[0, -1] * 3, "steps back": lambda x: (x[::-1] * nd.arange(12, dtype="float64").reshape(3, 4)).sum(),
    "index arrays": lambda x: (x[[0, 2, 0]] * x[[1, 1, 2]]).sum() + x[[0, 1], [2, 3]].sum(), "mask": lambda x: (x[x > 1] ** 2).sum(),
    "matmul": lambda x: (x @ x.T).mean(), "batched matmul": lambda x: (x.reshape(3, 2, 2) @ x.reshape(3, 2, 2)).sum(), "broadcast": lambda x: (x * x.mean(axis=0) - x.max(axis=1, keepdims=True)).sum(),
    "shapes": lambda x: (x.reshape(2, 6).transpose() * nd.arange(12, dtype="float64").reshape(6, 2)).sum(), "std": lambda x: x.std() + x.var(axis=0).sum(),
    "abs and neg": lambda x: (abs(-x) + (-x)).sum(), "concat": lambda x: (nd.concat(x, x * 2, dim=0) ** 2).sum(), "mean": lambda x: x.mean(axis=(0, 1)) * 2}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_against_finite_differences(name):
    function = FUNCTIONS[name]
    host = np.random.RandomState(3).rand(3, 4) + 0.5
    x = nd.array(host)
    x.attach_grad()
    with autograd.record():
        y = function(x)
    y.backward()
    np.testing.assert_allclose(x.grad.asnumpy(), numeric(function, host.copy()), rtol=1e-5, atol=1e-7)


def test_writes_into_slices_are_seen():
    x, v = nd.ones((2, 3)), nd.array([1, 2, 3])
    x.attach_grad()
    v.attach_grad()
    with autograd.record():
        y = x * 2
        y[1] = v * v
        s = (y * y).sum()
    s.backward()
    assert x.grad.tolist() == [[8, 8, 8], [0, 0, 0]]
    np.testing.assert_allclose(v.grad.asnumpy(), 4 * np.array([1, 2, 3]) ** 3)


def test_scopes():
    assert not autograd.is_recording() and not autograd.is_training()
    with autograd.record():
        assert autograd.is_recording() and autograd.is_training()
        with autograd.pause():
            assert not autograd.is_recording() and not autograd.is_training()
        with autograd.predict_mode():
            assert autograd.is_recording() and not autograd.is_training()
        with autograd.record(train_mode=False):
            assert autograd.is_recording() and not autograd.is_training()
        assert autograd.is_recording() and autograd.is_training()
    with pytest.raises(KeyError):
        with autograd.record():
            raise KeyError
    assert not autograd.is_recording()
    scope = autograd.train_mode()
    with scope, scope:
        assert autograd.is_training()
    assert not autograd.is_training()

    @autograd.record()
    def inside():
        return autograd.is_recording()
    assert inside() and not autograd.is_recording()
    assert autograd.set_recording(True) is False and autograd.set_recording(False) is True and autograd.set_training(True) is False and autograd.set_training(False) is True


def test_mode_belongs_to_the_thread():
    seen = []
    with autograd.record():
        t = threading.Thread(target=lambda: seen.append((autograd.is_recording(), autograd.is_training())))
        t.start()
        t.join()
    assert seen == [(False, False)]


def test_backward_and_grad():
    x = nd.array([1, 2, 3])
    x.attach_grad()
    with autograd.record():
        y = x * x
    y.backward(nd.array([1, 0, 2]), retain_graph=True)
    assert x.grad.tolist() == [2, 0, 12]
    autograd.backward([y], [None])
    assert x.grad.tolist() == [2, 4, 6]
    with pytest.raises(fx.StateError):
        y.backward()
    x.attach_grad("add")
    for _ in range(2):
        with autograd.record():
            y = x * 3
        y.backward()
    assert x.grad.tolist() == [6, 6, 6]
    x.zero_grad()
    assert x.grad.tolist() == [0, 0, 0]
    x.attach_grad("null")
    assert x.grad is None and nd.zeros(1).grad is None
    with pytest.raises(fx.DTypeError):
        nd.zeros(1, dtype="int32").attach_grad()


def test_higher_derivatives():
    x = nd.array([0.5, 1.5], dtype="float64")
    x.attach_grad()
    with autograd.record():
        y = (x ** 4).sum()
        first = autograd.grad(y, x, create_graph=True)
        second = autograd.grad(first.sum(), [x], create_graph=True)[0]
        third = autograd.grad(second.sum(), x)
    np.testing.assert_allclose(first.asnumpy(), 4 * x.asnumpy() ** 3)
    np.testing.assert_allclose(second.asnumpy(), 12 * x.asnumpy() ** 2)
    np.testing.assert_allclose(third.asnumpy(), 24 * x.asnumpy())


def test_detach_and_overwritten_inputs():
    x = nd.array([1, 2])
    x.attach_grad()
    with autograd.record():
        y = (x * x).detach() * x
    y.backward()
    assert x.grad.tolist() == [1, 4]
    w = nd.array([3.0])
    w.attach_grad()
    with autograd.record():
        h = w * 2
        y = h * h
    h[0] = 9
    with pytest.raises(fx.StateError):
        y.backward()


def test_history_as_a_symbol():
    x = nd.array([1, 2])
    x.attach_grad()
    with autograd.record():
        y = nd.exp(x) * 2
    s = autograd.get_symbol(y)
    np.testing.assert_allclose(s.eval(x0=nd.array([0, 1]))[0].asnumpy(), 2 * np.exp([0, 1]), rtol=1e-6)


# ---- operators written in Python ------------------------------------------------------------------------------------------------------------

def test_operator_on_the_calling_thread():
    threads = []

    @autograd.operator
    def clip01(x):
        """x in [0, 1]"""
        assert isinstance(x, np.ndarray) and not autograd.is_recording()
        threads.append(threading.get_ident())
        return x.clip(0, 1)

    @clip01.gradient
    def _(dy, x, y):
        threads.append(threading.get_ident())
        return dy * ((x > 0) & (x < 1))
    x = nd.array([-1, 0.5, 2])
    x.attach_grad()
    with autograd.record():
        y = clip01(x * 1) * nd.array([1, 2, 3])
    assert y.tolist() == [0, 1, 3] and y.dtype == "float32"
    y.backward()
    assert x.grad.tolist() == [0, 2, 0] and set(threads) == {threading.get_ident()} and clip01.__doc__ == "x in [0, 1]"
    assert clip01(np.array([3.0])).tolist() == [1]


def test_operator_of_several():
    @autograd.operator(outputs=2)
    def sum_and_difference(a, b):
        return a + b, a - b

    @sum_and_difference.gradient
    def _(ds, dd, a, b, s, d):
        return ds + dd, ds - dd
    a, b = nd.array([1, 2]), nd.array([3, 5])
    a.attach_grad()
    b.attach_grad()
    with autograd.record():
        s, d = sum_and_difference(a, b)
        y = s * 3 + d
    y.backward()
    assert a.grad.tolist() == [4, 4] and b.grad.tolist() == [2, 2]


def test_errors_of_the_user_come_out_as_they_are():
    class Mine(Exception):
        pass

    @autograd.operator
    def bad(x):
        return x + 1

    @bad.gradient
    def the_gradient(dy, x, y):
        raise Mine("here %s \N{snowman}")
    x = nd.ones(2)
    x.attach_grad()
    with autograd.record():
        y = bad(x)
    with pytest.raises(Mine, match="here %s \N{snowman}") as e:
        y.backward()
    assert any(entry.name == "the_gradient" for entry in e.traceback)
    x = nd.ones(2)
    x.attach_grad()
    with autograd.record():
        y = x * 2
    y.backward()
    assert x.grad.tolist() == [2, 2]  # all is well afterwards


def test_wrong_gradients():
    @autograd.operator
    def two(a, b):
        return a * b
    two.gradient(lambda dy, a, b, y: dy)
    a = nd.ones(2)
    a.attach_grad()
    with autograd.record():
        y = two(a, a)
    with pytest.raises(fx.ArgumentError, match="expected 2 gradients"):
        y.backward()

    @autograd.operator
    def constant(a):
        return a * 2
    with autograd.record():
        y = constant(a)
    with pytest.raises(fx.StateError):
        y.backward()


@pytest.mark.parametrize("package", ["flexor", "flexor.mxnet"])
def test_function_class(package):
    here = importlib.import_module(package)
    nd, autograd = here.nd, here.autograd

    class Sigmoid(autograd.Function):
        def forward(self, x):
            y = 1 / (1 + nd.exp(-x))
            self.save_for_backward(y)
            return y

        def backward(self, dy):
            y, = self.saved_tensors
            return dy * y * (1 - y)
    x = nd.array([0.3, -2])
    x.attach_grad()
    with autograd.record():
        y = Sigmoid()(x).sum()
    y.backward()
    s = 1 / (1 + np.exp(-x.asnumpy()))
    np.testing.assert_allclose(x.grad.asnumpy(), s * (1 - s), rtol=1e-6)


def test_functions_are_forgotten():
    gc.collect()
    start = len(fx._core._hosts)

    @autograd.operator
    def same(x):
        return x * 1
    same.gradient(lambda dy, x, y: dy)
    x = nd.ones(1)
    x.attach_grad()
    for _ in range(50):
        with autograd.record():
            y = same(x) * 2
        y.backward()
    del y
    gc.collect()
    fx._core.host_forget()
    assert len(fx._core._hosts) <= start
