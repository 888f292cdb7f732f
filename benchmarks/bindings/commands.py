#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""commands.py BUILD FILE: writes to FILE what tools/bench_table.py runs to measure the languages' packages of a build: those that are there."""
import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main(build, out):
    build = os.path.abspath(build)
    python, rscript = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable, shutil.which("Rscript")
    environment = {"BENCH_PEER": "flexor", "BENCH_CPP": os.path.join(build, "benchmarks", "lenet_epochs"),
                   "BENCH_DIGITS": os.path.join(os.path.dirname(os.path.dirname(HERE)), "examples", "data", "digits")}
    commands, skipped = [], []
    if os.path.isdir(os.path.join(build, "python", "flexor")):
        environment.update(PYTHONPATH=os.path.join(build, "python"), BENCH_PYTHON=f"{python} -B {HERE}/fit.py")
        commands.append({"name": "Python's calls", "command": [python, "-B", os.path.join(HERE, "calls.py")], "environment": environment})
    else:
        skipped.append("Python: its package is not built")
    if rscript and os.path.isdir(os.path.join(build, "r", "library", "flexor")):
        environment.update(R_LIBS=os.path.join(build, "r", "library"), BENCH_R=f"{rscript} --vanilla {HERE}/fit.R")
        commands.append({"name": "R's calls", "command": [rscript, "--vanilla", os.path.join(HERE, "calls.R")], "environment": environment})
    else:
        skipped.append("R: its package is not built")
    if commands:
        commands.append({"name": "programs of the languages", "command": [python, "-B", os.path.join(HERE, "programs.py")], "environment": environment})
    with open(out, "w", encoding="utf-8") as f:
        json.dump({"commands": commands, "skipped": skipped}, f, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
