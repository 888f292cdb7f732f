# SPDX-License-Identifier: Apache-2.0
"""mx.nd and mx.autograd: what MXNet's programs rely on. What is expected was seen under MXNet 1.9.1."""
import copy
import pickle

import numpy as np
import pytest

import flexor
import flexor.mxnet as mx

nd, autograd = mx.nd, mx.autograd


def a34():
    return nd.array(np.arange(12).reshape(3, 4))


def is_(array, values, dtype="float32"):
    values = np.asarray(values, dtype)
    assert isinstance(array, nd.NDArray) and array.shape == values.shape and array.dtype == np.dtype(dtype).type, array
    np.testing.assert_allclose(array.asnumpy(), values, 1e-5, 1e-6)


def test_reductions_to_one_number_have_one_axis():
    a = a34()
    for got, want in ((a.sum(), 66), (nd.max(a), 11), (a.mean(), 5.5), (a.argmax(), 11), (a.norm(), np.sqrt(506)), (nd.sum(a, axis=(0, 1)), 66)):
        is_(got, [want])
    assert a.sum().asscalar() == 66 and isinstance(a.sum().asscalar(), np.float32)
    is_(a.sum(axis=1), [6, 22, 38])
    is_(nd.sum(a, 1), [6, 22, 38])
    is_(nd.sum(a, axis=0, exclude=True), [6, 22, 38])
    is_(a.max(axis=1, keepdims=True), [[3], [7], [11]])
    is_(a[1, 2], [6])
    is_(nd.array([3, 4])[1], [4])


def test_float32_is_the_default():
    for source in ([1, 2], np.ones(2), np.array([1, 2]), [True, False], 5):
        assert nd.array(source).dtype is np.float32
    assert nd.array(5).shape == (1,) and nd.array(nd.array([1], dtype="int8")).dtype is np.int8
    for made in (nd.zeros(3), nd.ones((2,)), nd.full((2,), 3), nd.arange(3), nd.eye(2), nd.random.uniform(shape=(2,)), nd.empty((2,)), nd.linspace(0, 1, 3)):
        assert made.dtype is np.float32
    is_(nd.array([1, 2, 3], dtype="int32") / 2, [0, 1, 1], "int32")
    is_(nd.array([1, 2, 3], dtype="int32") + 1, [2, 3, 4], "int32")


def test_arithmetic_and_comparisons():
    a = a34()
    is_(10 - a, 10 - np.arange(12).reshape(3, 4))
    is_(2 ** a, 2.0 ** np.arange(12).reshape(3, 4))
    is_(7 % (a + 1), 7 % np.arange(1, 13).reshape(3, 4))
    is_(a > 5, np.arange(12).reshape(3, 4) > 5)
    is_(5 < a, np.arange(12).reshape(3, 4) > 5)
    is_(a == a, np.ones((3, 4)))
    is_(a + nd.array([[1], [2], [3]]), np.arange(12).reshape(3, 4) + [[1], [2], [3]])
    is_(nd.maximum(3, a), np.maximum(3, np.arange(12).reshape(3, 4)))
    is_(nd.add(a, 1), np.arange(1, 13).reshape(3, 4))
    assert (a == None) is False and bool(nd.array([1])) and not nd.array([0])  # noqa: E711
    with pytest.raises(ValueError):
        bool(a)
    with pytest.raises(ValueError):
        a.asscalar()
    b = c = a34()
    c += 1
    c *= 2
    c -= nd.ones((3, 4))
    c /= 2
    assert c is b
    is_(b, (np.arange(1, 13).reshape(3, 4) * 2 - 1) / 2)


