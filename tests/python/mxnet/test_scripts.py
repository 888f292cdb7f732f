# SPDX-License-Identifier: Apache-2.0
"""Three scripts in MXNet's words give the losses that MXNet 1.9.1 gave (recorded.txt) when their import line is changed. Run as a program with an interpreter that has MXNet,
this file records them again."""
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = ["gluon_lenet.py", "module_lenet.py", "symbol_lstm.py"]
LINE, CHANGED = "\nimport mxnet as mx\n", "\nimport flexor.mxnet as mx\n"
# MXNet 1.9.1 wants names that NumPy 1.20 took away
BEFORE = "import sys, runpy, numpy; numpy.bool = bool; runpy.run_path(sys.argv[1], run_name='__main__')"
NUMBER = r"-?\d+\.\d+"
TOLERANCE = 1e-4


def recorded():
    parts, name = {}, None
    with open(os.path.join(HERE, "recorded.txt"), encoding="utf-8") as f:
        for line in f.read().splitlines():
            if line.startswith("== "):
                name = line[3:]
                parts[name] = []
            elif not line.startswith("#"):
                parts[name].append(line)
    return parts


def run_in_mxnet(python, script):
    done = subprocess.run([python, "-W", "ignore", "-c", BEFORE, os.path.join(HERE, script)], capture_output=True, text=True, check=True, timeout=300)
    return [line for line in done.stdout.splitlines() if not line.startswith("learning rate from")]  # MXNet says that the schedule's rate was replaced


def compare(got, want):
    """The same words, and numbers within the tolerance; the largest difference."""
    assert [re.sub(NUMBER, "#", g) for g in got] == [re.sub(NUMBER, "#", w) for w in want]
    worst = 0.0
    for g, w in zip(got, want):
        for x, y in zip(re.findall(NUMBER, g), re.findall(NUMBER, w)):
            assert abs(float(x) - float(y)) <= TOLERANCE, f"{g} | {w}"
            worst = max(worst, abs(float(x) - float(y)))
    return worst


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_import_line_is_all_that_changes(script, capsys):
    path = os.path.join(HERE, script)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert text.count(LINE) == 1 and len(re.findall(r"^(?:import|from) .*mxnet", text, re.M)) == 1
    exec(compile(text.replace(LINE, CHANGED), path, "exec"), {"__name__": "__main__", "__file__": path})
    got = capsys.readouterr().out.splitlines()
    assert len([line for line in got if "loss" in line]) >= 40
    with capsys.disabled():
        print(f"{script}: largest difference from MXNet {compare(got, recorded()[script]):.1e}")


def test_what_is_recorded_is_what_mxnet_prints():
    python = os.environ.get("FLEXOR_TEST_MXNET_PYTHON")
    if not python:
        pytest.skip("FLEXOR_TEST_MXNET_PYTHON names no interpreter that has mxnet 1.9.1")
    for script in SCRIPTS:
        compare(run_in_mxnet(python, script), recorded()[script])


if __name__ == "__main__":
    with open(os.path.join(HERE, "recorded.txt"), encoding="utf-8") as old:
        head = [line for line in old.read().splitlines() if line.startswith("#")]
    rows = head + [line for s in SCRIPTS for line in ["== " + s] + run_in_mxnet(sys.argv[1], s)]
    with open(os.path.join(HERE, "recorded.txt"), "w", encoding="utf-8") as new:
        new.write("\n".join(rows) + "\n")
