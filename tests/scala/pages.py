#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Scala code of a page, README.md or docs/scala.md, as one program: all its ```scala blocks, in order.
pages.py make PAGE NAME FOLDER writes it as object NAME. pages.py run PAGE COMMAND... runs that by COMMAND, in an empty folder; it must print the ```text blocks that follow them, in order, where
a line "..." stands for some lines."""
import os
import re
import subprocess
import sys
import tempfile


def blocks(page):
    """The page's code, and what it prints."""
    with open(page, encoding="utf-8") as f:
        found = re.findall(r"^```(scala|text)\n(.*?)^```$", f.read(), re.M | re.S)
    code = [text for kind, text in found if kind == "scala"]
    printed = [text for (before, _), (kind, text) in zip(found, found[1:]) if kind == "text" and before == "scala"]
    return code, printed


def make(page, name, folder):
    code, _ = blocks(page)
    with open(os.path.join(folder, name + ".scala"), "w", encoding="utf-8") as f:
        f.write(f"object {name} extends App {{\n" + "".join(code) + "}\n")


def matches(given, printed):
    pattern = "".join("(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for text in printed for line in text.splitlines())
    return re.fullmatch(pattern, given) is not None


def run(page, *command):
    _, printed = blocks(page)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    good = done.returncode == 0 and printed and matches(done.stdout, printed)
    if not good:
        print(f"FAILED {page}: status {done.returncode}, expected\n{''.join(printed)}\ngiven\n{done.stdout}{done.stderr}")
    print(f"{1 if good else 0} passed, {0 if good else 1} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit((make if sys.argv[1] == "make" else run)(*sys.argv[2:]))
