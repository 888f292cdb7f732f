#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""readme_test.py README LANGUAGE COMMAND...: each ```LANGUAGE block of the README is a program that runs by COMMAND and prints the ```text block that follows it.
For c, COMMAND is a compiler with its options, a whole one with a source and -o for the program."""
import os
import re
import subprocess
import sys
import tempfile


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def output(language, command, code, folder):
    """What a program prints; its errors, if it fails."""
    source, program = os.path.join(folder, "program." + language), os.path.join(folder, "program")
    with open(source, "w", encoding="utf-8") as f:
        f.write(code)
    if language == "c":
        built = run([command[0], source, *command[1:], "-o", program], folder)
        if built.returncode:
            return built.stderr
    done = run([program] if language == "c" else [*command, source], folder)
    return done.stdout + (done.stderr if done.returncode else "")


def main(readme, language, *command):
    with open(readme, encoding="utf-8") as f:
        text = f.read()
    programs = re.findall(rf"^```{language}\n(.*?)^```\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    failed = 0 if programs else 1
    for code, rest in programs:
        want = re.search(r"^```text\n(.*?)^```", rest, re.M | re.S)
        with tempfile.TemporaryDirectory() as folder:
            got = output(language, command, code, folder)
        if not want or got != want[1]:
            failed += 1
            print(f"FAILED: expected\n{want[1] if want else 'a text block'}\ngiven\n{got}")
    print(f"{max(0, len(programs) - failed)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
