#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""doc_test.py REGISTRY SCALADOC ARGUMENTS...: the Scaladoc of the package is made without a warning, and has each public operator, layer and optimizer, with a sentence."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bindings", "generate"))
from registry import operators_by_name, public  # noqa: E402
from scala import by_hand, camel, title  # noqa: E402


def main(registry, *command):
    with open(registry, encoding="utf-8") as f:
        entries = json.load(f)
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "-d", folder], capture_output=True, text=True, timeout=500, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "warning:" in line or "error:" in line]
        faults += said + ([f"status {done.returncode}"] if done.returncode else [])

        def page(name):
            path = os.path.join(folder, "org", "flexor", *name.split("/"))
            try:
                with open(path + ".html", encoding="utf-8") as f:
                    return f.read()
            except OSError:
                faults.append(f"there is no page of {name}")
                return ""
        operators = page("op$")
        faults += [f"op.{camel(name)} is not in the page of op" for name, *_ in operators_by_name(entries["operator"]) if f'id="{camel(name)}[' not in operators and f'id="{camel(name)}(' not in operators]
        for kind, where, named in (("layer", "nn/", str), ("optimizer", "", title), ("metric", "metric/", title)):
            for entry in (e for e in public(entries, kind) if e["name"] not in by_hand()):
                text = page(where + named(entry["name"])) if entry["attrs"] or entry.get("family") == "container" else page(where + named(entry["name"]) + "$")
                if text and 'class="comment cmt"' not in text:
                    faults.append(f"{entry['name']} has no sentence")
        for name in ("NDArray", "Scope", "Fitted", "Training", "HostOperator$", "Store", "nn/Layer", "nn/Sequential", "nn/Residual"):
            page(name)
    for fault in faults[:20]:
        print("FAILED", fault)
    print(f"{0 if faults else 1} passed, {1 if faults else 0} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
