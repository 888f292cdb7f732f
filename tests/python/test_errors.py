# SPDX-License-Identifier: Apache-2.0
"""Errors: their classes, fields and texts; objects used after they were freed; wrong use that must not crash."""
import copy
import inspect
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import flexor as fx
from flexor import nd, sym
from flexor import _flexor as f

BUILTINS = {"ArgumentError": ValueError, "DTypeError": TypeError, "ShapeError": ValueError, "OutOfRangeError": IndexError, "UnknownNameError": KeyError,
            "HandleError": ValueError, "UnsupportedError": NotImplementedError, "OutOfMemoryError": MemoryError, "FileError": OSError, "FormatError": ValueError,
            "DeviceError": RuntimeError, "NetworkError": ConnectionError, "HostError": RuntimeError, "StateError": RuntimeError, "InternalError": RuntimeError, "RolledBackError": RuntimeError}


@pytest.mark.parametrize("name", BUILTINS)
def test_classes(name):
    cls = getattr(fx, name)
    assert issubclass(cls, fx.Error) and issubclass(cls, BUILTINS[name]) and issubclass(cls, RuntimeError) and cls.__doc__
    assert f.errors[cls.status] is cls
    e = cls("text with % and {}")
    assert str(e) == "text with % and {}" and e.status == cls.status and e.operator == "" and e.offset is None and e.kind
    again = pickle.loads(pickle.dumps(e))
    assert type(again) is cls and str(again) == str(e)


def test_every_status_has_a_class():
    statuses = {getattr(f, n) for n in dir(f) if n.startswith("FLX_ERROR_")}
    assert statuses == set(f.errors) and len({c.__name__ for c in f.errors.values()}) == len(statuses)
    assert fx.IndexError_ is fx.OutOfRangeError and fx.NameError_ is fx.UnknownNameError


def test_fields():
    with pytest.raises(fx.ShapeError) as e:
        nd.dot(nd.ones((2, 3)), nd.ones((2, 3)))
    e = e.value
    assert e.status == f.FLX_ERROR_SHAPE and e.kind == "shape" and e.operator == "dot" and "(2, 3)" in str(e) and str(e).startswith("[dot]")
    with pytest.raises(fx.UnknownNameError) as e:
        fx._core.call("Activatoin", {})
    assert "Activation" in str(e.value) and not str(e.value).startswith("'")
    with pytest.raises(fx.FormatError) as e:
        sym.loads('{"nodes": [}')
    assert isinstance(e.value.offset, int) and e.value.offset > 0
    with pytest.raises(fx.FileError) as e:
        sym.load("/no/such/file.json")
    assert "/no/such/file.json" in str(e.value) and e.value.file == "/no/such/file.json"
    with pytest.raises(fx.ShapeError) as e:
        (sym.var("a", shape=(2, 3)) @ sym.var("b", shape=(2, 3))).infer()
    assert e.value.node.startswith("dot")


@pytest.mark.parametrize("text", ["%s%n%d", "{} {0}", "\N{snowman} \N{pile of poo}", "größe", "a" * 3000, "new\nline\ttab", "quote ' \" \\"])
def test_texts_come_through_unharmed(text):
    with pytest.raises(fx.Error) as e:
        fx._core.call(text, {})
    assert text[:100] in str(e.value)
    v = sym.var(text)
    assert v.name == text and sym.loads(v.tojson()).name == text
    with pytest.raises(fx.Error):
        fx.config.get(text)


def test_texts_that_are_none():
    with pytest.raises(ValueError, match="null character"):
        sym.var("a\0b")
    with pytest.raises(UnicodeEncodeError):
        sym.var("\udcff")
    with pytest.raises(TypeError):
        sym.var(5)
    with pytest.raises(fx.FileError):
        sym.load(b"/no/such/\xff\xfe")


def test_freed_objects():
    x, y = nd.ones(2), nd.ones(2)
    x.free()
    x.free()
    for use in (lambda: x + y, lambda: y + x, lambda: x.shape, lambda: x.asnumpy(), lambda: x[0], lambda: nd.relu(x), lambda: nd.concat(x, y), lambda: x.attach_grad(),
                lambda: x.backward(), lambda: x.wait(), lambda: x.__dlpack__(), lambda: copy.copy(x), lambda: pickle.dumps(x), lambda: x.map(), lambda: x + 1, lambda: x > 1,
                lambda: y.__setitem__(0, x), lambda: x.__setitem__(0, 1), lambda: x.sum(), lambda: x.T):
        with pytest.raises(fx.HandleError, match="freed"):
            use()
    s = sym.var("a")
    fx._core.free(s)
    with pytest.raises(fx.HandleError):
        s + 1
    assert "freed" in repr(s)


def test_wrong_kinds_and_null():
    x, s = nd.ones(1), sym.var("a")
    for use in (lambda: f.flx_ndarray_nbytes(s), lambda: f.flx_symbol_to_json(x), lambda: f.flx_ndarray_nbytes(None), lambda: f.flx_ndarray_nbytes(fx.NDArray()),
                lambda: f.flx_call_binary(x, 0, x, x)):
        with pytest.raises(fx.HandleError):
            use()
    for use in (lambda: f.flx_ndarray_nbytes("x"), lambda: f.flx_ndarray_nbytes(object()), lambda: f.flx_call_run(x, 0, [1], []), lambda: f.flx_call_run(x, 0, 5, []),
                lambda: f.flx_call_run(x, "a", [], []), lambda: f.flx_invoke("relu", 0, [x], 5), lambda: f.flx_invoke("relu", 0, [x], {"a": 1}), lambda: f.flx_invoke("relu"),
                lambda: fx.NDArray(5), lambda: fx.NDArray(x, x), lambda: fx.NDArray(a=1), lambda: f.find({}, 1), lambda: f.dtype("a"), lambda: f.set_mode("a"), lambda: s + "a",
                lambda: x + object(), lambda: x + None):
        with pytest.raises(TypeError):
            use()
    with pytest.raises(OverflowError):
        f.flx_ndarray_create([1], 2**40, None)
    with pytest.raises((TypeError, OverflowError)):
        f.flx_ndarray_create([2**70], 0, None)


