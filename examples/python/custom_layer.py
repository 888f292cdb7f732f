# SPDX-License-Identifier: Apache-2.0
"""Layers of one's own: they run as Python does, and are fitted, saved and loaded like any other."""
import os
import tempfile

import flexor as fx
from flexor import nn


class ScaleShift(nn.Layer):
    """A factor and an offset for each feature."""

    def parameters_for(self, input_shape):
        return {"scale": nn.Param(input_shape[1:], "ones"), "shift": nn.Param(input_shape[1:], "zeros")}

    def forward(self, x, scale, shift):
        return x * scale + shift


class Gated(nn.Layer):
    """What one layer computes, as far as another lets it through."""

    def __init__(self, units):
        self.values, self.gates = nn.Dense(units), nn.Dense(units, activation="sigmoid")

    def forward(self, x):
        return self.values(x) * self.gates(x)


x, y = fx.datasets.iris()
net = nn.Sequential(ScaleShift(), Gated(16), nn.Dense(3))
print(net.summary((None, 4)))

clf = fx.Classifier(net, epochs=60, optimizer=fx.Adam(0.02), seed=1).fit(x, y)
print(f"accuracy {clf.score(x, y):.3f}")
print("parameters:", ", ".join(clf.network_.parameters()))

with tempfile.TemporaryDirectory() as folder:  # the file holds the graph: any language runs it, without these classes
    path = os.path.join(folder, "gated.flx")
    clf.save(path)
    assert (fx.load(path).predict(x) == clf.predict(x)).all()
