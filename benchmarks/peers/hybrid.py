# SPDX-License-Identifier: Apache-2.0
"""What the peers' scripts of hybrid_bench share: its rows, as benchmarks/hybrid/models.h has them, and how a training is timed."""
import rows

# name: network, shape of the input
PREDICTIONS = {"MLP, batch 1": ("mlp", (1, 784)), "LeNet, batch 1": ("lenet", (1, 1, 28, 28)), "LSTM, batch 1": ("lstm", (50, 1, 256)), "LSTM, batch 32": ("lstm", (50, 32, 256)),
               "ResNet-50, batch 1": ("resnet50", (1, 3, 224, 224)), "ResNet-50, batch 8": ("resnet50", (8, 3, 224, 224))}
# name: network, shape of the input, classes; words have a label each, images one
TRAININGS = {"MLP": ("mlp", (64, 784), 10), "LeNet": ("lenet", (64, 1, 28, 28), 10), "ResNet-18": ("resnet18", (16, 3, 64, 64), 10),
             "LSTM language model": ("lm", (35, 32), 2000), "transformer": ("transformer", (8, 128), 2000)}
WORDS = ("lm", "transformer")
UNITS, WORD_COUNT, HEADS, BLOCKS = 256, 2000, 4, 4
RESNET18, RESNET50 = (2, 2, 2, 2), (3, 4, 6, 3)
SMALL, BIG = "Hybrid/ten small operators", "Hybrid/six operators on 16 M"


def big_chain(x, relu):
    return relu((x * 2 + 1) * x - 0.5) * 0.1


def size_of(shape):
    size = 1
    for n in shape:
        size *= n
    return size


def labels(shape, classes, words):
    """One after the other, to be put into `shape` if words have a label each."""
    return [i * 31 % classes for i in range(size_of(shape) if words else shape[0])]


def word_inputs(shape, classes):
    return [i * 7919 % classes for i in range(size_of(shape))]


def wanted_training(name, peer):
    return rows.wanted("Hybrid/train " + name, peer) or rows.wanted("Hybrid memory/train " + name, peer)


def wanted_any(peers):
    """Whether any row of these peers is asked for: else a script ends before it imports a framework."""
    names = [SMALL, BIG] + ["Hybrid/" + p for p in PREDICTIONS]
    return any(rows.wanted(n, p) for n in names for p in peers) or any(wanted_training(t, p) for t in TRAININGS for p in peers)


def train(name, peer, make):
    """make(network, shape, classes, words) gives (step, sync). Memory is that above now: import first."""
    before = rows.memory("VmRSS")
    network, shape, classes = TRAININGS[name]
    words = network in WORDS
    step, sync = make(network, shape, classes, words)
    for _ in range(4 if rows.QUICK else 20):
        step()
    sync()
    if rows.wanted("Hybrid memory/train " + name, peer):
        rows.figure("Hybrid memory/train " + name, rows.memory("VmHWM") - before, "B", peer)
    count = 1 if words else 4  # as hybrid_bench.cc
    def steps():
        for _ in range(count):
            step()
        sync()
    rows.measure("Hybrid/train " + name, lambda: steps, peer=peer)
