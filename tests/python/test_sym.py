# SPDX-License-Identifier: Apache-2.0
"""Symbols: composing, shapes, files, running, gradients, control flow, attributes, tracing."""
import copy
import json
import pickle
import threading

import numpy as np
import pytest

import flexor as fx
from flexor import autograd, nd, sym


def net():
    x = sym.var("data", shape=(None, 8))
    h = sym.relu(sym.fully_connected(x, num_hidden=5, name="fc1"), name="act")
    return sym.softmax(sym.fully_connected(h, num_hidden=3, name="fc2"), name="out")


def values(symbol, **shapes):
    r = np.random.RandomState(0)
    return {n: nd.array(r.rand(*s).astype("f")) for n, s in zip(symbol.list_arguments(), symbol.infer_shape(**shapes)[0])}


def test_parts_and_names():
    s = net()
    assert s.list_arguments() == ["data", "fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"] and s.list_outputs() == ["out_output"] and s.name == "out"
    assert s.list_auxiliary_states() == [] and s.list_inputs() == s.list_arguments() and "fc1_output" in s.get_internals().list_outputs()
    assert s.get_internals()["act_output"].name == "act" and repr(s) == "<Symbol out_output>"
    b = sym.batch_norm(sym.var("x"), name="bn")
    assert b[0].list_auxiliary_states() == ["bn_moving_mean", "bn_moving_var"]
    with pytest.raises(fx.UnknownNameError):
        s["no"]
    with pytest.raises(TypeError):
        bool(s)


def test_automatic_names():
    with sym.NameScope("net_"):
        a = sym.relu(sym.var("x"))
        b = sym.relu(a)
        c = sym.relu(a, name="given")
    assert [s.name for s in (a, b, c)] == ["net_relu0", "net_relu1", "net_given"]
    names = []
    t = threading.Thread(target=lambda: names.append(sym.tanh(sym.var("x")).name))
    t.start()
    t.join()
    assert names == ["tanh0"]


def test_shapes():
    s = net()
    args, outs, aux = s.infer_shape(data=(4, 8))
    assert args == [(4, 8), (5, 8), (5,), (3, 5), (3,)] and outs == [(4, 3)] and aux == []
    assert s.shape == (-1, 3) and s.infer(data=(4, 8)).shape == (4, 3) and sym.var("q").shape is None
    assert s.infer_shape_partial()[1] == [(-1, 3)] and s.infer_type(data="float32")[1] == [np.dtype("float32")]
    assert sym.var("h", shape=(2,), dtype="float16").dtype == np.float16 and sym.var("h", shape=(2, 3)).ndim == 2
    with pytest.raises(fx.ShapeError, match="fc1"):
        s.infer_shape(data=(4, 8), fc1_weight=(5, 9))
    with pytest.raises(fx.ShapeError):
        sym.var("q").ndim


def test_running_equals_arrays():
    s = net()
    v = values(s, data=(4, 8))
    want = nd.softmax(nd.fully_connected(nd.relu(nd.fully_connected(v["data"], v["fc1_weight"], v["fc1_bias"], num_hidden=5)), v["fc2_weight"], v["fc2_bias"], num_hidden=3))
    g = s.graph()
    assert g.inputs == s.list_inputs()
    for got in (g(**v), g(*v.values()), g(v["data"], **{k: v[k] for k in list(v)[1:]}), s.eval(**v)[0]):
        np.testing.assert_allclose(got.asnumpy(), want.asnumpy(), rtol=1e-6)
    with pytest.raises(fx.ArgumentError, match="missing fc1_weight"):
        g(data=v["data"])
    with pytest.raises(fx.ArgumentError, match="no_such"):
        g(no_such=v["data"], **v)
    assert "fc1" in g.text("program") and g.text("waits") == "0"


def test_gradients():
    s = net()
    v = values(s, data=(4, 8))
    w = v["fc1_weight"]
    w.attach_grad()
    with autograd.record():
        y = s.graph()(**v)
    y.backward(nd.ones((4, 3)) * nd.arange(3))
    g = s.infer(data=(4, 8)).gradient("fc1_weight")
    head = [n for n in g.list_inputs() if n.endswith("_head")]
    got = g.eval(**v, **{head[0]: nd.ones((4, 3)) * nd.arange(3)})[0]
    np.testing.assert_allclose(got.asnumpy(), w.grad.asnumpy(), rtol=1e-5, atol=1e-7)