def test_attributes_by_position():
    a = a34()
    is_(nd.clip(a, 2, 5), np.clip(np.arange(12).reshape(3, 4), 2, 5))
    is_(nd.log_softmax(nd.zeros((2, 2)), 0), np.full((2, 2), -np.log(2)))
    is_(nd.FullyConnected(nd.ones((1, 2)), nd.ones((3, 2)), None, 3, True), [[2, 2, 2]])
    is_(nd.Activation(nd.array([-1, 1]), "relu"), [0, 1])
    is_(nd.concat(nd.ones((1, 2)), nd.zeros((1, 2)), dim=0), [[1, 1], [0, 0]])
    is_(nd.expand_dims(nd.ones(2), 0), [[1, 1]])
    parts = nd.split(a, 2, 1)
    assert isinstance(parts, list) and parts[0].shape == (3, 2)
    for wrong in (lambda: nd.clip(a, 2, 5, 7, 8), lambda: nd.relu(3), lambda: nd.clip(a, 2, a_min=3, a_max=4), lambda: nd.relu(a, foo=1)):
        with pytest.raises((TypeError, flexor.Error)):
            wrong()


def test_out():
    a, o = a34(), nd.zeros((3, 4))
    assert nd.broadcast_add(a, a, out=o) is o
    is_(o, np.arange(12).reshape(3, 4) * 2)
    w, m = nd.ones(2), nd.zeros(2)
    nd.sgd_mom_update(w, nd.ones(2), m, lr=0.5, momentum=0.9, out=w)
    is_(w, [0.5, 0.5])
    is_(m, [-0.5, -0.5])
    with pytest.raises(flexor.ShapeError):
        nd.relu(a, out=nd.zeros((2, 2)))


def test_parts_and_assignment():
    a = a34()
    is_(a[1], [4, 5, 6, 7])
    is_(a[:, ::-1][0], [3, 2, 1, 0])
    is_(a[nd.array([0, 2])], [[0, 1, 2, 3], [8, 9, 10, 11]])
    is_(a[nd.array([0, 1]), nd.array([1, 2])], [1, 6])
    with pytest.raises(IndexError):
        a[5]
    x = nd.zeros((3, 4))
    x[:] = 2
    x[0] = 5
    x[1, 2] = 7
    x[:, 3] = nd.array([1, 2, 3])
    x[2] = np.arange(4)
    x[0:2, 0:2] = 9
    x[nd.array([2])] += 1
    is_(x, [[9, 9, 5, 1], [9, 9, 7, 2], [1, 2, 3, 4]])
    view = x[1]
    view[:] = 8
    is_(x[1], [8] * 4)
    assert [float(r.asscalar()) for r in nd.array([1, 2])] == [1, 2] and len(x) == 3


def test_shapes():
    a = a34()
    for got, want in ((a.reshape(4, -1), (4, 3)), (a.reshape((0, -1, 2)), (3, 2, 2)), (a.reshape(shape=(-3,)), (12,)), (a.reshape((-1, 0), reverse=True), (3, 4)), (a.T, (4, 3)),
                      (a.swapaxes(0, 1), (4, 3)), (a.expand_dims(0).squeeze(), (3, 4)), (a.expand_dims(0).flatten(), (1, 12)), (nd.array([1, 2]).broadcast_to((3, 2)), (3, 2)),
                      (a.tile((1, 2)), (3, 8)), (nd.moveaxis(nd.zeros((2, 3, 4)), 0, 2), (3, 4, 2)), (nd.broadcast_to(nd.ones((1, 4)), shape=(3, 0)), (3, 4))):
        assert got.shape == want
    assert (a.size, a.ndim, a.stype, str(a.context)) == (12, 2, "default", "cpu(0)") and a.as_in_context(mx.cpu()) is a
    assert repr(nd.ones((1,))) == "\n[1.]\n<NDArray 1 @cpu(0)>"


def test_record_scopes():
    x = nd.array([1, 2, 3])
    x.attach_grad()
    assert not autograd.is_recording() and not autograd.is_training()
    with autograd.record():
        assert autograd.is_recording() and autograd.is_training()
        with autograd.pause():
            assert not autograd.is_recording() and not autograd.is_training()
        with autograd.predict_mode():
            assert autograd.is_recording() and not autograd.is_training()
        y = x * x + nd.exp(x)
        part = y[1:].sum()
    y.backward(nd.array([1, 10, 100]), retain_graph=True)
    is_(x.grad, (2 * np.array([1, 2, 3]) + np.exp([1, 2, 3])) * [1, 10, 100])
    part.backward()
    assert x.grad.asnumpy()[0] == 0
    with autograd.record(train_mode=False):
        assert not autograd.is_training()
    for error in (ValueError,):
        with pytest.raises(error):
            with autograd.record():
                raise error
    assert not autograd.is_recording()


