#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""readme_test.py README COMPILER LIBRARY INCLUDE...: each ```cpp block of the README is a program that compiles without a warning, runs, and prints the
```text block that follows it."""
import os
import re
import subprocess
import sys
import tempfile


def main(readme, compiler, library, *includes):
    with open(readme, encoding="utf-8") as f:
        text = f.read()
    programs = re.findall(r"^```cpp\n(.*?)^```\n(.*?)(?=^```cpp\n|\Z)", text, re.M | re.S)
    failed = 0 if programs else 1
    with tempfile.TemporaryDirectory() as folder:
        for i, (code, rest) in enumerate(programs):
            source, program = os.path.join(folder, f"{i}.cc"), os.path.join(folder, str(i))
            with open(source, "w", encoding="utf-8") as f:
                f.write(code)
            flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", *(f"-I{i}" for i in includes), source, "-o", program, library, f"-Wl,-rpath,{os.path.dirname(library)}"]
            if subprocess.run([compiler, *flags], check=False).returncode:
                failed += 1
                continue
            got = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
            want = re.search(r"^```text\n(.*?)^```", rest, re.M | re.S)
            want = want.group(1) if want else ""
            if got.returncode or got.stdout != want:
                failed += 1
                print(f"program {i}: status {got.returncode}\n{got.stderr}\nexpected\n{want}\ngot\n{got.stdout}")
    print(f"{len(programs)} programs, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
