# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's side of hybrid_bench, on models written here node by node: `ort` by run, `ort-bound` with input and output bound."""
import os
import sys

import hybrid
import rows

rows.PEER = "ort"
if not hybrid.wanted_any(("ort", "ort-bound")):
    sys.exit(0)
import numpy
import onnx
import onnxruntime
from onnx import helper, numpy_helper

THREADS = os.cpu_count()


class Graph:
    """Nodes one after the other: each method adds some and gives the name of their result."""

    def __init__(self):
        self.nodes, self.weights, self.random = [], [], numpy.random.RandomState(0)

    def add(self, kind, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(numpy.asarray(value, "float32"), name))
        return name

    def random_weight(self, *shape):
        return self.constant(self.random.randn(*shape) / numpy.sqrt(max(1, numpy.prod(shape[1:]))))

    def dense(self, x, features, units):
        return self.add("Gemm", x, self.random_weight(units, features), self.constant(numpy.zeros(units)), transB=1)

    def conv(self, x, channels, out, size, stride=1, pad=0, bias=False):
        return self.add("Conv", x, self.random_weight(out, channels, size, size), *([self.constant(numpy.zeros(out))] if bias else []), strides=[stride, stride], pads=[pad] * 4)

    def normed(self, x, channels, out, size, stride):
        one, zero = numpy.ones(out), numpy.zeros(out)
        return self.add("BatchNormalization", self.conv(x, channels, out, size, stride, size // 2), *[self.constant(v) for v in (one, zero, zero, one)])

    def session(self, inputs, result):
        nodes = self.nodes + [helper.make_node("Identity", [result], ["y"])]
        of = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        model = helper.make_model(helper.make_graph(nodes, "graph", [of(n, s) for n, s in inputs.items()], [of("y", None)], self.weights),
                                  opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = THREADS, 3
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def mlp(g):
    return g.dense(g.add("Relu", g.dense("x", 784, 128)), 128, 10)


def lenet(g):
    x = "x"
    for channels, out in ((1, 20), (20, 50)):
        x = g.add("MaxPool", g.add("Tanh", g.conv(x, channels, out, 5, bias=True)), kernel_shape=[2, 2], strides=[2, 2])
    return g.dense(g.add("Tanh", g.dense(g.add("Flatten", x), 800, 500)), 500, 10)


def lstm(g):
    n = hybrid.UNITS
    return g.add("LSTM", "x", g.random_weight(1, 4 * n, n), g.random_weight(1, 4 * n, n), g.random_weight(1, 8 * n), hidden_size=n)


def resnet50(g):
    x = g.add("Relu", g.normed("x", 3, 64, 7, 2))
    x = g.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, count in enumerate(hybrid.RESNET50):
        mid = 64 * 2 ** stage
        for i in range(count):
            stride = 2 if stage and i == 0 else 1
            y = g.add("Relu", g.normed(x, channels, mid, 1, 1))
            y = g.add("Relu", g.normed(y, mid, mid, 3, stride))
            y = g.normed(y, mid, 4 * mid, 1, 1)
            side = x if channels == 4 * mid else g.normed(x, channels, 4 * mid, 1, stride)
            x, channels = g.add("Relu", g.add("Add", y, side)), 4 * mid
    return g.dense(g.add("Flatten", g.add("GlobalAveragePool", x)), 2048, 1000)


def small_chain(g):
    x = "x"
    for i in range(10):
        x = g.add("Mul" if i % 2 else "Add", x, "one")
    return x


def big_chain(g):
    half = g.add("Sub", g.add("Mul", g.add("Add", g.add("Mul", "x", g.constant(2)), g.constant(1)), "x"), g.constant(0.5))
    return g.add("Mul", g.add("Relu", half), g.constant(0.1))


def measure(row, build, shapes, cpu=False):
    held = {}
    def start():
        if not held:
            g = Graph()
            held["session"] = g.session(shapes, build(g))
            held["inputs"] = {n: numpy.random.RandomState(0).rand(*s).astype("float32") for n, s in shapes.items()}
        return held["session"], held["inputs"]
    def plain():
        session, given = start()
        return lambda: session.run(None, given)
    def bound():
        session, given = start()
        binding = session.io_binding()
        for name, value in given.items():
            binding.bind_cpu_input(name, value)
        binding.bind_output("y", "cpu")
        return lambda: session.run_with_iobinding(binding)
    rows.measure(row, plain, cpu=cpu)
    rows.measure(row, bound, cpu=cpu, peer="ort-bound")


def main():
    rows.note(f"onnxruntime {onnxruntime.__version__} from PyPI, {THREADS} threads")
    measure(hybrid.SMALL, small_chain, {"x": (1,), "one": (1,)}, cpu=True)
    measure(hybrid.BIG, big_chain, {"x": (16 << 20,)})
    networks = {"mlp": mlp, "lenet": lenet, "lstm": lstm, "resnet50": resnet50}
    for name, (network, shape) in hybrid.PREDICTIONS.items():
        measure("Hybrid/" + name, networks[network], {"x": shape})


main()
