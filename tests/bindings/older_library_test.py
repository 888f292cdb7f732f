# SPDX-License-Identifier: Apache-2.0
"""Glue made from a newer header must say that the library is older, not that a symbol is missing: older_library_test.py ROOT LIBRARY SWIG CC PYTHON PYTHON_INCLUDE."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

root, library, swig, cc, python, python_include = sys.argv[1:]
glue = os.path.join(root, "bindings", "swig")
with tempfile.TemporaryDirectory() as work:
    shutil.copytree(os.path.join(root, "include", "flexor"), os.path.join(work, "flexor"))
    header = os.path.join(work, "flexor", "c_api.h")
    with open(header, encoding="utf-8") as f:
        text = f.read()
    text, changed = re.subn(r"#define FLX_ABI_VERSION \d+", "#define FLX_ABI_VERSION 9999", text)
    newer = text.replace("FLX_DRAFT int32_t flx_abi_version(void);", "FLX_DRAFT int32_t flx_abi_version(void);\nFLX_DRAFT flx_status flx_from_the_future(void);")
    assert changed == 1 and newer != text, "the header looks different than this test thinks"
    with open(header, "w", encoding="utf-8") as f:
        f.write(newer)
    subprocess.run([sys.executable, os.path.join(glue, "generate.py"), work, work, swig], check=True)
    subprocess.run([swig, "-python", "-DSWIGWORDSIZE64", "-I" + glue, "-I" + work, "-outdir", work, "-o", work + "/wrapper.c", os.path.join(glue, "flexor.i")], check=True)
    subprocess.run([cc, "-O0", "-w", "-shared", "-fPIC", "-I" + work, "-I" + python_include, work + "/wrapper.c", "-o", work + "/_flexor.so", library,
                    "-Wl,-rpath," + os.path.dirname(library)], check=True)
    run = subprocess.run([python, "-c", "import _flexor"], cwd=work, capture_output=True, text=True)
    said = run.stderr.strip().split("\n")[-1]
print(said)
ok = run.returncode != 0 and said.startswith("ImportError: [flx_abi_require]") and "9999" in said
sys.exit(0 if ok else 1)
