# SPDX-License-Identifier: Apache-2.0
"""mx.gluon: names, shapes that are found, hybridizing, files, trainers, data. What is expected was seen under MXNet 1.9.1."""
import gc
import json

import numpy as np
import pytest

import flexor.mxnet as mx
from flexor.mxnet import autograd, gluon, nd
from flexor.mxnet.gluon import nn, rnn


def is_(array, values):
    np.testing.assert_allclose(array.asnumpy(), np.asarray(values, "float32"), 1e-4, 1e-5)


def fill(block):
    """Values by a formula; moving averages stay."""
    for k, (_, p) in enumerate(sorted(block.collect_params().items())):
        if p.grad_req != "null":
            p.set_data(nd.array(np.sin(np.arange(int(np.prod(p.shape))) * 0.37 + k).reshape(p.shape) * 0.3))


def two_layers():
    net = nn.HybridSequential(prefix="model_")
    with net.name_scope():
        net.add(nn.Dense(4, activation="relu"), nn.Dense(2, use_bias=False))
    return net


def test_names():
    net = two_layers()
    assert list(net.collect_params().keys()) == ["model_dense0_weight", "model_dense0_bias", "model_dense1_weight"]
    assert list(net.collect_params(".*weight").keys()) == ["model_dense0_weight", "model_dense1_weight"]
    assert sorted(net._collect_params_with_prefix()) == ["0.bias", "0.weight", "1.weight"]
    assert (net.prefix, net.name, net[0].name, len(net)) == ("model_", "model", "model_dense0", 2)

    class Own(nn.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.a, self.b = nn.Dense(2), nn.HybridSequential()
                self.b.add(nn.Dense(3))
                self.w = self.params.get("w", shape=(2,), init="ones")

        def hybrid_forward(self, F, x, w):
            return self.b(F.broadcast_mul(self.a(x), w))
    own = Own(prefix="bb_")
    assert sorted(own.collect_params().keys()) == ["bb_dense0_bias", "bb_dense0_weight", "bb_dense1_bias", "bb_dense1_weight", "bb_w"]
    assert sorted(own._collect_params_with_prefix()) == ["a.bias", "a.weight", "b.0.bias", "b.0.weight", "w"]
    own.initialize()
    assert own(nd.ones((2, 5))).shape == (2, 3) and own.a.weight.shape == (2, 5)
    assert own(mx.sym.var("data")).list_arguments()[0] == "data"


def test_shapes_are_found_at_the_first_run():
    net = two_layers()
    net.initialize(mx.init.One())
    assert net[0].weight.shape == (4, 0)
    with pytest.raises(gluon.DeferredInitializationError):
        net[0].weight.data()
    is_(net(nd.ones((2, 3))), [[12, 12]] * 2)
    assert net[0].weight.shape == (4, 3) and net[0].weight.data().shape == (4, 3)
    with pytest.raises(RuntimeError, match="not been initialized"):
        gluon.Parameter("w", shape=(2,)).data()
    with pytest.raises(ValueError, match="shape"):
        gluon.Parameter("w", shape=(0, 3)).initialize()


@pytest.mark.parametrize("hybrid", [False, True])
def test_F_is_arrays_or_symbols(hybrid):
    seen = set()

    class Layer(nn.HybridBlock):
        def __init__(self):
            super().__init__()
            self.w = self.params.get("w", shape=(0, 2), allow_deferred_init=True)

        def hybrid_forward(self, F, x, states, w):
            seen.add(F)
            return F.dot(x, F.transpose(w)) + 1, [s * 2 for s in states]
    layer = Layer()
    layer.w.shape = (3, 2)
    layer.initialize(mx.init.One())
    if hybrid:
        layer.hybridize()
    x = nd.ones((4, 2))
    x.attach_grad()
    with autograd.record():
        out, states = layer(x, [nd.ones(2), nd.ones(3)])
    out.backward()
    is_(out, np.full((4, 3), 3))
    is_(x.grad, np.full((4, 2), 3))
    is_(layer.w.grad(), np.full((3, 2), 4))
    is_(states[1], [2, 2, 2])
    assert seen == ({mx.sym} if hybrid else {mx.nd})


def test_hybrid_gives_the_same():
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.Conv2D(4, 3, padding=1, activation="relu"), nn.BatchNorm(), nn.AvgPool2D(), nn.Conv2DTranspose(3, 2, strides=2), nn.LayerNorm(), nn.PReLU(), nn.Swish(),
                nn.GELU(), nn.SELU(), nn.ELU(), nn.LeakyReLU(0.1), nn.InstanceNorm(), nn.GroupNorm(), nn.GlobalAvgPool2D(), nn.Flatten(), nn.Dense(5), nn.HybridLambda("tanh"))
    net.initialize()
    x = nd.array(np.sin(np.arange(2 * 3 * 8 * 8) * 0.11).reshape(2, 3, 8, 8))
    net(x)
    fill(net)
    results = []
    for hybrid in (False, True):
        net.hybridize(hybrid)
        with autograd.record():
            loss = (net(x) ** 2).sum()
        loss.backward()
        results.append([loss.asscalar()] + [p.grad().asnumpy().copy() for p in net.collect_params().values() if p.grad_req != "null"])
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, 1e-4, 1e-5)


