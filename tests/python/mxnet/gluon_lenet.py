# SPDX-License-Identifier: Apache-2.0
"""LeNet on handwritten digits, in Gluon's words. Its first values come from a formula, so that every framework that runs it prints the same losses."""
import gzip
import os
import tempfile

import numpy as np

import mxnet as mx

autograd, gluon, nd, nn = mx.autograd, mx.gluon, mx.nd, mx.gluon.nn
DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "examples", "data", "digits")


def read(name, skip):
    with gzip.open(os.path.join(DIGITS, name), "rb") as f:
        return np.frombuffer(f.read(), np.uint8, offset=skip)


class LeNet(gluon.HybridBlock):
    def __init__(self, classes, **kwargs):
        super(LeNet, self).__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="features_")
            with self.features.name_scope():
                self.features.add(nn.Conv2D(8, kernel_size=5, activation="tanh"), nn.MaxPool2D(pool_size=2, strides=2))
                self.features.add(nn.Conv2D(16, kernel_size=5))
                self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2, 2), nn.Flatten())
                self.features.add(nn.Dense(64, activation="relu"))
            self.scale = self.params.get("scale", shape=(1,), init="ones")
            self.output = nn.Dense(classes)

    def hybrid_forward(self, F, x, scale):
        return self.output(F.broadcast_mul(self.features(x), scale))


def set_first_values(net):
    for k, (name, p) in enumerate(sorted(net.collect_params().items())):
        if name.endswith("weight"):
            n = int(np.prod(p.shape))
            fan = int(np.prod(p.shape[1:]))
            values = np.sin(np.arange(n, dtype="float64") * 0.73 + k) / np.sqrt(fan)
            p.set_data(nd.array(values.reshape(p.shape)))


def main():
    count, batch_size = 32 * 20, 32
    images = read("train-images-idx3-ubyte.gz", 16)[:count * 784].reshape(count, 1, 28, 28).astype("float32") / 255
    labels = read("train-labels-idx1-ubyte.gz", 8)[:count].astype("float32")
    net = LeNet(10, prefix="lenet_")
    net.initialize(mx.init.Xavier(), ctx=mx.cpu())
    net(nd.zeros((1, 1, 28, 28)))
    set_first_values(net)
    net.hybridize()
    loss_fn = gluon.loss.SoftmaxCrossEntropyLoss()
    schedule = mx.lr_scheduler.FactorScheduler(step=10, factor=0.5)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1, "momentum": 0.9, "wd": 1e-3, "lr_scheduler": schedule})
    data = gluon.data.DataLoader(gluon.data.ArrayDataset(images, labels), batch_size=batch_size, shuffle=False)
    metric = mx.metric.Accuracy()
    step = 0
    for epoch in range(2):
        metric.reset()
        for x, y in data:
            with autograd.record():
                out = net(x)
                loss = loss_fn(out, y)
            loss.backward()
            trainer.step(x.shape[0])
            metric.update([y], [out])
            step += 1
            print("step %d loss %.6f" % (step, loss.mean().asscalar()))
        print("epoch %d %s %.6f lr %.6f" % (epoch, *metric.get(), trainer.learning_rate))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "lenet.params")
        net.save_parameters(path)
        again = LeNet(10, prefix="lenet_")
        again.load_parameters(path, ctx=mx.cpu())
        x = nd.array(images[:64])
        print("saved loss %.6f" % loss_fn(again(x), nd.array(labels[:64])).mean().asscalar())
        net.export(os.path.join(folder, "exported"))
        symbol = gluon.SymbolBlock.imports(os.path.join(folder, "exported-symbol.json"), ["data"], os.path.join(folder, "exported-0000.params"))
        print("exported loss %.6f" % loss_fn(symbol(x), nd.array(labels[:64])).mean().asscalar())


if __name__ == "__main__":
    main()
