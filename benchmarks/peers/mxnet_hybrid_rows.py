# SPDX-License-Identifier: Apache-2.0
"""MXNet's side of hybrid_bench: `mxnet` imperative, `mxnet-hybrid` hybridized with static memory and shapes, `mxnet-subgraph` with its oneDNN subgraphs."""
import sys

import hybrid
import rows
from hybrid import BLOCKS, HEADS, UNITS, WORD_COUNT

rows.PEER = "mxnet"
if not hybrid.wanted_any(("mxnet", "mxnet-hybrid", "mxnet-subgraph")):
    sys.exit(0)
import numpy

for alias, kind in (("bool", bool), ("int", int), ("float", float), ("object", object)):  # names that NumPy no longer has and MXNet uses
    if alias not in numpy.__dict__:
        setattr(numpy, alias, kind)
import mxnet as mx
from mxnet import autograd, nd
from mxnet.gluon import HybridBlock, nn, rnn


class LanguageModel(HybridBlock):
    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.words = nn.Embedding(WORD_COUNT, UNITS)
            self.lstm = rnn.LSTM(UNITS, 2, input_size=UNITS)
            self.scores = nn.Dense(WORD_COUNT, flatten=False, in_units=UNITS)

    def hybrid_forward(self, F, x):
        return self.scores(self.lstm(self.words(x)))


def dense(out, units, **more):
    return nn.Dense(out, flatten=False, in_units=units, **more)


class Block(HybridBlock):
    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.norm1, self.norm2 = nn.LayerNorm(in_channels=UNITS), nn.LayerNorm(in_channels=UNITS)
            self.qkv, self.out = dense(3 * UNITS, UNITS), dense(UNITS, UNITS)
            self.up, self.down = dense(4 * UNITS, UNITS), dense(UNITS, 4 * UNITS)

    def hybrid_forward(self, F, x):
        # (batch, steps, 3 units) to (batch, 3 heads, steps, size), of which each third is (batch heads, steps, size)
        all_heads = F.transpose(F.reshape(self.qkv(self.norm1(x)), (0, 0, 3 * HEADS, -1)), (0, 2, 1, 3))
        third = lambda i: F.reshape(F.slice_axis(all_heads, axis=1, begin=i * HEADS, end=(i + 1) * HEADS), (-3, 0, 0))
        weights = F.softmax(F.batch_dot(third(0), third(1), transpose_b=True) * (UNITS // HEADS) ** -0.5)
        seen = F.reshape(F.batch_dot(weights, third(2)), (-4, -1, HEADS, 0, 0))
        x = x + self.out(F.reshape(F.transpose(seen, (0, 2, 1, 3)), (0, 0, -1)))
        return x + self.down(F.LeakyReLU(self.up(self.norm2(x)), act_type="gelu"))


def in_a_row(*blocks):
    net = nn.HybridSequential()
    net.add(*blocks)
    return net


NETWORKS = {
    "mlp": lambda: in_a_row(nn.Dense(128, activation="relu", in_units=784), nn.Dense(10, in_units=128)),
    "lenet": lambda: in_a_row(nn.Conv2D(20, 5, activation="tanh", in_channels=1), nn.MaxPool2D(2, 2), nn.Conv2D(50, 5, activation="tanh", in_channels=20), nn.MaxPool2D(2, 2),
                              nn.Flatten(), nn.Dense(500, activation="tanh", in_units=800), nn.Dense(10, in_units=500)),
    "resnet18": lambda: mx.gluon.model_zoo.vision.resnet18_v1(classes=10),
    "resnet50": mx.gluon.model_zoo.vision.resnet50_v1,
    "lstm": lambda: rnn.LSTM(UNITS, 1, input_size=UNITS),
    "lm": LanguageModel,
    "transformer": lambda: in_a_row(nn.Embedding(WORD_COUNT, UNITS), *[Block() for _ in range(BLOCKS)], dense(WORD_COUNT, UNITS)),
}


class Chain(HybridBlock):
    def hybrid_forward(self, F, x, one):
        return rows.chain(x, one)


class BigChain(HybridBlock):
    def hybrid_forward(self, F, x):
        return hybrid.big_chain(x, F.relu)


def made(network, hybridized):
    net = NETWORKS[network]()
    net.initialize(mx.init.Xavier())
    if hybridized:
        net.hybridize(static_alloc=True, static_shape=True)
    return net


def training(hybridized):
    def make(network, shape, classes, words):
        net, loss = made(network, hybridized), mx.gluon.loss.SoftmaxCrossEntropyLoss()
        if hybridized:
            loss.hybridize(static_alloc=True, static_shape=True)
        sgd = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.01, "momentum": 0.9}, kvstore=None)
        x = nd.array(hybrid.word_inputs(shape, classes)).reshape(shape) if words else nd.random.uniform(shape=shape)
        y = nd.array(hybrid.labels(shape, classes, words)).reshape(shape if words else shape[:1])
        def step():
            with autograd.record():
                out = loss(net(x), y)
            out.backward()
            sgd.step(shape[0])
        return step, nd.waitall
    return make


def chains():
    one, both = nd.ones((1,)), ((False, "mxnet"), (True, "mxnet-hybrid"))
    for hybridized, peer in both:
        def small():
            net = Chain()
            if hybridized:
                net.hybridize(static_alloc=True, static_shape=True)
            return lambda: net(one, one).wait_to_read()
        def big():
            net, x = BigChain(), nd.random.uniform(shape=(16 << 20,))
            if hybridized:
                net.hybridize(static_alloc=True, static_shape=True)
            return lambda: net(x).wait_to_read()
        rows.measure(hybrid.SMALL, small, peer=peer)
        rows.measure(hybrid.BIG, big, peer=peer)


def predictions():
    for name, (network, shape) in hybrid.PREDICTIONS.items():
        x = nd.random.uniform(shape=shape)
        for hybridized, peer in ((False, "mxnet"), (True, "mxnet-hybrid")):
            def plain():
                net = made(network, hybridized)
                return lambda: net(x).wait_to_read()
            rows.measure("Hybrid/" + name, plain, peer=peer)
        def subgraph():
            net = made(network, False)
            net(x).wait_to_read()
            net.optimize_for(x, backend="MKLDNN", static_alloc=True, static_shape=True)
            return lambda: net(x).wait_to_read()
        if network == "resnet50":
            rows.measure("Hybrid/" + name, subgraph, peer="mxnet-subgraph")


def main():
    if rows.part():
        mode, _, name = rows.part().partition(":")
        hybrid.train(name, "mxnet-hybrid" if mode == "hybrid" else "mxnet", training(mode == "hybrid"))
        return
    rows.note(f"mxnet {mx.__version__} from PyPI, NumPy {numpy.__version__}")
    chains()
    predictions()
    for name in hybrid.TRAININGS:
        for mode, peer in (("eager", "mxnet"), ("hybrid", "mxnet-hybrid")):
            if hybrid.wanted_training(name, peer):
                rows.in_own_process(f"{mode}:{name}")


main()
