# SPDX-License-Identifier: Apache-2.0
"""mx.context: arrays, Gluon and Module on a device that is no CPU (the emulated one of tests/device), and what a device that is not there says."""
import os

import numpy as np
import pytest

import flexor.mxnet as mx
from flexor import config
from flexor.mxnet import autograd, gluon, nd

MODULE = os.path.join(os.environ.get("FLEXOR_TEST_BUILD", ""), "tests", "device", "libflx_emulated_device.so")
pytestmark = pytest.mark.skipif(not os.path.exists(MODULE), reason="the emulated device is not built (target flx_emulated_device)")


@pytest.fixture(scope="module", autouse=True)
def ctx():
    config.set("FLEXOR_TEST_DEVICE", MODULE)
    return mx.Context("emu", 0)


def test_contexts(ctx):
    assert repr(ctx) == "emu(0)" and ctx == mx.Context(ctx) and ctx != mx.Context("emu", 1) and ctx.device_type == "emu" and ctx.text == "emu(0)"
    assert repr(mx.gpu(2)) == "gpu(2)" and mx.gpu().device_typeid == 2 and mx.cpu_pinned().text == mx.cpu(3).text == "cpu(0)"
    assert mx.context.num_gpus() == mx.num_gpus() >= 0 and mx.context.current_context() == mx.cpu()
    with pytest.raises(ValueError, match="toaster"):
        mx.Context("toaster")


def test_a_gpu_that_is_not_there():
    there = mx.num_gpus()
    for make in (lambda c: nd.zeros(2, c), lambda c: nd.array([1], c), lambda c: nd.random.uniform(shape=(2,), ctx=c), lambda c: nd.arange(3, ctx=c), lambda c: nd.ones(2).as_in_context(c),
                 lambda c: gluon.nn.Dense(2, in_units=2).initialize(ctx=c), lambda c: mx.gpu_memory_info(there)):
        with pytest.raises(mx.MXNetError, match=r"gpu\(%d\)" % there):
            make(mx.gpu(there))
    with pytest.raises(mx.MXNetError, match=r"gpu\(%d\)" % there):
        with mx.gpu(there):
            nd.ones(3)
    assert mx.current_context() == mx.cpu() and nd.ones(3).context == mx.cpu()


def test_arrays(ctx):
    made = [nd.array([1, 2, 3], ctx), nd.zeros((2, 2), ctx), nd.ones(3, ctx=ctx, dtype="float16"), nd.full((2,), 4, ctx), nd.arange(4, ctx=ctx), nd.eye(2, ctx=ctx), nd.linspace(0, 1, 3, ctx=ctx),
            nd.random.uniform(shape=(3,), ctx=ctx), nd.random.normal(0, 1, (2, 2), ctx=ctx), nd.random.randint(0, 5, (3,), ctx=ctx), nd.random.gamma(2, 1, (2,), ctx=ctx), nd.empty(2, ctx)]
    assert [x.context for x in made] == [ctx] * len(made) and "@emu(0)>" in repr(made[0])
    with ctx:
        assert mx.current_context() == ctx
        made = [nd.array([1]), nd.zeros(2), nd.random.uniform(shape=2), nd.arange(3), nd.random_normal(shape=(2,))]
        with mx.cpu():
            assert nd.ones(1).context == mx.cpu()
        assert [x.context for x in made] == [ctx] * len(made)
    mx.random.seed(5)
    here = nd.random.uniform(shape=(4,)).asnumpy()
    mx.random.seed(5)
    assert np.allclose(here, nd.random.uniform(shape=(4,), ctx=ctx).asnumpy(), atol=1e-6)
    x = nd.array([[1, 2], [3, 4]], ctx)
    results = [x + 1, x * np.ones((2, 2), "float32"), x[0], x[nd.array([1], ctx)], x.T, x.copy(), x.as_in_context(ctx), x.detach(), nd.dot(x, x), nd.random.normal_like(data=x)]
    assert [r.context for r in results] == [ctx] * len(results)
    other = x.as_in_context(mx.Context("emu", 1))
    assert other.context == mx.Context("emu", 1) and x.copyto(mx.cpu()).context == mx.cpu() and np.array_equal(other.asnumpy(), x.asnumpy())
    x[:] = np.zeros((2, 2))
    x += np.ones((2, 2), "float32")
    x[0] = nd.array([7, 8], ctx)
    nd.waitall()
    assert x.asnumpy().tolist() == [[7, 8], [1, 1]] and x.context == ctx
    with pytest.raises(mx.MXNetError, match=r"on emu\(0\), given input 1 on cpu\(0\)"):
        x + nd.ones((2, 2))


