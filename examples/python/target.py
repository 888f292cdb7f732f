# SPDX-License-Identifier: Apache-2.0
"""A tour: Gluon's vocabulary, scikit-learn's estimators, NumPy's indexing; typed, and no magic.

Reads mxnet-lenet-symbol.json and mxnet-lenet-0010.params, a model of MXNet's, from the folder it runs in, and writes lenet.flx there."""
import numpy as np
import flexor as fx
from flexor import autograd, nd, nn

# (a) an estimator: works in scikit-learn's pipelines and searches without importing scikit-learn ------------------------------------
x, y = fx.datasets.iris()                                    # (150, 4) float32, 150 names
train, test = fx.split(len(y), 0.7, seed=1)
mlp = nn.Sequential(nn.Standardize(), nn.Dense(16, activation="relu"), nn.Dense(8, activation="relu"), nn.Dense(3))
clf = fx.Classifier(mlp, epochs=60, optimizer=fx.Adam(0.01), seed=1).fit(x[train], y[train])
clf.predict(x[test]), clf.predict_proba(x[test]), clf.score(x[test], y[test])

lenet = nn.Sequential(
    nn.Conv2D(20, kernel_size=5, activation="tanh"), nn.MaxPool2D(2),
    nn.Conv2D(50, kernel_size=5, activation="tanh"), nn.MaxPool2D(2),
    nn.Flatten(), nn.Dense(500, activation="tanh"), nn.Dense(10))
images, labels = fx.datasets.digits()                        # (10000, 1, 28, 28) float32 in [0, 1], 10000 ints
clf = fx.Classifier(lenet, epochs=10, batch_size=64, optimizer=fx.Adam(1e-3), seed=1)
for event in clf.fit_iter(images[:8000], labels[:8000], validation=(images[8000:], labels[8000:])):
    if event.kind == "epoch":                                # a generator: callbacks, Ctrl-C and exceptions are just Python
        print(event)                                         # epoch 3/10  loss 0.0712  accuracy 0.978  valid.accuracy 0.981  1.9 s
        if event.valid.accuracy > 0.99:
            break

# (b) a training loop of one's own ------------------------------------------------------------------------------------------------------
lenet.initialize(fx.init.Xavier(), input_shape=(None, 1, 28, 28), seed=1)
loss_fn = nn.SoftmaxCrossEntropyLoss()
trainer = fx.Trainer(lenet.parameters(), fx.SGD(0.05, momentum=0.9))
lenet.hybridize()                                            # optional: same numbers, faster
for epoch in range(1, 4):
    total = nd.zeros(())
    for data, label in fx.data.DataLoader(images, labels, batch_size=64, shuffle=True, seed=epoch):
        with autograd.record():
            loss = loss_fn(lenet(data), label).mean()
        loss.backward()
        trainer.step()
        total += loss                                        # stays on the device: nothing waits
    print(f"epoch {epoch}  loss {total.item():.4f}")


# (c) a layer of one's own, and an operation with its own gradient ----------------------------------------------------------------------
class ScaleShift(nn.Layer):
    def parameters_for(self, input_shape):
        return {"scale": nn.Param(input_shape[1:], "ones"), "shift": nn.Param(input_shape[1:], "zeros")}

    def forward(self, x, scale, shift):                      # x is an NDArray, or a Symbol when traced
        return x * scale + shift


@autograd.operator                                           # NumPy in, NumPy out; runs on the thread that called
def clip01(x: np.ndarray) -> np.ndarray:
    return x.clip(0, 1)


@clip01.gradient
def _(dy, x, y):
    return dy * ((x > 0) & (x < 1))


# (d) saving: one file for every language; pickle and copy.deepcopy work -----------------------------------------------------------------
clf.save("lenet.flx")
same = fx.load("lenet.flx")
assert (same.predict(images[:5]) == clf.predict(images[:5])).all()
old = fx.load("mxnet-lenet-symbol.json", "mxnet-lenet-0010.params")

# (f) looking at it -------------------------------------------------------------------------------------------------------------------------
print(lenet.summary((None, 1, 28, 28)))                      # layer, output shape, parameters; totals; memory
clf.history.plot()                                           # matplotlib where there is one, a text plot where there is none
lenet.draw((None, 1, 28, 28))                                # SVG, shown inline in a notebook
a = nd.array(np.ones((2, 3)))
a.T @ a, a.asnumpy(), np.from_dlpack(a), a[0], a.shape, a.dtype, a.device
try:
    a @ a
except fx.ShapeError as e:                                   # also a ValueError
    print(e)
#> [dot] the inner lengths must agree: lhs is (2, 3) and rhs is (2, 3), so 3 meets 2. Transpose one of them?