@pytest.mark.parametrize("kind", ["foreach", "while", "cond"])
def test_loops_and_choices_hybridize(kind):
    class Layer(nn.HybridBlock):
        def __init__(self):
            super().__init__()
            self.w = self.params.get("w", shape=(2, 3), init="ones")

        def hybrid_forward(self, F, x, w):
            if kind == "foreach":
                out, states = F.contrib.foreach(lambda d, s: (d * 2 + s[0], [d + s[0]]), x, [F.sum(w, axis=0)])
                return F.broadcast_add(out, F.expand_dims(states[0], 0))
            if kind == "while":  # a variable begins as a value that the body reads as well
                _, states = F.contrib.while_loop(lambda i, a: F.sum(i) < 3, lambda i, a: ([a * w], [i + 1, a * w * 2]), [F.zeros((1,)), w], max_iterations=5)
                return states[1] * x
            return F.contrib.cond(F.sum(x) > 100, lambda: x * w, lambda: x * w * 2)
    layer = Layer()
    layer.initialize()
    x, results = nd.array(np.arange(6).reshape(2, 3)), []
    x.attach_grad()
    for hybrid in (False, True):
        layer.hybridize(hybrid)
        with autograd.record():
            out = layer(x)
            loss = (out * out).sum()
        loss.backward()
        results.append([out.asnumpy(), x.grad.asnumpy().copy(), layer.w.grad().asnumpy().copy()])
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, 1e-5)


def test_nothing_is_kept():
    def once(hybrid):
        net = two_layers()
        net.initialize()
        net.hybridize(hybrid)
        trainer = gluon.Trainer(net.collect_params(), "adam")
        for _ in range(2):
            with autograd.record():
                loss = gluon.loss.L2Loss()(net(nd.ones((3, 4))), nd.ones((3, 2)))
            loss.backward()
            trainer.step(3)
        mod = mx.mod.Module(mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3), name="softmax"))
        mod.fit(mx.io.NDArrayIter(np.ones((8, 3)), np.zeros(8), 4), num_epoch=1)

    def live():
        gc.collect()
        return [mx.base.f.flx_handle_live(kind) for kind in ("ndarray", "symbol", "graph", "params", "optimizer", "metric", "task")]
    counts = []
    for i in range(4):
        once(bool(i % 2))
        counts.append(live())
    assert counts[3] == counts[1]


def test_files(tmp_path):
    net, path = two_layers(), str(tmp_path / "net.params")
    net.initialize()
    net.hybridize()
    x = nd.array([[1, 2, 3]])
    want = net(x).asnumpy()
    net.save_parameters(path)
    assert sorted(nd.load(path)) == ["0.bias", "0.weight", "1.weight"]
    again = two_layers()
    again.load_parameters(path)
    is_(again(x), want)
    with pytest.raises(ValueError, match="not in"):
        nn.Dense(3).load_parameters(path)
    files = net.export(str(tmp_path / "e"), 7)
    assert files == (str(tmp_path / "e-symbol.json"), str(tmp_path / "e-0007.params"))
    assert sorted(nd.load(files[1])) == ["arg:model_dense0_bias", "arg:model_dense0_weight", "arg:model_dense1_weight"]
    with open(files[0], encoding="utf-8") as f:
        nodes = [(n["op"], n["name"]) for n in json.load(f)["nodes"]]
    assert nodes == [("null", "data"), ("null", "model_dense0_weight"), ("null", "model_dense0_bias"), ("FullyConnected", "model_dense0_fwd"),
                     ("Activation", "model_dense0_relu_fwd"), ("null", "model_dense1_weight"), ("FullyConnected", "model_dense1_fwd")]
    block = nn.SymbolBlock.imports(files[0], ["data"], files[1])
    is_(block(x), want)
    assert sorted(block.collect_params().keys()) == ["model_dense0_bias", "model_dense0_weight", "model_dense1_weight"]
    with autograd.record():
        loss = block(x).sum()
    loss.backward()
    assert block.collect_params()["model_dense1_weight"].grad().shape == (2, 4)
    with pytest.raises(RuntimeError, match="hybridize"):
        two_layers().export(path)


