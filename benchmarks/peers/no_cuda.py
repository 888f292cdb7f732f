# SPDX-License-Identifier: Apache-2.0
"""PyTorch's wheel on PyPI is linked with CUDA's libraries, several gigabytes that a CPU never runs. Here each library that is missing gets an empty
place-holder: every function wanted of it returns an error code (100, "no device"). PyTorch then starts, finds no GPU, and its CPU side is untouched."""
import glob
import os
import re
import subprocess
import tempfile

BASE = re.compile(r"(lib(c|m|z|dl|rt|pthread|gcc_s|stdc\+\+|gomp|gfortran|quadmath)|ld-linux[-\w]*)\.so")  # every Linux has them, or the wheel
VENDOR = re.compile(r"(__cuda|cu[A-Za-z_]|nccl|nv[a-z])")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wanted(folder):
    """What the libraries of `folder` want: {missing library: {version: [functions]}}."""
    needed, used, defined, owner = set(), set(), set(), {}
    for file in glob.glob(os.path.join(folder, "*.so*")):
        needed |= set(re.findall(r"NEEDED.*\[(.+?)\]", run("readelf", "-dW", file)))
        library = ""
        for m in re.finditer(r"File: (\S+)|Name: (\S+)  Flags", run("readelf", "-VW", file)):
            if m.group(1):
                library = m.group(1)
            elif library:
                owner[m.group(2)] = library
        for line in run("nm", "-D", file).splitlines():
            kind, symbol = line.split()[-2:]
            name, _, version = symbol.replace("@@", "@").partition("@")
            (used.add((name, version)) if kind in "Uwv" else defined.add(name))
    missing = sorted(n for n in needed if not BASE.match(n) and not os.path.exists(os.path.join(folder, n)))
    found = {m: {} for m in missing}
    for name, version in sorted(used):
        if name in defined or not missing:
            continue
        if version and owner.get(version) in found:
            found[owner[version]].setdefault(version, []).append(name)
        elif not version and VENDOR.match(name):
            found[missing[0]].setdefault("", []).append(name)
    return found


def write(folder, library, functions):
    names = sorted({n for of_version in functions.values() for n in of_version})
    with tempfile.TemporaryDirectory() as scratch:
        source, versions = os.path.join(scratch, "empty.s"), os.path.join(scratch, "versions")
        with open(source, "w", encoding="ascii") as f:
            f.write(".text\n" + "".join(f".globl {n}\n.type {n},@function\n{n}:\n" for n in names) + "mov $100,%eax\nret\n.section .note.GNU-stack,\"\",@progbits\n")
        with open(versions, "w", encoding="ascii") as f:
            f.write("".join(f"{v} {{ {' '.join(n + ';' for n in of)} }};\n" for v, of in functions.items() if v))
        script = ["-Wl,--version-script=" + versions] if any(functions) else []
        run("gcc", "-shared", "-nostdlib", "-Wl,-soname," + library, *script, "-o", os.path.join(folder, library), source)


def fill(folder):
    """Makes the place-holders that the libraries in `folder` miss, and returns their names."""
    found = wanted(folder)
    for library, functions in found.items():
        write(folder, library, functions)
    return sorted(found)
