# SPDX-License-Identifier: Apache-2.0
"""A worker (or, if DMLC_ROLE says so, a server or the scheduler) of job_test.py's case `mxnet`: two workers, programs in MXNet's words. Alone, the same by one process gives what
the two must give together."""
import sys

import numpy as np

import flexor.mxnet as mx
from flexor.mxnet import autograd, gluon, nd

X = np.random.RandomState(1).standard_normal((64, 5)).astype(np.float32)
Y = (X @ np.array([1, -2, 0.5, 0, 1], np.float32))[:, None]


def store_words():
    kv = mx.kv.create("dist_sync")
    assert kv.type == "dist_sync" and kv.num_workers == 2
    kv.init(3, nd.ones((2, 3)) * (kv.rank + 5))  # rank 0's
    a = nd.zeros((2, 3))
    kv.pull(3, out=a)
    assert (a.asnumpy() == 5).all()
    kv.push(3, [nd.ones((2, 3)), nd.ones((2, 3)) * kv.rank])
    kv.pull(3, out=a)
    assert (a.asnumpy() == 3).all(), a
    kv.pushpull(3, a * 2, out=a)
    assert (a.asnumpy() == 12).all(), a
    kv.barrier()
    kv.set_optimizer(mx.optimizer.SGD(learning_rate=0.5))
    try:
        kv.save_optimizer_states("states")
    except NotImplementedError as e:
        assert "checkpoint" in str(e)
    else:
        raise AssertionError("states of the servers in one file")
    kv.push(3, nd.ones((2, 3)))
    kv.pull(3, out=a)
    assert (a.asnumpy() == 11).all(), a
    return kv.rank


def gluon_words(kind, rank, workers):
    mx.random.seed(7 + rank)  # the weights that all begin with are rank 0's
    net = gluon.nn.Dense(1, in_units=5, prefix="net_")
    net.initialize(mx.init.Normal(0.5))
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.05}, kvstore=kind)
    loss_fn = gluon.loss.L2Loss()
    for _ in range(20):
        x, y = nd.array(X[rank::workers]), nd.array(Y[rank::workers])
        with autograd.record():
            loss = loss_fn(net(x), y)
        loss.backward()
        trainer.step(len(X))
    return [net.weight.data().asnumpy(), net.bias.data().asnumpy()]


def module_words(kind, rank, workers):
    mx.random.seed(7 + rank)
    data = mx.sym.var("data")
    out = mx.sym.LinearRegressionOutput(mx.sym.FullyConnected(data, num_hidden=1, name="fc"), mx.sym.var("label"))
    mod = mx.mod.Module(out, label_names=["label"])
    batches = mx.io.NDArrayIter(X[rank::workers], Y[rank::workers], batch_size=8 // workers, label_name="label")
    mod.fit(batches, eval_metric="mse", kvstore=kind, optimizer="sgd", optimizer_params=(("learning_rate", 0.05), ("momentum", 0.9)), initializer=mx.init.Normal(0.5), num_epoch=3)
    return [a.asnumpy() for _, a in sorted(mod.get_params()[0].items())]


what = sys.argv[1]
if what in ("kv", "server", "scheduler"):  # the latter two end in create()
    store_words()
else:
    words = {"gluon": gluon_words, "module": module_words}[what]
    kv = mx.kv.create("dist_sync")
    found, alone = words(kv, kv.rank, kv.num_workers), words("local", 0, 1)
    for a, b in zip(found, alone):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    flat = nd.array(np.concatenate([a.ravel() for a in found]))
    kv.init("check", flat * 0)
    kv.pushpull("check", flat, out=flat)
    kept = np.concatenate([a.ravel() for a in found])
    assert (flat.asnumpy() == kept + kept).all(), "both have the same bits"
print("all is well", flush=True)
