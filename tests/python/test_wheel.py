# SPDX-License-Identifier: Apache-2.0
"""The wheel: made of this build by scikit-build-core, installed into a fresh environment, used from another folder."""
import os
import subprocess
import sys
import zipfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("FLEXOR_TEST_BUILD", os.path.join(ROOT, "build", "release"))

PROGRAM = """
import flexor as fx, os, sys
from flexor import autograd, nd, nn
folder = os.path.dirname(os.path.abspath(fx.__file__))
assert folder == os.path.join(sys.argv[1], "flexor"), folder
assert os.path.dirname(fx.device.info()["path"]) == folder, fx.device.info()["path"]
x, y = fx.datasets.iris()
net = nn.Sequential(nn.Dense(8, activation="relu"), nn.Dense(3))
clf = fx.Classifier(net, epochs=30, optimizer=fx.Adam(0.05), seed=1).fit(x, y)
assert clf.score(x, y) > 0.9
images, labels = fx.datasets.digits()
assert images.shape[1:] == (1, 28, 28)
print("fine", fx.__version__)
"""


@pytest.fixture(autouse=True, scope="module")
def needed():
    pytest.importorskip("scikit_build_core", reason="scikit-build-core is not installed (tools/test puts it into build/venv-tests)")


@pytest.fixture(scope="module")
def wheel(needed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    run = subprocess.run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), os.path.join(ROOT, "bindings", "python"),
                          "--config-settings=cmake.define.FLEXOR_BUILD=" + BUILD, f"--config-settings=build-dir={folder}/build"], capture_output=True, text=True, env=env)
    if run.returncode and "was built for" in run.stdout + run.stderr:
        pytest.skip("the build is of another Python than the one with scikit-build-core")
    assert run.returncode == 0, run.stdout + run.stderr
    found, = folder.glob("flexor-*.whl")
    return found


def test_what_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as z:
        names = z.namelist()
        assert {"flexor/__init__.py", "flexor/py.typed", "flexor/_flexor.so", "flexor/libflexor.so.0", "flexor/_generated/op.py", "flexor/LICENSE",
                "flexor/datasets/files/iris.csv"} <= set(names)
        assert not [n for n in names if "__pycache__" in n or n.endswith((".c", ".i", ".txt", "assemble.py"))]
        glue = z.read("flexor/_flexor.so")
        assert b"$ORIGIN" in glue and ROOT.encode() not in glue and ROOT.encode() not in z.read("flexor/libflexor.so.0")
        metadata = z.read(next(n for n in names if n.endswith("METADATA"))).decode()
    assert "Requires-Python: >=3.9" in metadata and "Requires-Dist: numpy" in metadata


def test_it_works_elsewhere(wheel, tmp_path):
    """In an environment made for it, which sees NumPy and nothing of this tree."""
    venv, away = tmp_path / "venv", tmp_path / "away"
    away.mkdir()
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
    subprocess.run(["/usr/bin/python3" if os.path.samefile(sys.base_prefix, "/usr") else sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", str(venv)], check=True, env=env)
    python = str(venv / "bin" / "python")
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True, env=env)
    site = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"], check=True, capture_output=True, text=True, env=env).stdout.strip()
    run = subprocess.run([python, "-c", PROGRAM, site], capture_output=True, text=True, cwd=away, env=env)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("fine 0.")
