# SPDX-License-Identifier: Apache-2.0
"""A model that MXNet saved years ago: loaded, used as it is, given a new head, and trained on.

    python load_mxnet_model.py PREFIX [EPOCH]

PREFIX-symbol.json and PREFIX-0000.params are MXNet's files of a small convolutional network for one channel of 10 x 10 (as tests/golden/files/models/lenet_bn_01). The scans of
digits are shrunk to that size."""
import sys

import flexor as fx
from flexor import nn

prefix, epoch = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0

# 1. Load: the graph and its parameters as one layer.
old = fx.load(f"{prefix}-symbol.json", f"{prefix}-{epoch:04}.params")
print(old.summary((None, 1, 10, 10)))

# 2. Classify, with the classes that it was trained for.
images, labels = fx.datasets.digits()
small = images[:, :, 4:24, 4:24].reshape(-1, 1, 10, 2, 10, 2).mean((3, 5))
print("what it says of four scans, class by class:\n", old(small[8000:8004]).asnumpy().round(3))

# 3. Fine-tune: its features, up to where they are flattened, and a new head of ten classes.
symbol = fx.sym.load(f"{prefix}-symbol.json")
features = nn.Symbol(symbol.get_internals()["flat_output"].tojson(), "data")
net = nn.Sequential(features, nn.Dense(10)).initialize(input_shape=(None, 1, 10, 10), seed=1)
net[0].parameters().copy_from(old.parameters(), strict=False)
clf = fx.Classifier(net, epochs=4, batch_size=64, optimizer=fx.Adam(0.005), seed=1)
for event in clf.fit_iter(small[:8000], labels[:8000], validation=(small[8000:], labels[8000:])):
    print(event)