def test_trainer(tmp_path):
    net = nn.Dense(2, in_units=3)
    net.initialize(mx.init.One())
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1, "momentum": 0.9})

    def go(n):
        with autograd.record():
            loss = net(nd.ones((4, 3))).sum(axis=1)
        loss.backward()
        trainer.step(n)
    go(4)
    is_(net.weight.data(), np.full((2, 3), 0.9))  # gradients of 4 samples, divided by 4
    go(8)
    is_(net.weight.data(), np.full((2, 3), 0.9 - 0.09 - 0.05))
    with pytest.raises(UserWarning, match="renewed"):
        trainer.step(4)
    before = net.weight.data().asnumpy().copy()
    trainer.step(4, ignore_stale_grad=True)
    is_(net.weight.data(), before)
    trainer.set_learning_rate(0.5)
    assert trainer.learning_rate == 0.5
    trainer.save_states(str(tmp_path / "states"))
    trainer.load_states(str(tmp_path / "states"))
    go(4)
    is_(net.weight.data(), before + 0.9 * -0.14 - 0.5)
    net.weight.lr_mult, net.bias.grad_req = 0.0, "null"
    kept = net.weight.data().asnumpy().copy()
    for _ in range(40):  # the momentum fades
        go(4)
    assert np.abs(net.weight.data().asnumpy() - kept).max() < 7
    with pytest.raises(mx.MXNetError, match="dist_sync"):  # this process belongs to no job
        gluon.Trainer(net.collect_params(), "sgd", kvstore="dist_sync")


def test_an_optimizer_of_ones_own():
    @mx.optimizer.Optimizer.register
    class Mine(mx.optimizer.Optimizer):
        def create_state(self, index, weight):
            return nd.zeros(weight.shape)

        def update(self, index, weight, grad, state):
            self._update_count(index)
            state += grad * grad
            weight -= self._get_lr(index) * grad / (state.sqrt() + 1)
    net = nn.Dense(1, in_units=1, use_bias=False)
    net.initialize(mx.init.One())
    trainer = gluon.Trainer(net.collect_params(), "mine", {"learning_rate": 0.5})
    with autograd.record():
        loss = net(nd.ones((1, 1))) * 3
    loss.backward()
    trainer.step(1)
    is_(net.weight.data(), [[1 - 0.5 * 3 / 4]])
    assert trainer.optimizer.num_update == 1

    class Twice(mx.optimizer.SGD):
        def update(self, index, weight, grad, state):
            super().update(index, weight, grad * 2, state)
    trainer = gluon.Trainer(net.collect_params(), Twice(learning_rate=0.1))
    before = net.weight.data().asnumpy().copy()
    with autograd.record():
        loss = net(nd.ones((1, 1)))
    loss.backward()
    trainer.step(1)
    is_(net.weight.data(), before - 0.2)


@pytest.mark.parametrize("layer", [lambda: rnn.LSTM(4, 2, bidirectional=True), lambda: rnn.GRU(4, layout="NTC"), lambda: rnn.RNN(4)])
def test_recurrent_layers_are_their_cells(layer):
    net, x = layer(), nd.array(np.cos(np.arange(30) * 0.7).reshape(2, 5, 3))
    net.initialize()
    out = net(x)
    fill(net)
    plain = net(x).asnumpy()
    net.hybridize()
    is_(net(x), plain)
    with_states, states = net(x, net.begin_state(batch_size=x.shape[1 if net._layout == "TNC" else 0]))
    is_(with_states, plain)
    assert [s.shape for s in states] == [s["shape"][:1] + (x.shape[1 if net._layout == "TNC" else 0],) + s["shape"][2:] for s in net.state_info()]
    if net._mode == "gru":
        cell = rnn.GRUCell(4, prefix="l0_")
        cell.initialize()
        for k, p in net.collect_params().items():
            found = cell.collect_params()["l0_" + k.split("l0_")[1]]
            found.shape = p.shape
            found.set_data(p.data())
        is_(cell.unroll(5, x, layout="NTC", merge_outputs=True)[0], plain)
    assert out.shape == plain.shape


