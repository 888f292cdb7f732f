# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits by several processes, each with its share of the scans.

    flexor-launch -n 4 -s 2 python digits.py [--epochs 5]       2 servers, 4 workers
    python digits.py --store local                              one process"""
import argparse

import numpy as np

import flexor as fx
from flexor import nn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--store", default="dist_sync", help="local, dist_sync, dist_async or dist_stale")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--update-on-store", action="store_true", help="the servers update the weights")
parser.add_argument("--save", help="worker 0 writes the weights to this file")
options = parser.parse_args()

net = nn.Sequential(nn.Conv2D(8, 5, activation="relu"), nn.MaxPool2D(2), nn.Conv2D(16, 5, activation="relu"), nn.MaxPool2D(2), nn.Flatten(),
                    nn.Dense(64, activation="relu"), nn.Dense(10))
images, labels = fx.datasets.digits()
with fx.Store(options.store) as store:
    part = store.shard(8000)
    clf = fx.Classifier(net, epochs=options.epochs, batch_size=64 // store.workers, optimizer=fx.Adam(0.002, schedule=fx.schedule.Cosine()), seed=1, store=store, update_on_store=options.update_on_store)
    for event in clf.fit_iter(images[:8000][part], labels[:8000][part]):
        if event.kind == "epoch" and store.rank == 0:
            print(event, flush=True)
    print(f"worker {store.rank} of {store.workers}: test accuracy {100 * clf.score(images[8000:], labels[8000:]):.2f} %", flush=True)
    if options.save and store.rank == 0:
        np.savez(options.save, **{name: a.asnumpy() for name, a in clf.network_.parameters().items()})
