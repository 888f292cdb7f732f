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
    julia = os.path.join(os.path.dirname(build), "julia", "julia")
    julia = julia if os.path.exists(julia) else shutil.which("julia")
    package = os.path.join(build, "julia", "Flexor")
    if julia and os.path.isdir(package) and os.path.isdir(os.path.join(build, "julia", "depot")):
        environment.update(JULIA_DEPOT_PATH=os.path.join(build, "julia", "depot"), JULIA_PROJECT=package, JULIA_LOAD_PATH="@:@stdlib")
        environment.update(BENCH_JULIA=f"{julia} --startup-file=no {HERE}/fit.jl", BENCH_JULIA_PROGRAM=f"{julia} --startup-file=no -e")
        commands.append({"name": "Julia's calls", "command": [julia, "--startup-file=no", os.path.join(HERE, "calls.jl")], "environment": environment})
    else:
        skipped.append("Julia: its package is not built")
    java, folder = shutil.which("java"), os.path.join(build, "benchmarks", "scala")
    library = next((p for p in ("/usr/share/java/scala-library.jar", "/usr/share/scala/lib/scala-library.jar") if os.path.exists(p)), None)
    if java and library and os.path.isdir(folder):
        scala = [java, "-cp", ":".join([folder, os.path.join(build, "scala", "flexor.jar"), library])]
        environment.update(BENCH_SCALA=" ".join([*scala, "BenchFit"]))
        commands.append({"name": "Scala's calls", "command": [*scala, "BenchCalls"], "environment": environment})
    else:
        skipped.append("Scala: its package is not built, or scala_benchmarks is not")
    if commands:
        commands.append({"name": "programs of the languages", "command": [python, "-B", os.path.join(HERE, "programs.py")], "environment": environment})
    with open(out, "w", encoding="utf-8") as f:
        json.dump({"commands": commands, "skipped": skipped}, f, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
