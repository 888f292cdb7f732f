#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""relay_test.py EXAMPLES R_COMMAND JULIA_COMMAND SCALA_COMMAND, each split at spaces: examples/relay in order, with one model file: R trains, Julia goes on, Scala serves. What is
served are the flowers' names, the same to many who ask at once; a wrong request is told and harms nothing."""
import csv
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def ask(url, body):
    try:
        with urllib.request.urlopen(url, data=body.encode(), timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def loss(folder, *command):
    """The loss that a program tells in the end."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    found = re.search(r"loss ([\d.]+)", done.stdout)
    if done.returncode or not found:
        raise SystemExit(f"FAILED {' '.join(command)}: {done.stdout}{done.stderr}")
    return float(found[1])


def main(examples, *commands):
    examples, (r, julia, scala) = os.path.abspath(examples), (c.split(" ") for c in commands)
    with open(os.path.join(examples, "..", "..", "bindings", "python", "flexor", "datasets", "files", "iris.csv"), encoding="ascii") as f:
        flowers = [row for row in csv.reader(f) if row and not row[0].startswith("#")]
    body, names = "\n".join(",".join(row[:4]) for row in flowers), [row[4] for row in flowers]
    checks = []
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "iris.flx")
        first = loss(folder, *r, os.path.join(examples, "train.R"), model)
        second = loss(folder, *julia, os.path.join(examples, "go_on.jl"), model)
        checks.append((f"Julia went on where R was: loss {second} after {first}", second < 0.7 * first))
        with subprocess.Popen([*scala, "Serve", model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            try:
                url = server.stdout.readline().split(" ")[-1].strip()
                with ThreadPoolExecutor(8) as pool:
                    replies = set(pool.map(lambda _: ask(url, body), range(24)))
                status, text = replies.pop() if len(replies) == 1 else (0, "")
                given = [line.split(" ")[0] for line in text.splitlines()]
                right = sum(a == b for a, b in zip(given, names)) / len(names)
                checks.append((f"24 who ask get the same, {right:.3f} of it right", not replies and status == 200 and len(given) == len(names) and right > 0.9))
                wrong = ask(url, "5.1,3.5")
                checks.append((f"two numbers are too few: {wrong}", wrong[0] == 400 and "2" in wrong[1]))
                checks.append(("words are no numbers", ask(url, "a,b,c,d")[0] == 400))
                checks.append(("it goes on", ask(url, body) == (status, text)))
            finally:
                server.stdin.close()
            checks.append((f"it ends when its input does: {server.wait(timeout=30)}", server.returncode == 0))
    for what, good in checks:
        if not good:
            print("FAILED", what)
    failed = sum(not good for _, good in checks)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
