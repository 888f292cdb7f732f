#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""job_test.py BUILD CASE [LANGUAGE=COMMAND ...]: jobs of real processes on this machine, started as users do, by tools/launch.py.

digits     the example reads scans as well with 2 servers and 4 workers as in one process, within 0.5 points; in C++ and, if there is a Python package, in Python
store      push, pull, barriers and optimizers by Python's Store, in dist_sync and dist_async, also without servers
languages  a job whose workers are of different languages gives the weights of a job in one
targets    the tours' part (e), one epoch by two workers, in each language
lost       a worker that is killed: the others hear it (policy fail), or go on without it (continue)
checkpoint the example that loses a server and goes back, that is started again, and whose checkpoints are damaged
mxnet      programs in MXNet's words: mx.kv, gluon.Trainer, Module; a script that serves where its role says so"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def job(build, command, workers=4, servers=2, more=(), folder=None, fails=False):
    """The output of a job that ends well, or as it should: fails."""
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "launch.py"), "-n", str(workers), "-s", str(servers), "--env", "FLEXOR_PS_HEARTBEAT=10", *more,  # a busy machine is not silence
                           "--program", os.path.join(build, "ps-lite", "program", "flexor-ps"), *command], cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    if bool(done.returncode) != fails:
        sys.exit(f"FAILED {' '.join(command)}: status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout + done.stderr if fails else done.stdout


def accuracies(text):
    return [float(a) for a in re.findall(r"test accuracy ([\d.]+) %", text)]


def digits(build, languages):
    programs = {"C++": [os.path.join(build, "examples", "distributed", "distributed_digits"), "--data", os.path.join(ROOT, "examples", "data", "digits")]}
    if "Python" in languages:
        programs["Python"] = [*languages["Python"], os.path.join(ROOT, "examples", "distributed", "digits.py")]
    for language, program in programs.items():
        alone = accuracies(subprocess.run([*program, "--store", "local"], capture_output=True, text=True, timeout=200, check=True).stdout)
        together = accuracies(job(build, program))
        print(f"{language}: one process {alone[0]} %, four workers {together} %")
        assert len(alone) == 1 and len(together) == 4 and len(set(together)) == 1, "all workers have the same weights"
        assert alone[0] > 96 and abs(together[0] - alone[0]) <= 0.5


def store(build, languages):
    for servers, kind in ((2, "dist_sync"), (0, "dist_sync"), (1, "dist_async"), (1, "dist_stale")):
        out = job(build, [*languages["Python"], os.path.join(HERE, "calls.py"), kind], workers=3, servers=servers)
        assert out.count("all is well") == 3, out


def languages(build, commands):
    programs = {"Python": os.path.join(HERE, "worker.py"), "R": os.path.join(HERE, "worker.R"), "Julia": os.path.join(HERE, "worker.jl"), "Scala": "DistributedWorker"}

    def weights(*workers):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "weights")
            script = "case $FLEXOR_PS_RANK in " + " ".join(
                f"{rank}) exec {' '.join(commands[w])} {programs[w]} {path} ;;" for rank, w in enumerate(workers)) + " esac"
            job(build, ["sh", "-c", script], workers=len(workers), servers=1)
            with open(path, "rb") as file:
                return file.read()

    others = [w for w in ("R", "Julia", "Scala") if w in commands]
    if not others:
        print("SKIPPED there is no package of another language than Python\n0 passed, 0 failed, 1 skipped")
        return
    want, got = weights("Python", *["Python"] * len(others)), weights("Python", *others)
    assert len(want) > 200 and got == want
    print(f"Python with {', '.join(others)}: the same {len(want)} bytes")


