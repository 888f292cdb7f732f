# SPDX-License-Identifier: Apache-2.0
"""One worker of the job that job_test.py mixes: the irises' share, three epochs, no shuffling. The file has the weights' bytes. worker.R, worker.jl and Worker.scala do the same."""
import sys

import flexor as fx
from flexor import nn

x, y = fx.datasets.iris()
with fx.Store("dist_sync") as store:
    part = store.shard(len(y))
    net = nn.Sequential(nn.Dense(8, activation="tanh"), nn.Dense(3))
    clf = fx.Classifier(net, epochs=3, batch_size=10, optimizer=fx.SGD(0.1, momentum=0.9), seed=1, shuffle=False, store=store).fit(x[part], y[part])
    if store.rank == 0:
        with open(sys.argv[1], "wb") as file:
            for name, value in sorted(clf.network_.parameters().items()):
                file.write(name.encode() + value.asnumpy().tobytes())
