# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of hybrid_bench: `torch` eager, `torch-jit` traced, frozen and optimized for inference, `torch-compiled` by torch.compile."""
import logging
import os
import sys

os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(os.path.dirname(sys.executable), "..", "inductor"))
import hybrid
import rows

rows.PEER = "torch"
if not hybrid.wanted_any(("torch", "torch-jit", "torch-compiled")):
    sys.exit(0)
logging.disable(logging.WARNING)
import torch
import torch.nn.functional as F
from torch_networks import NETWORKS


def training(compiled):
    def make(network, shape, classes, words):
        net = NETWORKS[network]()
        run = torch.compile(net) if compiled else net
        sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        x = torch.tensor(hybrid.word_inputs(shape, classes)).reshape(shape) if words else torch.rand(*shape)
        y = torch.tensor(hybrid.labels(shape, classes, words))
        def step():
            sgd.zero_grad(set_to_none=True)
            F.cross_entropy(run(x).reshape(-1, classes), y).backward()
            sgd.step()
        return step, lambda: None
    return make


def chains():
    x, one = torch.ones(1), torch.ones(1)
    with torch.no_grad():
        small = torch.compile(rows.chain)
        rows.measure(hybrid.SMALL, lambda: lambda: rows.chain(x, one), cpu=True)
        rows.measure(hybrid.SMALL, lambda: lambda: small(x, one), cpu=True, peer="torch-compiled")
        def big(compiled):
            x = torch.rand(16 << 20)
            f = lambda v: hybrid.big_chain(v, torch.relu)
            f = torch.compile(f) if compiled else f
            return lambda: f(x)
        rows.measure(hybrid.BIG, lambda: big(False))
        rows.measure(hybrid.BIG, lambda: big(True), peer="torch-compiled")


def predictions():
    for name, (network, shape) in hybrid.PREDICTIONS.items():
        x = torch.rand(*shape)
        def eager():
            net = NETWORKS[network]().eval()
            return lambda: net(x)
        def jit():
            net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(NETWORKS[network]().eval(), x)))
            for _ in range(3):
                net(x)
            return lambda: net(x)
        def compiled():
            net = torch.compile(NETWORKS[network]().eval())
            return lambda: net(x)
        with torch.inference_mode():
            rows.measure("Hybrid/" + name, eager)
        with torch.no_grad():
            rows.measure("Hybrid/" + name, jit, peer="torch-jit")
            rows.measure("Hybrid/" + name, compiled, peer="torch-compiled")


def main():
    if rows.part():
        mode, _, name = rows.part().partition(":")
        hybrid.train(name, "torch-compiled" if mode == "compiled" else "torch", training(mode == "compiled"))
        return
    rows.note(f"torch {torch.__version__} from PyPI without CUDA's libraries, {torch.get_num_threads()} threads")
    chains()
    predictions()
    for name in hybrid.TRAININGS:
        for mode, peer in (("eager", "torch"), ("compiled", "torch-compiled")):
            if hybrid.wanted_training(name, peer):
                rows.in_own_process(f"{mode}:{name}")


main()