def test_gradients_add_and_are_marked():
    x, g = nd.array([1, 2]), nd.zeros(2)
    autograd.mark_variables([x], [g], "add")
    for _ in range(2):
        with autograd.record():
            y = (3 * x).sum()
        y.backward()
    is_(g, [6, 6])
    assert autograd.grad is not None
    x.attach_grad()
    with autograd.record():
        y = x ** 3
        first = autograd.grad(y, x, create_graph=True)
        z = first.sum()
    z.backward()
    is_(x.grad, [6, 12])
    with autograd.record():
        z = (x * x).detach() * x
    z.backward()
    is_(x.grad, [1, 4])


class TwoInTwoOut(autograd.Function):
    def forward(self, x, y):
        return x * y, x + y

    def backward(self, d, e):
        raise KeyError("of one's own")


def test_functions_of_ones_own():  # one of one array: tests/python/test_autograd.py
    x = nd.array([1, 2])
    x.attach_grad()
    with autograd.record():
        p, q = TwoInTwoOut()(x, x)
        both = p + q
    is_(both, [3, 8])
    with pytest.raises(KeyError, match="of one's own"):
        both.backward()


@mx.operator.register("scaled_sigmoid_and_product")
class Settings(mx.operator.CustomOpProp):
    def __init__(self, scale="1"):
        super().__init__()
        self.scale = float(scale)

    def list_arguments(self):
        return ["a", "b"]

    def list_outputs(self):
        return ["s", "t"]

    def infer_shape(self, in_shape):
        return in_shape, [in_shape[0], in_shape[0]], []

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return Scaled(self.scale)


class Scaled(mx.operator.CustomOp):
    def __init__(self, scale):
        self.scale = scale

    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], self.scale / (1 + nd.exp(-in_data[0])))
        self.assign(out_data[1], req[1], in_data[0] * in_data[1])

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        y = out_data[0] / self.scale
        self.assign(in_grad[0], req[0], out_grad[0] * y * (1 - y) * self.scale + out_grad[1] * in_data[1])
        self.assign(in_grad[1], req[1], out_grad[1] * in_data[0])


def test_custom_operators():
    a, b = nd.array([1, 2]), nd.array([3, 4])
    a.attach_grad()
    b.attach_grad()
    with autograd.record():
        s, t = nd.Custom(a, b, op_type="scaled_sigmoid_and_product", scale=2.0)
        loss = (s + t * t).sum()
    loss.backward()
    is_(s, [1.4621172, 1.761594])
    is_(a.grad, [18.393225, 64.209984])
    is_(b.grad, [6, 32])
    with pytest.raises(ValueError, match="scaled_sigmoid_and_product"):
        nd.Custom(a, op_type="no_such")
    with pytest.raises(TypeError, match="a, b"):
        nd.Custom(a, op_type="scaled_sigmoid_and_product")


def test_loops():
    out, states = nd.contrib.foreach(lambda x, s: (x + s[0], [x + s[0]]), nd.arange(3), [nd.zeros(1)])
    is_(out, [[0], [1], [3]])
    is_(states[0], [3])
    outs, last = nd.contrib.while_loop(lambda i, s: i <= 3, lambda i, s: ([i + s], [i + 1, s + i]), (nd.zeros(1), nd.ones(1)), max_iterations=5)
    is_(outs[0], [[1], [2], [4], [7], [0]])
    is_(last[0], [4])
    is_(nd.contrib.cond(nd.array([1]) < 2, lambda: nd.ones(2), lambda: nd.zeros(2)), [1, 1])


