# SPDX-License-Identifier: Apache-2.0
"""Fisher's iris flowers by a small network: the shortest program there is."""
import flexor as fx
from flexor import nn

x, y = fx.datasets.iris()  # (150, 4) float32 in cm, 150 names
train, test = fx.split(len(y), 0.7, seed=1)

net = nn.Sequential(nn.Standardize(), nn.Dense(16, activation="relu"), nn.Dense(8, activation="relu"), nn.Dense(3))
clf = fx.Classifier(net, epochs=60, optimizer=fx.Adam(0.01), seed=1).fit(x[train], y[train])

print(clf.predict(x[test[:5]]))
print(f"accuracy {clf.score(x[test], y[test]):.3f}")
