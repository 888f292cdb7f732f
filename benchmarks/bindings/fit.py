# SPDX-License-Identifier: Apache-2.0
"""fit.py SAMPLES EPOCHS: the quick start's network by the estimator; a line `epoch` with the time of day after each. Ctrl-C: a line `stopped` with the time of day."""
import sys
import time

import flexor as fx
from flexor import nn

images, labels = fx.datasets.digits()
count = int(sys.argv[1])
net = nn.Sequential(nn.Conv2D(20, kernel_size=5), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2), nn.Conv2D(50, kernel_size=5), nn.BatchNorm(),
                    nn.Activation("relu"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(500, activation="relu"), nn.Dropout(0.5), nn.Dense(10))
clf = fx.Classifier(net, epochs=int(sys.argv[2]), batch_size=64, optimizer=fx.Adam(0.001), seed=1)
print("begin", time.time(), flush=True)
try:
    for event in clf.fit_iter(images[:count], labels[:count]):
        if event.kind == "epoch":
            print("epoch", time.time(), flush=True)
except KeyboardInterrupt:
    print("stopped", time.time(), flush=True)
    clf.predict(images[:2])
    print("usable", flush=True)
