# SPDX-License-Identifier: Apache-2.0
"""The public headers as SWIG reads them (`swig -xml`): functions and constants. What is generated from the headers, and the record of the ABI, start here.
A SWIG type reads from the name outwards: `p.q(const).char` is a pointer to const char."""
import collections
import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree as ET

# The public headers, in the order in which they include each other. One that does not exist is left out.
HEADERS = ("flexor/c_api.h", "flexor/c_api_train.h", "flexor/c_api_native.h")
BINDING_HEADERS = HEADERS[:2]  # what bindings wrap: no function pointer stands in them

Function = collections.namedtuple("Function", "name returns args")  # returns: a SWIG type; args: [(name, SWIG type)]


def _attributes(node):
    return {a.get("name"): a.get("value") for a in node.findall("attributelist/attribute")}


def _after_parameters(decl):
    """`f(int).p.` -> `p.`: what a function returns, without its base type."""
    depth = 0
    for i, c in enumerate(decl):
        depth += (c == "(") - (c == ")")
        if c == ")" and depth == 0:
            return decl[i + 2:]
    raise ValueError(f"{decl} is no function")


def existing(include, headers=HEADERS):
    return [h for h in headers if os.path.exists(os.path.join(include, h))]


def read(include, headers=HEADERS, swig="swig"):
    """([Function], [(constant, value)]) of the headers below the folder `include`, in their order."""
    with tempfile.TemporaryDirectory() as work:
        interface, xml = os.path.join(work, "all.i"), os.path.join(work, "all.xml")
        with open(interface, "w", encoding="utf-8") as f:
            f.write("%module all\n%include <stdint.i>\n#define __attribute__(x)\n" + "".join(f"%include <{h}>\n" for h in existing(include, headers)))
        run = subprocess.run([swig, "-xml", "-DSWIGWORDSIZE64", "-I" + include, "-o", xml, interface], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"swig -xml failed:\n{run.stdout}{run.stderr}")
        root = ET.parse(xml).getroot()
    functions, constants = [], []
    for node in root.iter():
        a = _attributes(node)
        name = a.get("name", "")
        if node.tag == "cdecl" and name.startswith("flx_") and a.get("decl", "").startswith("f(") and a.get("storage") != "typedef":
            args = [(p["name"], p["type"]) for p in (_attributes(q) for q in node.findall("attributelist/parmlist/parm")) if p.get("type") != "void"]
            functions.append(Function(name, _after_parameters(a["decl"]) + a["type"], args))
        elif node.tag == "enumitem" and name.startswith("FLX_"):
            constants.append((name, int(a.get("enumvalueex") or a["enumvalue"], 0)))
        elif node.tag == "constant" and name.startswith("FLX_"):
            constants.append((name, int(a["value"], 0)))
    return functions, constants


def c_declaration(kind, name=""):
    """The C declaration of `name` with a SWIG type."""
    out, const = name, False
    while True:
        if kind.startswith("p."):
            out, kind, const = "*" + ("const " + out if const else out).rstrip(), kind[2:], False
        elif kind.startswith("q(const)."):
            kind, const = kind[len("q(const)."):], True
        elif kind.startswith(("f(", "a(")):
            rest = _after_parameters(kind)
            inner = kind[2:len(kind) - len(rest) - 2]
            out = f"({out})" if out.startswith("*") else out
            out += f"[{inner}]" if kind[0] == "a" else "(" + ", ".join(c_declaration(k) for k in _commas(inner)) + ")"
            kind = rest
        else:
            base = ("const " if const else "") + kind
            return base + (" " + out if out else "")


def _commas(text):
    depth, start = 0, 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            yield text[start:i]
            start = i + 1
    yield text[start:]


def signature(f):
    args = ", ".join(c_declaration(kind, name) for name, kind in f.args)
    return c_declaration(f.returns, f"{f.name}({args or 'void'})")