def targets(build, languages):
    examples = os.path.join(ROOT, "examples", "distributed")
    programs = {"Python": os.path.join(examples, "target.py"), "R": os.path.join(examples, "target.R"), "Julia": os.path.join(examples, "target.jl"), "Scala": "DistributedTarget"}
    for language, command in languages.items():
        with tempfile.TemporaryDirectory() as folder:
            job(build, [*command, programs[language], "1"], workers=2, servers=1, folder=folder)
            size = os.path.getsize(os.path.join(folder, "lenet.flx"))
            print(f"{language}: lenet.flx has {size} bytes")
            assert size > 1_000_000


def lost(build, languages):
    program = [*languages["Python"], os.path.join(HERE, "lost.py")]
    for policy, words in (("fail", "told: "), ("continue", "went on to epoch 30")):
        out = job(build, program, workers=3, servers=1, more=["--elastic", "--env", f"FLEXOR_PS_POLICY={policy}", "--env", "FLEXOR_PS_REPLICAS=0"])
        assert out.count(words) == 2 and (policy != "fail" or out.count("worker 1") >= 2), out


def checkpoint(build, languages):
    program = [*languages["Python"], os.path.join(ROOT, "examples", "distributed", "checkpoint.py")]

    def lines(folder, *arguments, restarts="0", fails=False):
        more = ["--restarts", restarts, "--env", "FLEXOR_PS_POLICY=rollback", "--env", f"FLEXOR_PS_CHECKPOINT={folder}/lines", "--env", "FLEXOR_PS_RESUME=1"]
        out = job(build, [*program, *arguments], workers=2, servers=2, more=more, fails=fails)
        return out if fails else (sorted(set(re.findall(r"weight (.*)", out))), out)

    with tempfile.TemporaryDirectory() as folder:
        want, out = lines(folder)
        assert len(want) == 1 and out.count("begins at step 0") == 2 and "went back" not in out, out
    with tempfile.TemporaryDirectory() as folder:
        got, out = lines(folder, "--lose", "35", restarts="1")
        assert got == want and out.count("the job went back to step 30") == 2, out
    with tempfile.TemporaryDirectory() as folder:
        lines(folder, "--stop", "25", fails=True)
        got, out = lines(folder)
        assert got == want and out.count("begins at step 20") == 2, out
        assert len(os.listdir(folder)) <= 5, os.listdir(folder)  # of the last two checkpoints, and which is the last
        # What it would begin from is damaged: the workers say which file, and what is wrong with it.
        parts = sorted(name for name in os.listdir(folder) if name.startswith("lines.1."))
        path = os.path.join(folder, parts[-1])
        with open(path, "r+b") as part:
            part.truncate(os.path.getsize(path) - 1)
        out = lines(folder, fails=True)
        assert out.count(path) >= 2 and "FileError" in out and "cut short" in out, out
        path = os.path.join(folder, "lines.last")
        with open(path, "wb") as note:
            note.write(b"what is this?")
        out = lines(folder, fails=True)
        assert path in out and "13 bytes" in out, out  # the scheduler says it, before anybody has come


def mxnet(build, languages):
    for what in ("kv", "gluon", "module"):
        out = job(build, [*languages["Python"], os.path.join(HERE, "mxnet_words.py"), what], workers=2, servers=1)
        assert out.count("all is well") == 2, out
    # Servers that are the same script, as programs for MXNet have them.
    script = [*languages["Python"], os.path.join(HERE, "mxnet_words.py")]
    out = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "launch.py"), "-n", "2", "-s", "1", "--env", "FLEXOR_PS_HEARTBEAT=10", "--program", " ".join(script), *script, "kv"],
                         capture_output=True, text=True, timeout=200, check=False)
    assert out.returncode == 0 and out.stdout.count("all is well") == 2, out.stdout + out.stderr


def main(build, case, *commands):
    given = {}
    for pair in commands:
        name, _, command = pair.partition("=")
        given[name] = command.split()
    {"digits": digits, "store": store, "languages": languages, "targets": targets, "lost": lost, "checkpoint": checkpoint, "mxnet": mxnet}[case](build, given)


if __name__ == "__main__":
    main(*sys.argv[1:])
