#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""setup.py FOLDER: makes environments with PyTorch, MXNet and ONNX Runtime from PyPI in FOLDER, builds the peers' C++ programs against them, and writes
FOLDER/peers.json, which tools/bench_table.py runs. What is there already is kept. What cannot be had is skipped, with the reason."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import no_cuda

HERE = os.path.dirname(os.path.abspath(__file__))
TORCH = "2.15.0"  # its Python packages without CUDA's, which no_cuda.py replaces
TORCH_NEEDS = ["filelock", "typing-extensions", "sympy", "networkx", "jinja2", "fsspec", "setuptools", "numpy"]
MXNET = ["mxnet==1.9.1", "numpy<1.24"]  # the newest NumPy it imports with
ORT = ["onnxruntime==1.31.1", "onnx"]


class Missing(Exception):
    pass


def run(*command, timeout=900):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Missing(f"{' '.join((os.path.basename(command[0]),) + command[1:4])} ...: {((done.stderr or done.stdout).strip().splitlines() or ['failed'])[-1][:300]}")
    return done.stdout.strip()


def environment(folder, name, probe, install):
    """The Python of an environment in which `probe` runs; made by `install` if it does not yet."""
    python = os.path.join(folder, name, "bin", "python")
    try:
        run(python, "-W", "ignore", "-c", probe)
        return python
    except Missing:
        pass
    print(f"making {folder}/{name}", flush=True)
    run(sys.executable, "-m", "venv", "--clear", os.path.join(folder, name))
    install(python)
    run(python, "-W", "ignore", "-c", probe)
    return python


def install_torch(python):
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run(*pip, "--no-deps", f"torch=={TORCH}")
    run(*pip, *TORCH_NEEDS)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    print("in place of CUDA's libraries:", " ".join(no_cuda.fill(os.path.join(site, "torch", "lib"))))


def install_mxnet(python):
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *MXNET)


def install_ort(python):
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *ORT)


def compile_program(folder, name, *options):
    """benchmarks/peers/NAME.cc as a program in FOLDER; kept while it is newer than its sources."""
    source, program = os.path.join(HERE, name + ".cc"), os.path.join(folder, name)
    newest = max(os.path.getmtime(os.path.join(HERE, f)) for f in (name + ".cc", "rows.h"))
    if not os.path.exists(program) or os.path.getmtime(program) < newest:
        print(f"building {program}", flush=True)
        run("g++", "-O2", "-w", source, "-o", program, *options)
    return program


def script(name, python, file):
    return {"name": name, "command": [python, "-B", "-W", "ignore", os.path.join(HERE, file)]}


def languages(peer, python):
    """The peer's side of benchmarks/bindings."""
    for file in ("calls.py", "programs.py"):
        yield {**script(f"{peer}, {file}", python, os.path.join(os.pardir, "bindings", file)), "environment": {"BENCH_PEER": peer}}


def torch_peers(folder):
    python = environment(folder, "torch", f"import torch; assert torch.__version__.startswith('{TORCH}')", install_torch)
    yield script("torch", python, "torch_rows.py")
    yield script("torch, hybrid", python, "torch_hybrid_rows.py")
    yield from languages("torch", python)
    root = os.path.join(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"), "torch")
    lib = os.path.join(root, "lib")
    program = compile_program(folder, "torch_calls", "-std=c++20", "-I" + os.path.join(root, "include"), "-I" + os.path.join(root, "include/torch/csrc/api/include"), "-L" + lib,
                              "-Wl,-rpath," + lib, "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-ltorch", "-ltorch_cpu", "-lc10")
    yield {"name": "libtorch", "command": [program]}


def mxnet_peers(folder):
    python = environment(folder, "mxnet", "import numpy; numpy.bool = bool; import mxnet; assert mxnet.__version__ == '1.9.1'", install_mxnet)
    yield script("mxnet", python, "mxnet_rows.py")
    yield script("mxnet, hybrid", python, "mxnet_hybrid_rows.py")
    yield from languages("mxnet", python)
    library = os.path.join(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"), "mxnet", "libmxnet.so")
    yield {"name": "mxnet-c", "command": [compile_program(folder, "mxnet_calls", "-std=c++17", "-ldl")], "environment": {"PEER_LIBRARY": library}}


def ort_peers(folder):
    python = environment(folder, "ort", f"import onnx, onnxruntime; assert onnxruntime.__version__ == '{ORT[0].partition('==')[2]}'", install_ort)
    yield script("ort", python, "ort_rows.py")


def main(folder):
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    commands, skipped = [], []
    for name, peers in (("PyTorch", torch_peers), ("MXNet", mxnet_peers), ("ONNX Runtime", ort_peers)):
        try:
            for peer in peers(folder):
                commands.append(peer)
        except Missing as reason:
            skipped.append(f"{name}: {reason}")
    with open(os.path.join(folder, "peers.json"), "w", encoding="utf-8") as f:
        json.dump({"commands": commands, "skipped": skipped}, f, indent=1)
    print("peers:", ", ".join(c["name"] for c in commands) or "none")
    for reason in skipped:
        print("skipped:", reason)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