def test_files_and_copies(tmp_path):
    a, b = a34(), nd.array([1, 2], dtype="int64")
    nd.save(str(tmp_path / "named"), {"x": a, "arg:y": b, "aux:z": a})
    nd.save(str(tmp_path / "list"), [a, b])
    nd.save(str(tmp_path / "one"), a)
    named = nd.load(str(tmp_path / "named"))
    assert sorted(named) == ["arg:y", "aux:z", "x"]
    is_(named["arg:y"], [1, 2], "int64")
    first, second = nd.load(str(tmp_path / "list"))
    is_(first, np.arange(12).reshape(3, 4))
    is_(second, [1, 2], "int64")
    assert len(nd.load(str(tmp_path / "one"))) == 1
    for same in (pickle.loads(pickle.dumps(a)), copy.deepcopy(a), copy.copy(a), a.copy()):
        is_(same, np.arange(12).reshape(3, 4))
        same[:] = 0
    is_(a, np.arange(12).reshape(3, 4))
    o = nd.zeros((3, 4))
    assert a.copyto(o) is o
    assert isinstance(a, flexor.NDArray)


def test_waiting_and_errors():
    a = a34()
    a.wait_to_read()
    nd.waitall()
    with pytest.raises(mx.MXNetError):
        a + nd.ones((5,))
    with pytest.raises(ValueError):
        nd.dot(a, a)
    with pytest.raises(NotImplementedError):
        nd.zeros((2,), ctx=[mx.cpu(0), mx.cpu(1)])


def test_random_numbers():
    mx.random.seed(7)
    first = nd.random.normal(shape=(4,))
    mx.random.seed(7)
    is_(nd.random.normal(shape=(4,)), first.asnumpy())
    assert nd.random.uniform().shape == (1,) and nd.random.randint(0, 5, shape=(2, 2)).dtype is np.int32
    assert nd.random.uniform(nd.array([0, 10]), nd.array([1, 11]), shape=(3,)).shape == (2, 3)
    is_(nd.random.multinomial(nd.array([0, 1, 0])), [1], "int32")
    assert mx.random.uniform(-1, 1, shape=(50,)).asnumpy().min() < 0
    assert nd.random.normal_like(data=nd.zeros((2, 3))).shape == (2, 3)


def test_contexts():
    assert mx.cpu() == mx.cpu(0) != mx.gpu() and repr(mx.gpu(2)) == "gpu(2)" and str(mx.cpu(1)) == "cpu(1)"
    with mx.cpu(3):
        assert mx.current_context() == mx.cpu(3)
    assert mx.current_context() == mx.cpu()


def test_both_packages_take_each_others_arrays_and_symbols():
    mine, own = a34(), flexor.nd.array(np.ones((3, 4), "float32"))
    for got in (mine + own, nd.broadcast_add(own, mine), nd.add(own, mine)):
        is_(got, np.arange(1, 13).reshape(3, 4))
    assert type(flexor.nd.array(np.ones(2, "float32")) + 1) is flexor.NDArray and not isinstance(flexor.nd.array([1.0]) + 1, nd.NDArray)
    assert mx.sym.relu(flexor.sym.var("x")).list_arguments() == ["x"]


def test_writing_into_what_backward_needs_is_an_error():
    x = nd.array([1, 2])
    x.attach_grad()
    w = nd.array([3, 4])
    with autograd.record():
        y = x * w
    w[:] = 5
    with pytest.raises(mx.MXNetError):
        y.backward()


def test_import_mxnet(program, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nfrom mxnet import nd\nfrom mxnet.gluon import nn\nimport mxnet.gluon.rnn as rnn\nimport mxnet as mx\n"
                      "assert mx.nd is nd and sys.argv[1:] == ['a'] and __name__ == '__main__'\n"
                      "try:\n    import mxnet.onnx\nexcept ImportError as e:\n    print(nn.Dense.__module__, rnn.LSTM.__module__, e)\n")
    done = program("import runpy, sys; sys.argv = ['flexor.mxnet', sys.argv[1], 'a']; runpy.run_module('flexor.mxnet', run_name='__main__')", str(script))
    assert done.stdout.startswith("flexor.mxnet.gluon.nn.basic flexor.mxnet.gluon.rnn.layer flexor.mxnet has no mx.onnx")
    program("import flexor.mxnet\ntry:\n    import mxnet\n    assert 'flexor' not in mxnet.__file__\nexcept ImportError:\n    pass")