def test_classes_of_results_may_be_changed_and_are_checked():
    class Mine(fx.NDArray):
        pass
    try:
        f.classes["ndarray"] = Mine
        x = nd.ones(2)
        assert type(x) is Mine
        x.note = "a subclass without __slots__ has attributes"
        f.classes["ndarray"] = int
        with pytest.raises(TypeError, match="no subclass of Handle"):
            nd.ones(2)
    finally:
        f.classes["ndarray"] = fx.NDArray
    taken = Mine(nd.ones(3))
    assert taken.shape == (3,) and (taken + 1).tolist() == [2, 2, 2] and nd.relu(taken).shape == (3,)


def test_failures_at_run_time_name_what_failed():
    x = nd.ones((2, 2))
    with pytest.raises(fx.OutOfRangeError, match=r"\[take\]"):
        nd.take(x, nd.array([5], dtype="int64"), mode="raise").asnumpy()
    with pytest.raises(fx.OutOfMemoryError):
        nd.zeros((2**40,)).wait()
    with pytest.raises(fx.ShapeError):
        nd.zeros((-1,))
    with pytest.raises(fx.ArgumentError):
        nd.zeros((1,) * 40)


def late_failure():
    y = nd.take(nd.ones((4, 2)), nd.array([9], dtype="int64"), mode="raise")  # the line that is to blame
    return y + 1


def later(array):
    with pytest.raises(fx.OutOfRangeError) as e:
        array.asnumpy()
    return e.value


def test_the_line_that_queued_what_failed():
    blamed = f"{__file__}:{late_failure.__code__.co_firstlineno + 1}"
    with fx.config.override(FLEXOR_ENGINE="threaded"):
        assert later(late_failure()).origin == ""
        with fx.config.override(FLEXOR_ORIGIN=1):
            e = later(late_failure())
            assert e.origin == blamed and str(e).endswith(f" Queued by {blamed}.")
            x = nd.array([9], dtype="int64")
        assert later(nd.take(nd.ones((4, 2)), x, mode="raise")).origin == ""  # off again
    with fx.config.override(FLEXOR_ENGINE="naive"), pytest.raises(fx.OutOfRangeError):
        late_failure()  # by the line itself
    with pytest.raises(fx.ArgumentError, match="FLEXOR_ORIGIN must be one of 0, 1, given `yes`"):
        fx.config.set("origin", "yes")


def test_the_line_of_a_hybridized_network():
    class Rows(fx.nn.Layer):
        def forward(self, x):
            return fx.op.take(x, fx.op.cast(fx.op.sum(x), dtype="int64"), mode="raise")

    net = Rows()
    net.hybridize()
    assert net(nd.zeros((4,))).tolist() == 0
    with fx.config.override(FLEXOR_ENGINE="threaded", FLEXOR_ORIGIN=1):
        y = net(nd.ones((4,)) * 2)
        line = inspect.currentframe().f_lineno - 1
        assert later(y).origin == f"{__file__}:{line}"


def test_the_line_by_the_environment():
    program = """if True:
        import flexor as fx
        def go(i):
            return fx.nd.take(fx.nd.ones(4), fx.nd.array([i]), mode="raise")
        y = go(9)
        try:
            y.asnumpy()
        except fx.Error as e:
            print(e.origin)"""
    environment = dict(os.environ, FLEXOR_ORIGIN="1", FLEXOR_ENGINE="threaded")
    out = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert out.stdout.strip() == "<string>:4"


def test_attribute_values_are_checked_by_the_core():
    x = nd.ones((2, 2))
    for use, words in ((lambda: nd.activation(x, "rellu"), "relu"), (lambda: nd.sum(x, axis="a"), "axis"), (lambda: nd.softmax(x, axis=5), "axis"),
                       (lambda: nd.fully_connected(x, x, num_hidden=0), "num_hidden"), (lambda: nd.sum(x, axis=1.5), "axis")):
        with pytest.raises(fx.Error, match=words):
            use()
    with pytest.raises(TypeError, match="unexpected keyword"):
        nd.relu(x, no_such=1)
    with pytest.raises(TypeError, match="missing"):
        nd.activation(x)


def test_values_that_are_equal_but_of_other_types():
    x = nd.ones((2, 2))
    assert nd.sum(x, axis=1).shape == (2,) and nd.sum(x, axis=(1,)).shape == (2,) and nd.sum(x, axis=np.int64(1)).shape == (2,)
    assert nd.sum(x, axis=[1]).shape == (2,) and nd.sum(x, axis=1, keepdims=1).shape == (2, 1) and nd.sum(x, axis=1, keepdims=True).shape == (2, 1)
    assert f.find({(1,): ((1,), "call")}, (1,)) == "call" and f.find({(1,): ((1,), "call")}, (True,)) is None and f.find({}, ([],)) is None