def gluon_losses(ctx, hybridize):
    mx.random.seed(1)
    net = gluon.nn.HybridSequential(prefix="net_")  # first values depend on names
    with net.name_scope():
        net.add(gluon.nn.Dense(8, activation="tanh"), gluon.nn.BatchNorm(), gluon.nn.Dense(3))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    if hybridize:
        net.hybridize()
    random = np.random.default_rng(0)
    x, y = nd.array(random.standard_normal((6, 4)), ctx), nd.array([0, 1, 2, 0, 1, 2], ctx)
    trainer, loss = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.05}), gluon.loss.SoftmaxCrossEntropyLoss()
    out = []
    for _ in range(3):
        with autograd.record():
            value = loss(net(x), y)
        value.backward()
        trainer.step(6)
        out.append(float(value.mean().asscalar()))
    return net, out


@pytest.mark.parametrize("hybridize", [False, True])
def test_gluon(ctx, hybridize, tmp_path):
    net, losses = gluon_losses(ctx, hybridize)
    assert np.allclose(losses, gluon_losses(mx.cpu(), hybridize)[1], atol=1e-4) and losses[-1] < losses[0]
    assert net.collect_params().list_ctx() == [ctx] and net[0].weight.grad().context == ctx
    x = nd.ones((2, 4))
    there = net(x.as_in_context(ctx)).asnumpy()
    net.save_parameters(str(tmp_path / "net.params"))
    net.collect_params().reset_ctx(mx.cpu())
    assert net.collect_params().list_ctx() == [mx.cpu()] and np.allclose(net(x).asnumpy(), there, atol=1e-5)
    again = gluon.nn.HybridSequential()
    again.add(gluon.nn.Dense(8, activation="tanh"), gluon.nn.BatchNorm(), gluon.nn.Dense(3))
    again.load_parameters(str(tmp_path / "net.params"), ctx=ctx)
    assert again[2].bias.data().context == ctx and np.allclose(again(x.as_in_context(ctx)).asnumpy(), there, atol=1e-5)
    cell = gluon.rnn.LSTM(3)
    cell.initialize(ctx=ctx)
    assert cell(nd.ones((2, 1, 4), ctx)).context == ctx
    parts = gluon.utils.split_and_load(np.ones((4, 2)), [ctx, mx.Context("emu", 1)])
    assert [p.context.text for p in parts] == ["emu(0)", "emu(1)"]


def module_scores(ctx):
    mx.random.seed(2)
    random = np.random.default_rng(1)
    x = random.standard_normal((64, 4)).astype("float32")
    y = x[:, :3].argmax(1).astype("float32")
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    mod = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"), context=ctx)
    mod.fit(mx.io.NDArrayIter(x, y, 16), num_epoch=2, optimizer_params={"learning_rate": 0.5}, initializer=mx.init.Xavier())
    score = mod.score(mx.io.NDArrayIter(x, y, 16), "acc")[0][1]
    assert mod._exec.arg_dict["fc_weight"].context == (ctx or mx.current_context()) and mod.predict(mx.io.NDArrayIter(x, None, 16)).shape == (64, 3)
    return score, mod.get_params()[0]["fc_weight"].asnumpy()


def test_module(ctx):
    here, there = module_scores(mx.cpu()), module_scores(ctx)
    assert here[0] > 0.6 and abs(here[0] - there[0]) < 0.1 and np.allclose(here[1], there[1], atol=1e-4)
    with ctx:
        assert np.allclose(module_scores(None)[1], there[1], atol=1e-4)
