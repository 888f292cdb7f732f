#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torch_cuda.py ROWS: what benchmarks/device_training printed to ROWS, and beside each row what PyTorch does on the same GPU, eager and by torch.compile, and the
ratio of Flexor's rate to the better of them. --device cpu --small times the small networks here, to see that it works."""
import argparse
import sys
import time

sys.dont_write_bytecode = True
import hybrid
import torch
import torch.nn.functional as F
import torch_networks

# name: network, shape of the input, classes, whether they are words; as device_training.cc has them
NETWORKS = {"LeNet": (torch_networks.NETWORKS["lenet"], (256, 1, 28, 28), 10, False),
            "ResNet-50": (torch_networks.NETWORKS["resnet50"], (64, 3, 224, 224), 1000, False),
            "LSTM language model": (lambda: torch_networks.language_model(10000, 650), (35, 64), 10000, True)}
SMALL = {"MLP": (lambda: torch.nn.Sequential(torch.nn.Linear(6, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)), (2, 6), 10, False),
         "LSTM language model": (lambda: torch_networks.language_model(20, 8), (3, 2), 20, True)}


def stepper(network, precision, device, compiled):
    make, shape, classes, words = network
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "TF32"
    torch.backends.cudnn.benchmark = False
    net = make().to(device)
    run = torch.compile(net) if compiled else net
    sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    x = torch.tensor(hybrid.word_inputs(shape, classes)).reshape(shape) if words else torch.rand(*shape)
    x, y = x.to(device), torch.tensor(hybrid.labels(shape, classes, words)).to(device)

    def step():
        sgd.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = F.cross_entropy(run(x).reshape(-1, classes).float(), y)
        loss.backward()
        sgd.step()
    return step, hybrid.size_of(shape) if words else shape[0]


def rate(network, precision, device, compiled):
    step, items = stepper(network, precision, device, compiled)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    for _ in range(10):
        step()
    wait()
    best, times, rounds = float("inf"), 1, 0
    while rounds < 5:
        start = time.perf_counter()
        for _ in range(times):
            step()
        wait()
        seconds = time.perf_counter() - start
        if seconds < 0.5 and device == "cuda":
            times = max(times + 1, int(times * min(10, 0.7 / max(seconds, 1e-9))))
            continue
        best, rounds = min(best, seconds / times), rounds + 1
    return items / best


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch has no CUDA here")
    print(f"PyTorch {torch.__version__}" + (f", cuDNN {torch.backends.cudnn.version()}" if asked.device == "cuda" else ""))
    networks = SMALL if asked.small else NETWORKS
    for line in open(asked.rows, encoding="utf-8"):
        if not line.startswith("train "):
            continue
        row, own, unit = line.rstrip("\n").split("\t")
        name, precision = row[len("train "):].rsplit(", ", 1)
        rates = {"eager": rate(networks[name], precision, asked.device, False)}
        try:
            rates["compiled"] = rate(networks[name], precision, asked.device, True)
        except Exception as error:  # no compiler on the machine: eager is the peer then
            print(f"  torch.compile: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
        peers = ", ".join(f"{k} {v:.1f}" for k, v in rates.items())
        print(f"{row}: Flexor {float(own):.1f} {unit}, PyTorch {peers}; Flexor / PyTorch {float(own) / max(rates.values()):.2f}", flush=True)


main()