def test_cells():
    x = nd.array(np.cos(np.arange(30) * 0.7).reshape(2, 5, 3))
    stack = rnn.SequentialRNNCell()
    with stack.name_scope():
        stack.add(rnn.LSTMCell(4))
        stack.add(rnn.DropoutCell(0.5))
        stack.add(rnn.ResidualCell(rnn.GRUCell(4)))
    stack.initialize()
    stack.unroll(5, x, layout="NTC")
    fill(stack)
    out, states = stack.unroll(5, x, layout="NTC", merge_outputs=True)
    # sums seen under MXNet
    np.testing.assert_allclose([out.asnumpy().sum()] + [s.asnumpy().sum() for s in states], [-6.1157, 0.4068, 0.9978, -1.8838], atol=1e-3)
    both = rnn.BidirectionalCell(rnn.LSTMCell(4), rnn.GRUCell(4))
    both.initialize()
    both.unroll(5, x, layout="NTC")
    fill(both)
    out, _ = both.unroll(5, x, layout="NTC", merge_outputs=True, valid_length=nd.array([3, 5]))
    np.testing.assert_allclose(out.asnumpy().sum(), -3.1596, atol=1e-3)
    assert (out.asnumpy()[0, 3:] == 0).all()


def test_parameters():
    p = gluon.Parameter("w", shape=(2, 3), init="ones")
    p.initialize()
    is_(p.data(), np.ones((2, 3)))
    is_(p.grad(), np.zeros((2, 3)))
    assert p.list_ctx() == [mx.cpu()] and p.grad_req == "write"
    p.cast("float64")
    assert p.data().dtype is np.float64
    c = gluon.Constant("c", [[1, 2]])
    c.initialize()
    is_(c.data(), [[1, 2]])
    params = gluon.ParameterDict("net_")
    assert params.get("w", shape=(2, 2)) is params.get("w") and list(params.keys()) == ["net_w"]
    net = two_layers()
    net.collect_params().setattr("grad_req", "null")
    assert {p.grad_req for p in net.collect_params().values()} == {"null"}
    net.initialize()
    net(nd.ones((1, 2)))
    with pytest.raises(RuntimeError, match="null"):
        net[0].weight.grad()
    seen = []
    with net.register_forward_hook(lambda block, ins, out: seen.append(out.shape)):
        net(nd.ones((1, 2)))
    net(nd.ones((1, 2)))
    assert seen == [(1, 2)]


def test_summary(capsys):
    net = two_layers()
    net.initialize()
    net.summary(nd.ones((2, 3)))
    shown = capsys.readouterr().out
    assert "model_dense0 (Dense)" in shown and "Parameters in total: 24" in shown


def batches(**kwargs):
    data = gluon.data.ArrayDataset(np.arange(7, dtype="float32") * 2, np.arange(7))
    return [(x.asnumpy().tolist(), y.asnumpy().tolist(), x.dtype, y.dtype) for x, y in gluon.data.DataLoader(data, 3, **kwargs)]


def test_data():
    whole = [([0, 2, 4], [0, 1, 2], np.float32, np.int64), ([6, 8, 10], [3, 4, 5], np.float32, np.int64), ([12], [6], np.float32, np.int64)]
    assert batches() == whole and batches(last_batch="discard") == whole[:2] and batches(last_batch="rollover") == whole[:2]
    assert batches(num_workers=2) == whole and batches(num_workers=2, thread_pool=True) == whole
    numbers = gluon.data.SimpleDataset(list(range(10)))
    assert len(numbers.filter(lambda x: x % 2)) == 5 and len(numbers.shard(3, 0)) == 4 and numbers.transform(lambda x: x * 2)[4] == 8 and numbers.take(3)[2] == 2
    assert gluon.data.ArrayDataset([1, 2], [3, 4]).transform_first(lambda x: x + 10)[1] == (12, 4)
    assert list(gluon.data.BatchSampler(gluon.data.SequentialSampler(5), 2, "keep")) == [[0, 1], [2, 3], [4]]
    assert sorted(i for b in gluon.data.DataLoader(numbers, 4, shuffle=True) for i in b.asnumpy()) == list(range(10))
    with pytest.raises(ZeroDivisionError):
        list(gluon.data.DataLoader(numbers.transform(lambda x: x // 0), 2, num_workers=1))
    transforms = gluon.data.vision.transforms
    image = nd.array(np.arange(12).reshape(2, 2, 3), dtype="uint8")
    out = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.1, 0.2, 0.3))])(image)
    is_(out, (np.arange(12).reshape(2, 2, 3).transpose(2, 0, 1) / 255 - 0.5) / np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1))


def test_utils():
    a, b = nd.array([3.0]), nd.array([4.0])
    assert gluon.utils.clip_global_norm([a, b], 1.0) == pytest.approx(5)
    is_(a, [0.6])
    assert [p.shape for p in gluon.utils.split_data(nd.arange(6), 2)] == [(3,), (3,)]
