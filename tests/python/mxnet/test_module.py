# SPDX-License-Identifier: Apache-2.0
"""mx.sym, executors, mx.mod, mx.io, mx.recordio. What is expected was seen under MXNet 1.9.1."""
import logging
import os

import numpy as np
import pytest

import flexor.mxnet as mx
from flexor.mxnet import nd, sym

X = np.sin(np.arange(35 * 5)).reshape(35, 5).astype("float32")
Y = (np.arange(35) % 3).astype("float32")


def is_(array, values):
    np.testing.assert_allclose(array.asnumpy(), np.asarray(values, "float32"), 1e-4, 1e-5)


def mlp():
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=4, name="fc1")
    net = sym.Activation(net, act_type="relu", name="relu1")
    return sym.SoftmaxOutput(sym.FullyConnected(net, num_hidden=3, name="fc2"), name="softmax")


def batch(n=8, begin=0):
    return mx.io.DataBatch([nd.array(X[begin:begin + n])], [nd.array(Y[begin:begin + n])])


def test_what_a_symbol_lists():
    net = mlp()
    assert net.list_arguments() == ["data", "fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias", "softmax_label"] and net.list_outputs() == ["softmax_output"]
    assert net.name == "softmax" and len(net) == 1 and net.list_auxiliary_states() == []
    inner = net.get_internals()
    assert inner.list_outputs()[3:5] == ["fc1_output", "relu1_output"] and inner["fc1_output"].name == "fc1"
    assert net.get_children().list_outputs() == ["fc2_output", "softmax_label"] and sym.var("x").get_children() is None
    assert sym.Group([net, inner["fc1_output"]]).list_outputs() == ["softmax_output", "fc1_output"] and sym.Group([net, inner["fc1_output"]]).name is None
    norm = sym.BatchNorm(sym.var("x"), name="bn")
    assert norm.list_arguments() == ["x", "bn_gamma", "bn_beta"] and norm.list_auxiliary_states() == ["bn_moving_mean", "bn_moving_var"]
    assert sym.load_json(net.tojson()).tojson() == net.tojson()
    assert net(data=sym.FullyConnected(sym.var("z"), num_hidden=2, name="in")).list_arguments()[:3] == ["z", "in_weight", "in_bias"]
    with pytest.raises(ValueError, match="no outputs"):
        inner["nothing_output"]


def test_names_and_attributes():
    with mx.name.NameManager():
        a, b = sym.var("a"), sym.var("b")
        made = [a + b, a - b, a * 2, 2 - a, a / b, a ** 2, -a, a > b, a == 1, abs(a), sym.relu(a), sym.concat(a, b), a.sum(), sym.maximum(a, 2), sym.split(a, num_outputs=2)]
    assert [s.name for s in made] == ["_plus0", "_minus0", "_mulscalar0", "_rminusscalar0", "_div0", "_powerscalar0", "_mulscalar1", "_greater0", "_equal_scalar0", "abs0", "relu0",
                                      "concat0", "sum0", "_maximumscalar0", "split0"]
    with mx.name.Prefix("p_"):
        assert sym.FullyConnected(a, num_hidden=2).list_arguments() == ["a", "p_fullyconnected0_weight", "p_fullyconnected0_bias"]
    v = sym.var("w", attr={"a": "b"}, lr_mult=2.0, init="zeros", shape=(2, 0), dtype="float32")
    assert v.attr("__shape__") == "(2, 0)" and v.attr("__lr_mult__") == "2.0" and v.attr("__dtype__") == "0" and v.attr("name") == "w" and v.attr("a") == "b"
    with mx.AttrScope(ctx_group="g"):
        k = sym.FullyConnected(sym.var("v"), num_hidden=2, name="k")
    assert k.attr("ctx_group") == "g" and k.attr_dict()["k_weight"]["__ctx_group__"] == "g" and k.attr("num_hidden") == "2"


