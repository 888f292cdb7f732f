# SPDX-License-Identifier: Apache-2.0
"""MXNet 1.9.1, from Python, as it comes: `mxnet` imperative, `mxnet-hybrid` hybridized. It is asynchronous, so every row waits for its results."""
import numpy

import rows
from rows import BIG, CONVOLUTIONS, PRODUCTS, SIDE, chain, measure

for alias, kind in (("bool", bool), ("int", int), ("float", float), ("object", object)):  # names that NumPy no longer has and MXNet uses
    if alias not in numpy.__dict__:
        setattr(numpy, alias, kind)
import mxnet as mx
from mxnet import autograd, nd

rows.PEER = "mxnet"


def calls():
    a, b, x = nd.ones((1,)), nd.ones((1,)), nd.ones((1,))
    x.attach_grad()
    measure("Add/1", lambda: lambda: a + b, nd.waitall)
    measure("Add/scalar", lambda: lambda: a + 2, nd.waitall)
    def recorded():
        with autograd.record():
            return x + b
    measure("Add/1 recorded", lambda: recorded, nd.waitall)
    measure("Array/create and free", lambda: lambda: nd.zeros((1,)), nd.waitall)
    measure("Array/item", lambda: a.asscalar)
    measure("Chain/10 forward", lambda: lambda: chain(a, b).wait_to_read())
    def train():
        with autograd.record():
            y = chain(x, b)
        y.backward()
        x.grad.wait_to_read()
    measure("Chain/10 forward and backward", lambda: train)


def kernels():
    r = lambda *shape: nd.random.uniform(shape=shape)
    def row(name, f, *shapes):
        def make():
            held = [r(*s) for s in shapes]
            nd.waitall()
            return lambda: f(*held).wait_to_read()
        measure(name, make)
    for n in PRODUCTS:
        row(f"Sgemm/{n}", nd.dot, (n, n), (n, n))
    for name, (n, c, k, side, size, stride, pad, groups) in CONVOLUTIONS.items():
        row(f"Conv/{name}", lambda x, w: nd.Convolution(x, w, no_bias=True, kernel=(size, size), stride=(stride, stride), pad=(pad, pad), num_filter=k, num_group=groups),
            (n, c, side, side), (k, c // groups, size, size))
    row("Add/16M", nd.broadcast_add, (BIG,), (BIG,))
    for op, f in (("relu", nd.relu), ("exp", nd.exp), ("tanh", nd.tanh), ("copy", lambda x: x.copy())):
        row(f"{op}/16M", f, (BIG,))
    for op in ("sum", "max", "argmax"):
        f = getattr(nd, op)
        if op != "argmax":
            row(f"{op}/all", f, (SIDE, SIDE))
        row(f"{op}/axis0", lambda x: f(x, axis=0), (SIDE, SIDE))
        row(f"{op}/axis1", lambda x: f(x, axis=1), (SIDE, SIDE))
    row("softmax/4096x1000", nd.softmax, (4096, 1000))
    row("log_softmax/4096x1000", nd.log_softmax, (4096, 1000))
    row("LayerNorm/4096x1024", nd.LayerNorm, (4096, 1024), (1024,), (1024,))
    row("InstanceNorm/16x64x56x56", nd.InstanceNorm, (16, 64, 56, 56), (64,), (64,))
    row("GroupNorm/16x64x56x56", lambda x, g, b: nd.GroupNorm(x, g, b, num_groups=8), (16, 64, 56, 56), (8,), (8,))
    row("L2Normalization/4096x1024", nd.L2Normalization, (4096, 1024))
    row("transpose/4096", nd.transpose, (SIDE, SIDE))
    measure("normal/16M", lambda: lambda: nd.random.normal(shape=(BIG,)).wait_to_read())
    measure("uniform/16M", lambda: lambda: nd.random.uniform(shape=(BIG,)).wait_to_read())


def lenet(hybrid):
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    net.add(nn.Conv2D(20, 5, activation="tanh", in_channels=1), nn.MaxPool2D(2, 2), nn.Conv2D(50, 5, activation="tanh", in_channels=20), nn.MaxPool2D(2, 2), nn.Flatten(),
            nn.Dense(500, activation="tanh", in_units=800), nn.Dense(10, in_units=500))
    net.initialize(mx.init.Xavier())
    if hybrid:
        net.hybridize(static_alloc=True, static_shape=True)
    return net


def training(hybrid):
    peer = "mxnet-hybrid" if hybrid else "mxnet"
    before = rows.memory("VmRSS")
    net, loss = lenet(hybrid), mx.gluon.loss.SoftmaxCrossEntropyLoss()
    if hybrid:
        loss.hybridize(static_alloc=True, static_shape=True)
    sgd = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01, "momentum": 0.9}, kvstore=None)
    x, y = nd.random.uniform(shape=(64, 1, 28, 28)), nd.array(numpy.arange(64) % 10)
    def step():
        with autograd.record():
            out = loss(net(x), y)
        out.backward()
        sgd.step(64)
    for _ in range(20 if rows.QUICK else 200):
        step()
    nd.waitall()
    if rows.wanted("Memory/LeNet training", peer):
        rows.figure("Memory/LeNet training", rows.memory("VmHWM") - before, "B", peer)
    def four():  # as lenet_bench.cc
        for _ in range(4):
            step()
        nd.waitall()
    measure("LeNet/train", lambda: four, peer=peer)


def prediction():
    for hybrid in (False, True):
        net = lenet(hybrid)
        for batch in (1, 64):
            x = nd.random.uniform(shape=(batch, 1, 28, 28))
            measure(f"LeNet/predict {batch}", lambda: lambda: net(x).wait_to_read(), peer="mxnet-hybrid" if hybrid else "mxnet")


def main():
    if rows.part() == "arrays":
        a = nd.ones((1,))
        rows.held_arrays(lambda: a + a, nd.waitall)
    elif rows.part() in ("eager", "hybrid"):
        training(rows.part() == "hybrid")
    else:
        rows.note(f"mxnet {mx.__version__} from PyPI, NumPy {numpy.__version__}")
        calls()
        kernels()
        prediction()
        x = nd.random.uniform(shape=(8192,))
        rows.overlap(lambda: nd.sort(x), lambda y: y.wait_to_read(), nd.waitall)
        if rows.wanted("Memory/one-element array held"):
            rows.in_own_process("arrays")
        for mode, peer in (("eager", "mxnet"), ("hybrid", "mxnet-hybrid")):
            if rows.wanted("LeNet/train", peer) or rows.wanted("Memory/LeNet training", peer):
                rows.in_own_process(mode)
        rows.start_up("import numpy; numpy.bool = bool; import mxnet as mx; x = mx.nd.ones((1,)); (x + x).asscalar()")


main()
