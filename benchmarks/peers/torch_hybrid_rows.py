# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of hybrid_bench: `torch` eager, `torch-jit` traced, frozen and optimized for inference, `torch-compiled` by torch.compile."""
import logging
import os
import sys

os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(os.path.dirname(sys.executable), "..", "inductor"))
import hybrid
import rows
from hybrid import BLOCKS, HEADS, RESNET18, RESNET50, UNITS, WORD_COUNT

rows.PEER = "torch"
if not hybrid.wanted_any(("torch", "torch-jit", "torch-compiled")):
    sys.exit(0)
logging.disable(logging.WARNING)
import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, channels, mid, out, stride, deep):
        super().__init__()
        sizes = [(channels, mid, 1, 1), (mid, mid, 3, stride), (mid, out, 1, 1)] if deep else [(channels, out, 3, stride), (out, out, 3, 1)]
        body = []
        for s in sizes:
            body += conv(*s) + [nn.ReLU()]
        self.body = nn.Sequential(*body[:-1])
        self.side = nn.Sequential(*conv(channels, out, 1, stride)) if stride > 1 or channels != out else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.side(x))


def conv(channels, out, size, stride):
    return [nn.Conv2d(channels, out, size, stride, size // 2, bias=False), nn.BatchNorm2d(out)]


def resnet(counts, deep, classes):
    parts, channels = conv(3, 64, 7, 2) + [nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for stage, count in enumerate(counts):
        mid = 64 * 2 ** stage
        out = 4 * mid if deep else mid
        for i in range(count):
            parts.append(Residual(channels, mid, out, 2 if stage and i == 0 else 1, deep))
            channels = out
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class FirstOutput(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(UNITS), nn.LayerNorm(UNITS)
        self.qkv, self.out = nn.Linear(UNITS, 3 * UNITS), nn.Linear(UNITS, UNITS)
        self.up, self.down = nn.Linear(UNITS, 4 * UNITS), nn.Linear(4 * UNITS, UNITS)

    def forward(self, x):
        batch, steps, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, steps, 3, HEADS, UNITS // HEADS).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, steps, UNITS))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


NETWORKS = {
    "mlp": lambda: nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)),
    "lenet": lambda: nn.Sequential(nn.Conv2d(1, 20, 5), nn.Tanh(), nn.MaxPool2d(2, 2), nn.Conv2d(20, 50, 5), nn.Tanh(), nn.MaxPool2d(2, 2), nn.Flatten(), nn.Linear(800, 500),
                                   nn.Tanh(), nn.Linear(500, 10)),
    "resnet18": lambda: resnet(RESNET18, False, 10),
    "resnet50": lambda: resnet(RESNET50, True, 1000),
    "lstm": lambda: FirstOutput(nn.LSTM(UNITS, UNITS)),
    "lm": lambda: nn.Sequential(nn.Embedding(WORD_COUNT, UNITS), FirstOutput(nn.LSTM(UNITS, UNITS, 2)), nn.Linear(UNITS, WORD_COUNT)),
    "transformer": lambda: nn.Sequential(nn.Embedding(WORD_COUNT, UNITS), *[Block() for _ in range(BLOCKS)], nn.Linear(UNITS, WORD_COUNT)),
}


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
