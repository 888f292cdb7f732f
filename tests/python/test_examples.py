# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/python, each run as its user would, in a folder of its own; what they print is looked at. The long ones are in test_training.py."""
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "tests" / "golden" / "files" / "models"


def run(folder, name, *args):
    done = subprocess.run([sys.executable, str(ROOT / "examples" / "python" / f"{name}.py"), *map(str, args)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def number(pattern, text):
    return float(re.findall(pattern, text)[-1])


def test_iris(tmp_path):
    assert number(r"accuracy ([\d.]+)", run(tmp_path, "iris")) > 0.9


def test_breast_cancer(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed here")
    assert number(r"accuracy ([\d.]+)", run(tmp_path, "breast_cancer")) > 0.93


def test_custom_layer(tmp_path):
    assert number(r"accuracy ([\d.]+)", run(tmp_path, "custom_layer")) > 0.93


def test_custom_operator(tmp_path):
    out = run(tmp_path, "custom_operator")
    assert "[0. 2. 3. 0.]" in out and number(r"loss ([\d.]+)", out) < 0.001


def test_own_loop(tmp_path):
    assert number(r"test accuracy ([\d.]+)", run(tmp_path, "own_loop")) > 0.88


def test_a_model_of_mxnets(tmp_path):
    assert number(r"valid.accuracy ([\d.]+)", run(tmp_path, "load_mxnet_model", MODELS / "lenet_bn_01")) > 0.9


def test_the_quick_start_one_epoch(tmp_path):
    out = run(tmp_path, "quickstart", "--epochs", 1, "--out", tmp_path)
    assert number(r"test accuracy ([\d.]+) %", out) > 90 and number(r"(\d+) of 10 scans recognised", out) >= 8 and (tmp_path / "lenet.flx").exists()


def test_every_program_is_run():
    """Here or in test_training.py."""
    tests = "".join((Path(__file__).parent / f"test_{t}.py").read_text() for t in ("examples", "training"))
    for program in (ROOT / "examples" / "python").glob("*.py"):
        assert f'run(tmp_path, "{program.stem}"' in tests, program.name
