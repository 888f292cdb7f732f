#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples_test.py FOLDER COMMAND...: every program in FOLDER runs by COMMAND and ends well, each in an empty folder; of Scala's and Java's, which are compiled, COMMAND gets the name of
the object. The quick start must reach 98 % on scans that it did not see, and its model must recognise them in a new process."""
import os
import re
import subprocess
import sys
import tempfile


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stdout, done.stderr


def quickstart(command, path, folder):
    """What is wrong with the quick start; empty if nothing is."""
    python = path.endswith(".py")
    code, out, err = run([*command, path, *([] if python else ["train"]), "--out", folder], folder)
    if not python and code == 0:
        code, more, err = run([*command, path, "predict", "--model", os.path.join(folder, "lenet.flx")], folder)
        out += more
    accuracy, scans = re.search(r"test accuracy ([\d.]+) %", out), re.search(r"(\d+) of 10 scans", out)
    if code or not accuracy or not scans:
        return f"status {code}\n{out[-2000:]}\n{err[-2000:]}"
    return "" if float(accuracy[1]) >= 98 and int(scans[1]) >= 9 else f"{accuracy[0]}, {scans[0]}"


def main(examples, *command):
    passed = failed = skipped = 0
    for name in sorted(os.listdir(examples)):
        stem, kind = os.path.splitext(name)
        if kind not in (".py", ".R", ".jl", ".scala", ".java"):
            continue
        path = stem if kind in (".scala", ".java") else os.path.join(examples, name)
        with tempfile.TemporaryDirectory() as folder:
            if stem.lower() == "quickstart":
                wrong = quickstart(command, path, folder)
            else:
                code, out, err = run([*command, path], folder)
                if code == 0 and out.startswith("SKIPPED"):
                    skipped += 1
                    print(out.splitlines()[0])
                    continue
                wrong = f"status {code}\n{out[-2000:]}\n{err[-2000:]}" if code else "" if out.strip() else "it printed nothing"
        if wrong:
            failed += 1
            print(f"FAILED {name}\n{wrong}")
        else:
            passed += 1
    if not passed + failed:
        print(f"FAILED {examples}: there is no program")
        failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