def test_operators_and_elements():
    x = sym.var("x", shape=(3, 4))
    a = np.arange(12, dtype="f").reshape(3, 4) + 1
    cases = {"add": lambda v: v + v * 2 - 1, "reflected": lambda v: 1 - (2 / v), "power": lambda v: 2 ** (v % 3), "compare": lambda v: (v > 3) * 1.0, "neg": lambda v: abs(-v),
             "row": lambda v: v[1], "element": lambda v: v[1, 2], "slices": lambda v: v[1:, ::2], "back": lambda v: v[::-1, 1], "last": lambda v: v[-1], "new": lambda v: v[:, None, 1:3],
             "dots": lambda v: v[..., -2], "sum": lambda v: v.sum(axis=1), "mean": lambda v: v.mean(), "reshape": lambda v: v.reshape(2, 6), "T": lambda v: v.T, "matmul": lambda v: v @ v.T,
             "cast": lambda v: v.astype("int32"), "transpose": lambda v: v.transpose(1, 0)}
    for name, function in cases.items():
        got = function(x).eval(x=nd.array(a))[0]
        want = np.asarray(function(a))
        assert got.shape == want.shape, name
        np.testing.assert_allclose(got.asnumpy(), want, rtol=1e-6, err_msg=name)
    with pytest.raises(fx.ArgumentError):
        x[[1, 2]]
    with pytest.raises(TypeError):
        x + "a"
    with pytest.raises(fx.ArgumentError):
        sym.relu(nd.ones(2))


def test_functions_of_nd_take_symbols():
    y = nd.relu(sym.var("x", shape=(2,)))
    assert isinstance(y, sym.Symbol) and isinstance(nd.concat(y, y, dim=0), sym.Symbol) and isinstance(nd.softmax(y, axis=0), sym.Symbol)
    assert json.loads(nd.softmax(y).tojson())["nodes"][-1].get("attrs", {}) == {}


def test_groups_and_substitution():
    x = sym.var("x")
    g = sym.group([x + 1, x * 2])
    assert len(g) == 2 and [p.eval(x=nd.array([3]))[0].item() for p in g] == [4, 6] and g[1].eval(x=nd.array([3]))[0].item() == 6
    a, b = g.eval(x=nd.array([1]))
    assert (a.item(), b.item()) == (2, 2)
    y = (x * x).substitute(x=sym.var("z") + 1)
    assert y.list_arguments() == ["z"] and y.eval(z=nd.array([2]))[0].item() == 9 and (x * x)(x=sym.var("q")).list_arguments() == ["q"]


def test_files_and_copies(tmp_path):
    s = net()
    s.save(tmp_path / "net.json")
    for again in (sym.load(tmp_path / "net.json"), sym.loads(s.tojson()), pickle.loads(pickle.dumps(s)), copy.deepcopy(s)):
        assert again.tojson() == s.tojson()
    assert copy.copy(s) is s


def test_attributes():
    x = sym.var("x", lr_mult=2.0, shape=(2, None), init="zeros")
    assert x.attr("lr_mult") in ("2", "2.0") and x.attr("no") is None
    y = sym.relu(x, name="r", attr={"__mood__": "fine"})
    assert y.attr("__mood__") == "fine" and y.attr_dict()["r"]["__mood__"] == "fine" and y.list_attr() == {"__mood__": "fine"}
    y.set_attr(__mood__="better")
    assert y.attr("__mood__") == "better"


