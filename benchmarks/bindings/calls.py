# SPDX-License-Identifier: Apache-2.0
"""What a call costs from Python: the same loops in Flexor, NumPy, PyTorch and MXNet. calls.py --full|--quick FILTER; BENCH_PEER is flexor,
torch or mxnet. Prints a line of JSON for a figure (rows.py)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers"))
import rows  # noqa: E402

ADD, SCALAR, CHAIN, READ = "Python/add of one element", "Python/add of a number", "Python/ten small operators forward and backward", "Python/array from NumPy and back, one element"


def training(autograd, x, b):
    """A call that makes the chain's gradient, in Flexor or MXNet."""
    x.attach_grad()

    def train():
        with autograd.record():
            y = rows.chain(x, b)
        y.backward()
        x.grad.wait_to_read()
    return train


def flexor():
    import numpy as np

    import flexor as fx
    from flexor import autograd, nd
    a, b, x, one = nd.ones((1,)), nd.ones((1,)), nd.ones((1,)), np.ones(1, np.float32)
    rows.measure(ADD, lambda: lambda: a + b, fx.waitall)
    rows.measure(SCALAR, lambda: lambda: a + 2, fx.waitall)
    rows.measure(CHAIN, lambda: training(autograd, x, b))
    rows.measure(READ, lambda: lambda: nd.array(one).asnumpy())
    u = np.ones(1)
    rows.measure(ADD, lambda: lambda: u + u, peer="numpy")
    rows.measure(SCALAR, lambda: lambda: u + 2, peer="numpy")


def torch():
    import numpy as np
    import torch as t
    t.set_num_threads(2)
    a, b, x, one = t.ones(1), t.ones(1), t.ones(1, requires_grad=True), np.ones(1, np.float32)

    def train():
        x.grad = None
        rows.chain(x, b).backward()

    rows.measure(ADD, lambda: lambda: a + b)
    rows.measure(SCALAR, lambda: lambda: a + 2)
    rows.measure(CHAIN, lambda: train)
    rows.measure(READ, lambda: lambda: t.tensor(one).numpy())


def mxnet():
    import numpy as np
    for alias, kind in (("bool", bool), ("int", int), ("float", float), ("object", object)):  # names that NumPy no longer has and MXNet uses
        if alias not in np.__dict__:
            setattr(np, alias, kind)
    from mxnet import autograd, nd
    a, b, x, one = nd.ones((1,)), nd.ones((1,)), nd.ones((1,)), np.ones(1, np.float32)
    rows.measure(ADD, lambda: lambda: a + b, nd.waitall)
    rows.measure(SCALAR, lambda: lambda: a + 2, nd.waitall)
    rows.measure(CHAIN, lambda: training(autograd, x, b))
    rows.measure(READ, lambda: lambda: nd.array(one).asnumpy())


rows.PEER = os.environ["BENCH_PEER"]
{"flexor": flexor, "torch": torch, "mxnet": mxnet}[rows.PEER]()
