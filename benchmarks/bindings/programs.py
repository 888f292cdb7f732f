# SPDX-License-Identifier: Apache-2.0
"""Whole programs of a language: programs.py --full|--quick FILTER. Of flexor: the time of `import flexor` above NumPy's; an epoch of LeNet beside the C++ program's, in turns;
how long after Ctrl-C a fit is over. Of the peers: their import. BENCH_PEER is flexor, torch or mxnet; BENCH_CPP, BENCH_PYTHON, BENCH_R, BENCH_JULIA and BENCH_SCALA are the fits' commands,
BENCH_JULIA_PROGRAM runs a program that follows."""
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "peers"))
import rows  # noqa: E402

GIVEN = os.environ
SAMPLES = "640" if rows.QUICK else "6400"


def time_of(*command):
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def above_numpy(row, module, before="pass"):
    if not rows.wanted(row):
        return
    rounds = 2 if rows.QUICK else 9
    command = lambda text: (sys.executable, "-B", "-W", "ignore", "-c", text)
    numpy = f"import numpy; numpy.bool = bool; {before}"  # MXNet wants the name
    pairs = [(time_of(*command(numpy)), time_of(*command(f"{numpy}; import {module}"))) for _ in range(rounds + 1)][1:]
    rows.figure(row, statistics.median(b - a for a, b in pairs))


def epochs(command, count):
    """Seconds of each epoch but the first, which makes the plans."""
    out = subprocess.run([*command.split(" "), SAMPLES, str(count + 1), *([GIVEN["BENCH_DIGITS"]] if command == GIVEN["BENCH_CPP"] else [])], check=True, capture_output=True, text=True).stdout
    times = [float(line.split()[1]) for line in out.splitlines() if line.startswith(("begin", "epoch"))]
    return [b - a for a, b in zip(times[1:], times[2:])]


def beside_cpp(row, command):
    if not rows.wanted(row):
        return
    ours, theirs = [], []
    for _ in range(1 if rows.QUICK else 3):
        theirs += epochs(GIVEN["BENCH_CPP"], 2 if rows.QUICK else 4)
        ours += epochs(command, 2 if rows.QUICK else 4)
    rows.figure(row, statistics.median(ours) / statistics.median(theirs), "x")


def interrupted(row, command):
    """Ctrl-C in the middle of a fit: seconds until the program has its prompt back."""
    if not rows.wanted(row):
        return
    found = []
    for i in range(2 if rows.QUICK else 5):
        child = subprocess.Popen([*command.split(" "), SAMPLES, "1000"], stdout=subprocess.PIPE, text=True)
        for line in child.stdout:
            if line.startswith("epoch"):
                break
        time.sleep(0.02 + 0.037 * i)
        sent = time.time()
        child.send_signal(signal.SIGINT)
        out = child.communicate(timeout=60)[0]
        stopped = [float(line.split()[1]) for line in out.splitlines() if line.startswith("stopped")]
        if not stopped:
            raise RuntimeError(f"no Ctrl-C arrived (round {i}, status {child.returncode}): {out[-200:]}")
        found.append(stopped[0] - sent)
    rows.figure(row, max(found))


def first_array(row, command, program):
    """A new process until it has the elements of an array that was computed, with the language's own start."""
    if rows.wanted(row):
        rows.figure(row, statistics.median([time_of(*command.split(" "), program) for _ in range(2 if rows.QUICK else 10)][1:]))


def attempt(what, *args):
    try:
        what(*args)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1][:200]
        rows.note(f"{args[0]}: {told}")


rows.PEER = GIVEN["BENCH_PEER"]
attempt(above_numpy, "Python/import above NumPy", rows.PEER)
for language, key in (("Python", "BENCH_PYTHON"), ("R", "BENCH_R"), ("Julia", "BENCH_JULIA"), ("Scala", "BENCH_SCALA")):
    if key in GIVEN:
        attempt(beside_cpp, f"{language}/LeNet epoch beside C++", GIVEN[key])
        if language != "Scala":  # Ctrl-C ends a JVM at once
            attempt(interrupted, f"{language}/Ctrl-C during a fit, the longest", GIVEN[key])
if "BENCH_JULIA_PROGRAM" in GIVEN:
    attempt(first_array, "Julia/first array in a new process", GIVEN["BENCH_JULIA_PROGRAM"], "using Flexor; Array(NDArray(ones(Float32, 2, 2)) .+ 1)")
if "BENCH_SCALA" in GIVEN:
    attempt(first_array, "Scala/first array in a new process", GIVEN["BENCH_SCALA"], "first")