def test_for_people(tmp_path):
    s = net()
    text = s.summary(data=(4, 8))
    assert "fc1" in text and "(4, 3)" in text and s.table(data=(4, 8))
    d = s.draw(data=(4, 8))
    assert d.lstrip().startswith("<svg") and d._repr_svg_() and s.draw("dot").startswith("digraph") and s.draw("dot")._repr_svg_() is None
    d.save(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text().startswith("<svg")


def test_foreach():
    out, last = sym.foreach(lambda x, s: (x + s, x + s), sym.var("data"), sym.var("s"))
    a, b = sym.group([out, last]).eval(data=nd.array([[1], [2], [3]]), s=nd.array([10]))
    assert a.tolist() == [[11], [13], [16]] and b.tolist() == [16]
    w = sym.var("w")  # used in the body, but not one of its arguments
    outs, _ = sym.foreach(lambda x, states: ([x[0] * w, x[1]], []), [sym.var("a"), sym.var("b")], [])
    p, q = sym.group(outs).eval(a=nd.array([1, 2]), b=nd.array([3, 4]), w=nd.array([10]))
    assert p.asnumpy().ravel().tolist() == [10, 20] and q.asnumpy().ravel().tolist() == [3, 4]


def test_while_loop():
    out, last = sym.while_loop(lambda i, total: i < 4, lambda i, total: (i * i, [i + 1, total + i]), [sym.var("i"), sym.var("t")], max_iterations=6)
    stacked, i, t = sym.group([out, *last]).eval(i=nd.array([1]), t=nd.array([0]))
    assert stacked.asnumpy().ravel().tolist() == [1, 4, 9, 0, 0, 0] and i.item() == 4 and t.item() == 6


def test_cond():
    c, a, b = sym.var("c"), sym.var("a"), sym.var("b")
    for y in (sym.cond(c, lambda: a * 2, lambda: b + 1), sym.cond(c, lambda a, b: a * 2, lambda a, b: b + 1, inputs=[a, b])):
        assert y.eval(c=nd.array([1]), a=nd.array([5]), b=nd.array([7]))[0].item() == 10
        assert y.eval(c=nd.array([0]), a=nd.array([5]), b=nd.array([7]))[0].item() == 8


def test_trace():
    w = nd.array([2, 3])

    def function(x):
        return nd.exp(x * w) + 1
    g = sym.trace(function, nd.ones(2))
    x = nd.array([0.5, -1])
    np.testing.assert_allclose(g(x).asnumpy(), function(x).asnumpy(), rtol=1e-6)
    with pytest.raises(fx.UnsupportedError):
        sym.trace(lambda x: x * (x + 1).asnumpy(), nd.ones(2))
    assert fx._core.mode() == 0


def test_passes():
    s = net().infer(data=(4, 8))
    assert s.transform("fuse").list_arguments() == s.list_arguments()
    with pytest.raises(fx.StateError):
        sym.relu(sym.var("x")).transform("fuse")


# ---- functions of Python in graphs ------------------------------------------------------------------------------------------------------------

def clip01():
    @autograd.operator
    def clip(x):
        seen.append(threading.get_ident())
        return x.clip(0, 1)

    @clip.gradient
    def _(dy, x, y):
        seen.append(threading.get_ident())
        return dy * ((x > 0) & (x < 1))
    seen = clip.seen = []
    return clip


def test_a_python_operator_in_a_graph():
    clip = clip01()
    y = clip(sym.var("x", shape=(3,)) * 1) * 3
    assert y.shape == (3,) and y.list_arguments() == ["x"]
    x = nd.array([-1, 0.5, 2])
    x.attach_grad()
    g = y.graph()
    assert g(x=x).tolist() == [0, 1.5, 3]
    with autograd.record():
        z = g(x=x)
    z.backward()
    assert x.grad.tolist() == [0, 3, 0] and set(clip.seen) == {threading.get_ident()}


def test_shapes_and_outputs_of_python_operators():
    @autograd.operator(outputs=2, shapes=lambda s: [s, (1,)])
    def two(x):
        return x + 1, x.sum(keepdims=True)
    u, v = two(sym.var("x", shape=(3,)))
    assert u.shape == (3,) and v.shape == (1,)
    a, b = sym.group([u, v]).eval(x=nd.array([1, 2, 3]))
    assert a.tolist() == [2, 3, 4] and b.tolist() == [6]


def test_what_a_python_operator_raises_comes_out_of_a_graph():
    @autograd.operator
    def bad(x):
        raise KeyError("mine")
    with pytest.raises(KeyError, match="mine") as e:
        bad(sym.var("x", shape=(2,))).eval(x=nd.ones(2))
    assert any(entry.name == "bad" for entry in e.traceback)
