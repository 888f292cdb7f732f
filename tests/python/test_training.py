# SPDX-License-Identifier: Apache-2.0
"""The long ones: the quick start to its end, and the tour that shows everything. Label `training`."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "golden" / "files" / "models" / "lenet_bn_01"


def run(folder, name):
    done = subprocess.run([sys.executable, str(ROOT / "examples" / "python" / f"{name}.py")], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def test_the_quick_start_reaches_98_percent(tmp_path):
    out = run(tmp_path, "quickstart")
    lines = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 10 and float(re.search(r"valid.accuracy ([\d.]+)", lines[-1])[1]) >= 0.98, out
    assert float(re.search(r"test accuracy ([\d.]+) %", out)[1]) >= 98 and int(re.search(r"(\d+) of 10 scans", out)[1]) >= 9


def test_the_tour(tmp_path):
    for file in ("symbol.json", "0000.params"):
        shutil.copy(f"{MODEL}-{file}", tmp_path / f"mxnet-lenet-{file.replace('0000', '0010')}")
    out = run(tmp_path, "target")
    accuracy = [float(a) for a in re.findall(r"valid.accuracy ([\d.]+)", out)]
    assert max(accuracy) > 0.97 and len(re.findall(r"epoch \d  loss", out)) == 3
    losses = [float(v) for v in re.findall(r"epoch \d  loss ([\d.]+)\n", out)]
    assert losses[2] < losses[0] / 3 and "parameters 431,080" in out
    assert "[dot] the inner lengths must agree: lhs is (2, 3) and rhs is (2, 3), so 3 meets 2. Transpose one of them?" in out
