# SPDX-License-Identifier: Apache-2.0
"""The networks of benchmarks/hybrid/models.h in PyTorch."""
import torch.nn.functional as F
from hybrid import BLOCKS, HEADS, RESNET18, RESNET50, UNITS, WORD_COUNT
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


def language_model(words, units):
    return nn.Sequential(nn.Embedding(words, units), FirstOutput(nn.LSTM(units, units, 2)), nn.Linear(units, words))


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
    "lm": lambda: language_model(WORD_COUNT, UNITS),
    "transformer": lambda: nn.Sequential(nn.Embedding(WORD_COUNT, UNITS), *[Block() for _ in range(BLOCKS)], nn.Linear(UNITS, WORD_COUNT)),
}
