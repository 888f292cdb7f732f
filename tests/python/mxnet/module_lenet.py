# SPDX-License-Identifier: Apache-2.0
"""LeNet on handwritten digits, as a symbol that mx.mod.Module fits. Its first values come from a formula, so that every framework that runs it prints the same losses."""
import gzip
import os
import tempfile

import numpy as np

import mxnet as mx

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "examples", "data", "digits")


def read(name, skip):
    with gzip.open(os.path.join(DIGITS, name), "rb") as f:
        return np.frombuffer(f.read(), np.uint8, offset=skip)


@mx.init.register
class Waves(mx.init.Initializer):
    """Weights from a formula of the element's place."""

    def _init_weight(self, name, arr):
        n = int(np.prod(arr.shape))
        values = np.sin(np.arange(n, dtype="float64") * 0.73 + len(name)) / np.sqrt(np.prod(arr.shape[1:]))
        arr[:] = values.reshape(arr.shape)


def lenet():
    data = mx.sym.Variable("data")
    net = mx.sym.Convolution(data, kernel=(5, 5), num_filter=8, name="conv1")
    net = mx.sym.Activation(net, act_type="tanh")
    net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2))
    net = mx.sym.Convolution(data=net, kernel=(5, 5), num_filter=16, name="conv2")
    net = mx.sym.BatchNorm(net, fix_gamma=False, name="bn2")
    net = mx.sym.Activation(net, act_type="relu", name="relu2")
    net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2))
    net = mx.sym.FullyConnected(mx.sym.flatten(net), num_hidden=64, name="fc1")
    net = mx.sym.Activation(net, act_type="tanh")
    net = mx.sym.FullyConnected(net, num_hidden=10, name="fc2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def main():
    count, batch_size = 32 * 20, 32
    images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).astype("float32") / 255
    labels = read("train-labels-idx1-ubyte.gz", 8).astype("float32")
    train = mx.io.NDArrayIter(images[:count], labels[:count], batch_size, shuffle=False, label_name="softmax_label")
    # 80 samples are two batches and a half: the last one is padded
    valid = mx.io.NDArrayIter({"data": images[count:count + 80]}, {"softmax_label": labels[count:count + 80]}, batch_size)

    def report(param):
        for name, value in param.eval_metric.get_name_value():
            if name == "cross-entropy":
                print("epoch %d batch %d loss %.6f" % (param.epoch, param.nbatch, value))

    def at_end(epoch, symbol, arg_params, aux_params):
        print("epoch %d mean of fc1_bias %.6f, of the moving mean %.6f" % (epoch, arg_params["fc1_bias"].asnumpy().mean(), aux_params["bn2_moving_mean"].asnumpy().mean()))

    mod = mx.mod.Module(lenet(), data_names=("data",), label_names=("softmax_label",), context=mx.cpu())
    metric = mx.metric.CompositeEvalMetric([mx.metric.Accuracy(), mx.metric.CrossEntropy()])
    mod.fit(train, eval_data=valid, eval_metric=metric, optimizer="sgd", optimizer_params={"learning_rate": 0.05, "momentum": 0.9, "wd": 1e-3},
            initializer=Waves(), batch_end_callback=report, epoch_end_callback=at_end, num_epoch=2)
    for name, value in mod.score(valid, ["acc", "ce"]):
        print("score %s %.6f" % (name, value))
    probabilities = mod.predict(valid)
    print("predicted %s, first %.6f" % (probabilities.shape, probabilities[0].max().asscalar()))
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "lenet")
        mod.save_checkpoint(prefix, 2)
        again = mx.mod.Module.load(prefix, 2)
        again.bind(data_shapes=valid.provide_data, label_shapes=valid.provide_label, for_training=False)
        for name, value in again.score(valid, "ce"):
            print("saved %s %.6f" % (name, value))
        symbol, arg_params, aux_params = mx.model.load_checkpoint(prefix, 2)
        print("%d arguments, %d states: %s" % (len(arg_params), len(aux_params), " ".join(symbol.list_arguments())))


if __name__ == "__main__":
    main()
