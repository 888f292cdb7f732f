# SPDX-License-Identifier: Apache-2.0
"""FLEXOR_CUDA=AUTO never fails for a compiler that is missing or broken: it says why there is no CUDA module. ON fails with the same words."""
import os
import subprocess
import sys
import tempfile

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(AutoTest LANGUAGES CXX)
include({cmake}/FlexorCuda.cmake)
message(STATUS "HAVE=${{FLEXOR_HAVE_CUDA}}")
"""
VERSION = 'echo "nvcc: NVIDIA (R) Cuda compiler driver"; echo "Cuda compilation tools, release {0}, V{0}.1"'
# A false nvcc's script, and what the summary must say of it.
CASES = {
    "silent": ("exit 0", "does not say its version"),
    "failing": ("echo boom >&2; exit 7", "does not say its version"),
    "old": (VERSION.format("12.4"), "is version 12.4, 13 or later is needed"),
    "compiles nothing": ('if [ "$1" = --version ]; then ' + VERSION.format("13.0") + "; else echo no host compiler >&2; exit 1; fi",
                         "does not build a program for 90 (1: no host compiler"),
}


def configure(folder, cmake, name, script, mode):
    work = os.path.join(folder, name.replace(" ", "_") + mode)
    os.makedirs(os.path.join(work, "bin"))
    nvcc = os.path.join(work, "bin", "nvcc")
    with open(nvcc, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n" + script + "\n")
    os.chmod(nvcc, 0o755)
    with open(os.path.join(work, "CMakeLists.txt"), "w", encoding="utf-8") as f:
        f.write(PROJECT.format(cmake=cmake))
    env = dict(os.environ, PATH=os.path.join(work, "bin") + os.pathsep + os.environ["PATH"])
    env.pop("CUDACXX", None)
    r = subprocess.run(["cmake", "-S", work, "-B", os.path.join(work, "build"), "-DFLEXOR_CUDA=" + mode],
                       env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return r.returncode, " ".join(r.stdout.split())


def main():
    cmake = os.path.join(os.path.abspath(sys.argv[1]), "cmake")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (script, words) in CASES.items():
            for mode in ("AUTO", "ON"):
                code, text = configure(folder, cmake, name, script, mode)
                auto = mode == "AUTO"
                ok = words in text and (code == 0) == auto and (not auto or ("CUDA: skipped" in text and "HAVE=OFF" in text))
                if not ok:
                    failed += 1
                    print(f"FAILED {name}, {mode}: status {code}\n{text[-1500:]}")
        code, text = configure(folder, cmake, "off", "exit 9", "OFF")
        if code or "FLEXOR_CUDA is OFF" not in text:
            failed += 1
            print(f"FAILED off: status {code}\n{text[-1500:]}")
    print(f"{2 * len(CASES) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
