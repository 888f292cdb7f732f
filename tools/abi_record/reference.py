# SPDX-License-Identifier: Apache-2.0
"""A library with nothing but the recorded types and functions, compiled from the record, for abidiff to compare the built one with. So the record needs no dump of
debug information beside it (one of ours has 2 MB of C++ types even with the private ones dropped), and the built library itself is what is compared."""
import os
import re
import subprocess
import tempfile

import record
from found import node_of


def build(lines, folder, cc="cc"):
    """Compiles the recorded types and functions to a shared library in `folder`; returns its path."""
    source, script, library = (os.path.join(folder, n) for n in ("reference.c", "reference.map", "reference.so"))
    nodes, text = {}, ["#include <stdint.h>"]
    for line in lines:
        kind, rest = line.split(" ", 1)
        if kind == "type":
            text.append(rest.split(" ", 1)[1] + ";")
        elif kind == "function" and node_of(line):
            signature = rest.split(" ", 2)[2]
            nodes.setdefault(node_of(line), []).append(record.key(line)[1])
            text.append(signature + (" {}" if signature.startswith("void flx_") else " { return 0; }"))
    with open(source, "w", encoding="utf-8") as f:
        f.write("\n".join(text) + "\n")
    with open(script, "w", encoding="utf-8") as f:
        for i, (node, names) in enumerate(nodes.items()):
            f.write(f"{node} {{ global: {' '.join(n + ';' for n in names)} {'local: *;' if i == 0 else ''} }};\n")
    soname = next(r.split()[1] for r in lines if r.startswith("library "))
    subprocess.run([cc, "-g", "-O0", "-w", "-shared", "-fPIC", "-o", library, source, "-Wl,--version-script=" + script, "-Wl,-soname," + soname], check=True)
    return library


def abidiff(reference, library):
    """abidiff's report; "" if it finds no difference. The debug information may lie beside the library, as <library>.debug."""
    folder = os.path.dirname(os.path.realpath(library))
    run = subprocess.run(["abidiff", "--debug-info-dir2", folder, reference, library], capture_output=True, text=True)
    if run.returncode & 3:
        raise RuntimeError(f"abidiff failed ({run.returncode}): {run.stdout}{run.stderr}")
    return run.stdout.strip() if run.returncode else ""


def altered(lines):
    """The record with one argument's type changed; and the name of its function."""
    for i, line in enumerate(lines):
        if line.startswith("function ") and re.search(r"\bint64_t timeout_ms\b", line):
            return lines[:i] + [re.sub(r"\bint64_t timeout_ms\b", "int32_t timeout_ms", line)] + lines[i + 1:], record.key(line)[1]
    raise RuntimeError("no function has timeout_ms")


def faults(old, library, cc="cc"):
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(os.path.join(work, "altered"))
        lines, name = altered(old.lines)
        # Without debug information abidiff sees symbols only and finds everything equal: first see that it sees.
        if name not in abidiff(build(lines, os.path.join(work, "altered"), cc), library):
            return [f"abidiff does not see the types of {library}: it was built without debug information (c_api is compiled with -g)"]
        report = abidiff(build(old.lines, work, cc), library)
    return ["abidiff, from the record to the library:\n" + report] if report else []
