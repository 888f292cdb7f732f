# SPDX-License-Identifier: Apache-2.0
"""PyTorch, from Python, as it comes: `torch` eager, `torch-compiled` by torch.compile."""
import os
import sys

os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(os.path.dirname(sys.executable), "..", "inductor"))
import logging

import rows
from rows import BIG, CONVOLUTIONS, PRODUCTS, SIDE, chain, measure

logging.disable(logging.WARNING)
import torch
import torch.nn.functional as F

rows.PEER = "torch"


def calls():
    a, b, out = torch.ones(1), torch.ones(1), torch.ones(1)
    x = torch.ones(1, requires_grad=True)
    measure("Add/1", lambda: lambda: a + b, cpu=True)
    measure("Add/1 into", lambda: lambda: torch.add(a, b, out=out), cpu=True)
    measure("Add/scalar", lambda: lambda: a + 2, cpu=True)
    measure("Add/1 recorded", lambda: lambda: x + b, cpu=True)
    measure("Array/create and free", lambda: lambda: torch.zeros(1), cpu=True)
    measure("Array/item", lambda: a.item, cpu=True)
    measure("Chain/10 forward", lambda: lambda: chain(a, b), cpu=True)
    def train():
        x.grad = None
        chain(x, b).backward()
    measure("Chain/10 forward and backward", lambda: train, cpu=True)


def kernels():
    r = torch.rand
    for n in PRODUCTS:
        measure(f"Sgemm/{n}", lambda: (lambda p, q: lambda: p @ q)(r(n, n), r(n, n)))
    for name, (n, c, k, side, size, stride, pad, groups) in CONVOLUTIONS.items():
        measure(f"Conv/{name}", lambda: (lambda x, w: lambda: F.conv2d(x, w, stride=stride, padding=pad, groups=groups))(r(n, c, side, side), r(k, c // groups, size, size)))
    def one(row, f, *shape):
        measure(row, lambda: (lambda x: lambda: f(x))(r(*shape)))
    one("Add/16M", lambda x: x + x, BIG)
    for op, f in (("relu", torch.relu), ("exp", torch.exp), ("tanh", torch.tanh), ("copy", torch.clone)):
        one(f"{op}/16M", f, BIG)
    for op, f in (("sum", torch.sum), ("max", torch.amax)):
        one(f"{op}/all", f, SIDE, SIDE)
        one(f"{op}/axis0", lambda x, f=f: f(x, 0), SIDE, SIDE)
        one(f"{op}/axis1", lambda x, f=f: f(x, 1), SIDE, SIDE)
    one("argmax/axis0", lambda x: x.argmax(0), SIDE, SIDE)
    one("argmax/axis1", lambda x: x.argmax(1), SIDE, SIDE)
    one("softmax/4096x1000", lambda x: torch.softmax(x, 1), 4096, 1000)
    one("log_softmax/4096x1000", lambda x: torch.log_softmax(x, 1), 4096, 1000)
    g, b = r(1024), r(1024)
    one("LayerNorm/4096x1024", lambda x: F.layer_norm(x, (1024,), g, b), 4096, 1024)
    one("InstanceNorm/16x64x56x56", F.instance_norm, 16, 64, 56, 56)
    one("GroupNorm/16x64x56x56", lambda x: F.group_norm(x, 8), 16, 64, 56, 56)
    one("L2Normalization/4096x1024", lambda x: F.normalize(x, dim=1), 4096, 1024)
    one("transpose/4096", lambda x: x.t().contiguous(), SIDE, SIDE)
    measure("normal/16M", lambda: lambda: torch.randn(BIG))
    measure("uniform/16M", lambda: lambda: torch.rand(BIG))


def lenet():
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 20, 5), nn.Tanh(), nn.MaxPool2d(2, 2), nn.Conv2d(20, 50, 5), nn.Tanh(), nn.MaxPool2d(2, 2), nn.Flatten(), nn.Linear(800, 500), nn.Tanh(),
                         nn.Linear(500, 10))


def step_of(compiled):
    net, x, y = lenet(), torch.rand(64, 1, 28, 28), torch.arange(64) % 10
    run = torch.compile(net) if compiled else net
    sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    def step():
        sgd.zero_grad(set_to_none=True)
        F.cross_entropy(run(x), y).backward()
        sgd.step()
    return step


def training(compiled):
    peer = "torch-compiled" if compiled else "torch"
    before = rows.memory("VmRSS")
    step = step_of(compiled)
    for _ in range(20 if rows.QUICK else 200):
        step()
    if rows.wanted("Memory/LeNet training", peer):
        rows.figure("Memory/LeNet training", rows.memory("VmHWM") - before, "B", peer)
    measure("LeNet/train", lambda: lambda: [step() for _ in range(4)], peer=peer)  # 4 steps, as lenet_bench.cc


def prediction():
    net = lenet().eval()
    for batch in (1, 64):
        x = torch.rand(batch, 1, 28, 28)
        measure(f"LeNet/predict {batch}", lambda: lambda: net(x))


def main():
    if rows.part() == "arrays":
        a = torch.ones(1)
        rows.held_arrays(lambda: a + a, lambda: None)
    elif rows.part() in ("eager", "compiled"):
        training(rows.part() == "compiled")
    else:
        rows.note(f"torch {torch.__version__} from PyPI without CUDA's libraries, {torch.get_num_threads()} threads")
        calls()
        with torch.inference_mode():
            kernels()
            prediction()
            x = torch.rand(8192)
            rows.overlap(lambda: torch.sort(x), lambda y: None, lambda: None)
        if rows.wanted("Memory/one-element array held"):
            rows.in_own_process("arrays")
        for mode, peer in (("eager", "torch"), ("compiled", "torch-compiled")):
            if rows.wanted("LeNet/train", peer) or rows.wanted("Memory/LeNet training", peer):
                rows.in_own_process(mode)
        rows.start_up("import torch; x = torch.ones(1); (x + x).item()")


main()