def test_inference():
    arguments, outputs, _ = mlp().infer_shape(data=(2, 5))
    assert arguments == [(2, 5), (4, 5), (4,), (3, 4), (3,), (2,)] and outputs == [(2, 3)]
    with pytest.warns(UserWarning):
        assert mlp().infer_shape() == (None, None, None)
    assert mlp().infer_shape_partial()[1] == [(0, 3)]
    assert mlp().infer_type(data="float16")[1] == [np.float16]
    with pytest.raises(mx.MXNetError, match="fc1"):
        mlp().infer_shape(data=(2, 5), fc1_weight=(7, 7))


def test_executors():
    a, b, grad = nd.array(np.arange(6).reshape(2, 3)), nd.ones((2, 3)), nd.zeros((2, 3))
    run = (sym.var("a") * sym.var("b") + 2).bind(mx.cpu(), {"a": a, "b": b}, args_grad={"a": grad}, grad_req="add")
    for _ in range(2):
        run.forward(is_train=True)
        run.backward(nd.ones((2, 3)))
    is_(grad, np.full((2, 3), 2))
    is_(run.outputs[0], np.arange(6).reshape(2, 3) + 2)
    assert a.grad is None and run.grad_dict["b"] is None  # the caller's arrays are left as they are
    b[:] = 3
    is_(run.forward()[0], np.arange(6).reshape(2, 3) * 3 + 2)
    is_((sym.var("x") + 1).eval(x=nd.ones(2))[0], [2, 2])
    run = mlp().simple_bind(mx.cpu(), grad_req={"fc1_weight": "write"}, data=(2, 5))
    for i, (_, v) in enumerate(sorted(run.arg_dict.items())):
        v[:] = np.sin(np.arange(v.size) + i).reshape(v.shape)
    run.forward(is_train=True, softmax_label=nd.array([0, 2]))
    run.backward()
    np.testing.assert_allclose(run.grad_dict["fc1_weight"][0].asnumpy(), [0, 0.349, 0.378, 0.059, -0.314], atol=1e-3)
    assert run.reshape(data=(1, 5), softmax_label=(1,)).forward()[0].shape == (1, 3)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="data"):
        mlp().simple_bind(mx.cpu())
    with pytest.raises(ValueError, match="shape"):
        run.forward(data=nd.ones((3, 3)))
    out, _ = sym.contrib.foreach(lambda x, s: (x + s[0], [x + s[0]]), sym.var("d"), [sym.var("s")])
    is_(out.bind(mx.cpu(), {"d": nd.arange(3).reshape((3, 1)), "s": nd.ones(1)}).forward()[0], [[1], [2], [4]])


def test_batch_norm_in_an_executor():
    run = sym.BatchNorm(sym.var("data"), name="bn", fix_gamma=False, momentum=0.5).simple_bind(mx.cpu(), data=(4, 2))
    run.aux_dict["bn_moving_var"][:] = 1
    run.arg_dict["bn_gamma"][:] = 1
    run.forward(is_train=True, data=nd.array(np.arange(8).reshape(4, 2)))
    run.backward(nd.ones((4, 2)))
    is_(run.aux_dict["bn_moving_mean"], [1.5, 2])
    is_(run.aux_dict["bn_moving_var"], [3, 3])


