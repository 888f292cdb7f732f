# SPDX-License-Identifier: Apache-2.0
"""The tour's part (e): several workers, each with its share of the digits.

    flexor-launch -n 4 -s 2 python target.py [EPOCHS]"""
import sys

import flexor as fx
from flexor import nn

lenet = nn.Sequential(
    nn.Conv2D(20, kernel_size=5, activation="tanh"), nn.MaxPool2D(2),
    nn.Conv2D(50, kernel_size=5, activation="tanh"), nn.MaxPool2D(2),
    nn.Flatten(), nn.Dense(500, activation="tanh"), nn.Dense(10))
images, labels = fx.datasets.digits()
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10

with fx.Store("dist_sync") as store:
    part = store.shard(len(labels))
    clf = fx.Classifier(lenet, epochs=epochs, store=store).fit(images[part], labels[part])
    if store.rank == 0:
        clf.save("lenet.flx")
