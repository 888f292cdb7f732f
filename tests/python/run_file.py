# SPDX-License-Identifier: Apache-2.0
"""run_file.py NAME FILE: pytest on one file, its cases as JUnit's XML beside GoogleTest's. A file with `importorskip(` runs in build/venv-tests where tools/test made
that: scikit-learn, mypy and tqdm from PyPI, and NumPy 2; the others run on the system's NumPy."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(name, file):
    venv = os.path.join(ROOT, "build", "venv-tests", "bin", "python")
    with open(file, encoding="utf-8") as f:
        wants = "importorskip(" in f.read()
    command = [venv if wants and os.path.exists(venv) else sys.executable, "-X", "faulthandler", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", file]
    results = os.environ.get("GTEST_OUTPUT", "")
    if results.startswith("xml:"):
        command.append(f"--junitxml={results[len('xml:'):]}{name}_test.xml")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # nothing is written into the source tree
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