def test_module(tmp_path, caplog):
    mod, data = mx.mod.Module(mlp()), mx.io.NDArrayIter(X, Y, 8)
    assert (mod.data_names, mod.label_names, mod.output_names) == (["data"], ["softmax_label"], ["softmax_output"])
    with pytest.raises(RuntimeError, match="bind"):
        mod.init_params()
    mod.bind(data.provide_data, data.provide_label, inputs_need_grad=True)
    assert mod.output_shapes == [("softmax_output", (8, 3))]
    mod.init_params(mx.init.Xavier())
    mod.init_optimizer(optimizer="adam", optimizer_params={"learning_rate": 0.05})
    before = mod.score(data, "ce")[0][1]
    data.reset()
    for _ in range(30):
        for b in data:
            mod.forward_backward(b)
            mod.update()
        data.reset()
    assert mod.score(data, ["acc", "ce"])[1][1] < before * 0.95
    assert mod.get_input_grads()[0].shape == (8, 5)
    assert mod.predict(data).shape == (35, 3) and mod.predict(data, num_batch=2).shape == (16, 3)  # filling is taken off
    assert [(len(outs), number) for outs, number, _ in mod.iter_predict(data)] == [(1, i) for i in range(5)]
    mod.forward(batch(3), is_train=False)
    assert mod.get_outputs()[0].shape == (3, 3)
    prefix = str(tmp_path / "m")
    mod.save_checkpoint(prefix, 3, save_optimizer_states=True)
    assert sorted(os.listdir(tmp_path)) == ["m-0003.params", "m-0003.states", "m-symbol.json"]
    again = mx.mod.Module.load(prefix, 3, load_optimizer_states=True)
    again.bind(data.provide_data, data.provide_label)
    again.init_optimizer(optimizer="adam", optimizer_params={"learning_rate": 0.05})
    for m in (mod, again):
        m.forward_backward(batch())
        m.update()
    for k, v in mod.get_params()[0].items():
        is_(again.get_params()[0][k], v.asnumpy())
    _, arguments, states = mx.model.load_checkpoint(prefix, 3)
    assert sorted(arguments) == ["fc1_bias", "fc1_weight", "fc2_bias", "fc2_weight"] and states == {}
    mod.set_params({k: v * 0 for k, v in arguments.items()}, {})
    is_(mod.get_params()[0]["fc1_weight"], np.zeros((4, 5)))


def test_fit_and_callbacks(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    mod, seen = mx.mod.Module(mlp(), fixed_param_names=["fc1_bias"]), []
    mod.fit(mx.io.NDArrayIter(X, Y, 8), eval_data=mx.io.NDArrayIter(X, Y, 8), eval_metric=["acc", mx.metric.np(lambda label, pred: float(len(label)), "size")], num_epoch=2,
            initializer=mx.init.Normal(0.5), batch_end_callback=[mx.callback.Speedometer(8, 2), lambda p: seen.append((p.epoch, p.nbatch))],
            epoch_end_callback=mx.callback.do_checkpoint(str(tmp_path / "c")))
    assert seen == [(e, b) for e in range(2) for b in range(5)] and sorted(os.listdir(tmp_path)) == ["c-0001.params", "c-0002.params", "c-symbol.json"]
    text = caplog.text
    assert "Epoch[1] Train-accuracy=" in text and "Epoch[1] Validation-size=8.0" in text and "samples/sec" in text
    is_(mod.get_params()[0]["fc1_bias"], [0] * 4)


def test_buckets():
    def generate(key):
        embedded = sym.sum(sym.Embedding(sym.Variable("data"), input_dim=10, output_dim=4, name="emb"), axis=1)
        return sym.SoftmaxOutput(sym.FullyConnected(embedded, num_hidden=3, name="fc"), name="softmax"), ("data",), ("softmax_label",)
    mod = mx.mod.BucketingModule(generate, default_bucket_key=6)
    mod.bind([("data", (4, 6))], [("softmax_label", (4,))])
    mod.init_params(mx.init.One())
    mod.init_optimizer(optimizer_params={"learning_rate": 0.5})
    for k in (6, 3, 6, 4):
        mod.forward_backward(mx.io.DataBatch([nd.array(np.arange(4 * k).reshape(4, k) % 10)], [nd.array([0, 1, 2, 0])], bucket_key=k, provide_data=[("data", (4, k))],
                                             provide_label=[("softmax_label", (4,))]))
        mod.update()
    np.testing.assert_allclose(mod.get_params()[0]["emb_weight"].asnumpy()[:5, 0], [0.682, 0.682, 0.906, 0.813, 0.638], atol=1e-3)


def rows(**kwargs):
    data, found = mx.io.NDArrayIter(np.arange(35), np.arange(35) % 3, 8, **kwargs), []
    for _ in range(2):
        found.append([(int(b.data[0].asnumpy()[0]), int(b.data[0].asnumpy()[-1]), b.pad) for b in data])
        data.reset()
    return found


def test_iterators():
    assert rows() == [[(0, 7, 0), (8, 15, 0), (16, 23, 0), (24, 31, 0), (32, 4, 5)]] * 2
    assert rows(last_batch_handle="discard") == [[(0, 7, 0), (8, 15, 0), (16, 23, 0), (24, 31, 0)]] * 2
    assert rows(last_batch_handle="roll_over") == [[(0, 7, 0), (8, 15, 0), (16, 23, 0), (24, 31, 0)], [(32, 4, 3), (5, 12, 0), (13, 20, 0), (21, 28, 0)]]
    assert [d.name for d in mx.io.NDArrayIter({"a": X, "b": Y}, None, 7).provide_data] == ["a", "b"]
    assert [d.name for d in mx.io.NDArrayIter([X, Y], [Y, Y], 7).provide_label] == ["_0_softmax_label", "_1_softmax_label"]
    assert len(list(mx.io.ResizeIter(mx.io.NDArrayIter(X, Y, 8), 9))) == 9 and len(list(mx.io.PrefetchingIter(mx.io.NDArrayIter(X, Y, 8)))) == 5
    assert mx.io.NDArrayIter(X, Y, 8).provide_data[0].dtype == np.float32


def test_iterators_of_the_registry(tmp_path):
    with open(tmp_path / "x.csv", "w", encoding="utf-8") as f:
        f.write("\n".join("%d,%d" % (i, i * 2) for i in range(6)))
    data = mx.io.CSVIter(data_csv=str(tmp_path / "x.csv"), data_shape=(2,), batch_size=3)
    assert [b.data[0].asnumpy()[0].tolist() for b in data] == [[0, 0], [3, 6]] and data.provide_data[0].shape == (3, 2)
    data.reset()
    assert len(list(data)) == 2


def test_records(tmp_path):
    path, index = str(tmp_path / "r"), str(tmp_path / "i")
    with mx.recordio.MXRecordIO(path, "w") as out:
        for i in range(3):
            out.write(b"abc%d" % i)
    records = mx.recordio.MXRecordIO(path, "r")
    assert [records.read() for _ in range(4)] == [b"abc0", b"abc1", b"abc2", None]
    records.reset()
    assert records.read() == b"abc0"
    out = mx.recordio.MXIndexedRecordIO(index, path, "w")
    for i in range(3):
        out.write_idx(i, b"abc%d" % i)
    out.close()
    records = mx.recordio.MXIndexedRecordIO(index, path, "r")
    assert records.read_idx(2) == b"abc2" and records.read_idx(0) == b"abc0" and records.keys == [0, 1, 2]
    assert mx.recordio.pack(mx.recordio.IRHeader(0, 3.0, 7, 0), b"img").hex() == "000000000000404007000000000000000000000000000000696d67"
    header, body = mx.recordio.unpack(mx.recordio.pack(mx.recordio.IRHeader(0, [1, 2.0], 7, 0), b"img"))
    assert header.flag == 2 and header.label.tolist() == [1, 2] and header.id == 7 and body == b"img"
    dataset = mx.gluon.data.RecordFileDataset
    os.rename(index, str(tmp_path / "r.idx"))
    assert dataset(path)[1] == b"abc1"


def test_initializers():
    init, made = mx.init.Xavier(), {}
    for name in ("x_bias", "x_gamma", "x_beta", "x_moving_var"):
        made[name] = nd.full((3,), 9)
        init(mx.init.InitDesc(name), made[name])
    assert {k: v[0].asscalar() for k, v in made.items()} == {"x_bias": 0, "x_gamma": 1, "x_beta": 0, "x_moving_var": 1}
    with pytest.raises(ValueError, match="foo"):
        init("foo", nd.zeros((2, 2)))
    with pytest.raises(mx.MXNetError):
        init("w_weight", nd.zeros((2,)))
    mixed, w = mx.init.Mixed(["bias", ".*"], [mx.init.Zero(), mx.init.One()]), nd.zeros(2)
    mixed("fc_weight", w)
    is_(w, [1, 1])
    assert mx.init.create(mx.init.Constant(3.0).dumps()) == mx.init.Constant(3.0)
    mx.random.seed(3)
    first, second, third = nd.zeros((4, 4)), nd.zeros((4, 4)), nd.zeros((4, 4))
    init("a_weight", first)
    init("a_weight", second)
    mx.random.seed(3)
    init("a_weight", third)
    is_(third, first.asnumpy())
    assert not np.allclose(first.asnumpy(), second.asnumpy())


def test_metrics():
    m = mx.metric.Accuracy()
    m.update([nd.array([1, 0, 0])], [nd.array([[0.3, 0.7], [0.6, 0.4], [0.2, 0.8]])])
    m.reset_local()
    m.update([nd.array([1])], [nd.array([[0.3, 0.7]])])
    assert m.get() == ("accuracy", 1.0) and m.get_global() == ("accuracy", 0.75)
    rmse = mx.metric.create("rmse")  # the mean of each update's, as in MXNet
    rmse.update([nd.array([1, 2, 3])], [nd.array([1.5, 1.5, 3.5])])
    rmse.update([nd.array([[2], [0], [1]])], [nd.array([[1], [2], [3.5]])])
    assert rmse.get()[1] == pytest.approx(1.2182, abs=1e-4)
    both = mx.metric.create(["acc", "ce"])
    assert both.get()[0] == ["accuracy", "cross-entropy"]


def test_pictures_monitors_and_checks(capsys):
    mx.viz.print_summary(mlp(), {"data": (2, 5)})
    assert "fc1" in capsys.readouterr().out
    picture = mx.viz.plot_network(mlp(), shape={"data": (2, 5)})
    assert picture._repr_svg_().startswith("<svg") and "digraph" in picture.source
    mod = mx.mod.Module(mlp())
    mod.bind([("data", (8, 5))], [("softmax_label", (8,))])
    mod.init_params(mx.init.One())
    monitor = mx.mon.Monitor(1, pattern="fc1_.*")
    mod.install_monitor(monitor)
    monitor.tic()
    mod.forward(batch(), is_train=False)
    assert sorted(name for _, name, _ in monitor.toc()) == ["fc1_bias", "fc1_output", "fc1_weight"]
    check = mx.test_utils
    check.check_numeric_gradient(sym.tanh(sym.var("x") * sym.var("y")), [np.full((2, 3), 0.3), np.full((2, 3), 0.7)])
    check.check_symbolic_forward(sym.square(sym.var("x")), [np.array([2.0, 3.0])], [np.array([4.0, 9.0])])
    check.check_symbolic_backward(sym.square(sym.var("x")), [np.array([2.0, 3.0])], [np.array([1.0, 1.0])], [np.array([4.0, 6.0])])
    with pytest.raises(AssertionError):
        check.assert_almost_equal(np.ones(2), nd.ones(2) * 1.1)
    store = mx.kv.create("local")
    store.init("w", nd.ones(2))
    store.push("w", [nd.ones(2), nd.ones(2)])
    out = nd.zeros(2)
    store.pull("w", out)
    is_(out, [2, 2])
    with pytest.raises(mx.MXNetError, match="dist_sync"):  # this process belongs to no job
        mx.kv.create("dist_sync")
    with pytest.raises(NotImplementedError):
        mx.kv.create("nccl")
