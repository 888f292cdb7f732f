# SPDX-License-Identifier: Apache-2.0
"""What there is to record: the headers as SWIG reads them, and the built library as it shows itself."""
import ctypes
import os
import re
import subprocess
import sys

import c_header
import record

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "bindings", "swig"))
import swig_xml  # noqa: E402


STATES = {"DRAFT": "draft", "API": "stable", "PLUGIN": "plugin"}  # what a plugin has is not the library's to export


def in_headers(include):
    """The record's lines of the public headers."""
    declared, types = {}, []
    for header in swig_xml.existing(include):
        with open(os.path.join(include, header), encoding="utf-8") as f:
            text = f.read()
        declared.update({d.name: d for d in c_header.declarations(text)})
        types += c_header.types(text)
    functions, constants = swig_xml.read(include)
    if (listed := re.findall(r'"(\w+)"', declared["flx_registry_count"].comment)) != list(record.REGISTRIES):
        raise RuntimeError(f"the header names the registries {listed}; tools/abi_record/record.py has {list(record.REGISTRIES)}")
    unlike = {f.name for f in functions} ^ set(declared)
    if unlike:
        raise RuntimeError(f"SWIG and the header's text disagree about {', '.join(sorted(unlike))}")
    lines = [f"abi {v}" for n, v in constants if n == "FLX_ABI_VERSION"]
    lines += [f"type {name} {text}" for name, text in types]
    lines += [f"constant {n} {v}" for n, v in constants if n != "FLX_ABI_VERSION"]
    for f in functions:
        d = declared[f.name]
        lines.append(f"function {STATES[d.macro]} {d.since} {swig_xml.signature(f)}")
    return lines


class Library:
    """The registry functions of the ABI, by ctypes."""

    def __init__(self, path):
        self._lib = ctypes.CDLL(path)
        self._lib.flx_last_error.restype = self._lib.flx_version.restype = ctypes.c_char_p
        self._lib.flx_free.argtypes = [ctypes.c_void_p]
        self._lib.flx_free.restype = None
        self.version = self._lib.flx_version().decode()

    def ask(self, kind, name, *args):
        out = kind()
        args = [a.encode() if isinstance(a, str) else a for a in args]
        if getattr(self._lib, name)(*args, ctypes.byref(out)):
            raise RuntimeError(f"{name}: {self._lib.flx_last_error().decode()}")
        return out.value.decode() if kind is ctypes.c_char_p else out.value

    def entries(self, registry):
        for i in range(self.ask(ctypes.c_int32, "flx_registry_count", registry)):
            entry = ctypes.c_void_p(self.ask(ctypes.c_void_p, "flx_registry_at", registry, i))
            yield entry
            self._lib.flx_free(entry)

    def entry_line(self, registry, entry):
        def text(field):
            return self.ask(ctypes.c_char_p, "flx_entry_text", entry, field)

        def rows(what, fields):
            for i in range(self.ask(ctypes.c_int32, f"flx_entry_{what}_count", entry)):
                yield [self.ask(ctypes.c_char_p, f"flx_entry_{what}_text", entry, i, field) for field in fields]
        inputs = [name + {"required": "", "optional": "?", "list": "...", "auxiliary": " (auxiliary)"}[kind] for name, kind in rows("input", ("name", "kind"))]
        settings = []
        for name, kind, default, limits, required, runtime in rows("attr", ("name", "type", "default", "range", "required", "runtime")):
            value = "" if required == "1" else f" = {default or repr(default)}"
            settings.append(f"{name}: {kind}{' in ' + limits if limits else ''}{value}{' (runtime)' if runtime == '1' else ''}")
        line = f"{registry} {text('since')} {text('name')}({', '.join(inputs)}{'; ' if settings else ''}{'; '.join(settings)})"
        if registry == "operator":
            outputs = self.ask(ctypes.c_int32, "flx_entry_trait", entry, "outputs")
            line += f" -> {'varies' if outputs < 0 else outputs}"
        return line + (f"; {text('aliases')}" if text("aliases") else "")


def in_library(path):
    """The record's lines of the built library."""
    dynamic = subprocess.run(["readelf", "-dW", path], check=True, capture_output=True, text=True).stdout
    library = Library(path)
    lines = [f"library {re.search(r'soname: .(.+?).$', dynamic, re.M).group(1)} {library.version}"]
    for registry in record.REGISTRIES:
        lines += [library.entry_line(registry, e) for e in library.entries(registry)]
    return lines


def exported(path):
    """{symbol: version node} of what a library shows."""
    out = subprocess.run(["nm", "-D", "--defined-only", path], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in out.splitlines():
        kind, name = line.split()[-2:]
        plain, _, node = name.partition("@@")
        if kind != "A":  # the version nodes themselves
            found[plain] = node
    return found


def node_of(line):
    """The version node in which a recorded function must stand: drafts together, stable ones in that of their release; None if it is none of the library's."""
    _, state, since = line.split()[:3]
    return None if state == "plugin" else "FLEXOR_DRAFT" if state == "draft" else f"FLEXOR_{since}"


def symbol_faults(old, path):
    want = {record.key(r)[1]: node_of(r) for r in old.lines if r.startswith("function ") and node_of(r)}
    there = exported(path)
    wrong = [f"in the record, and not exported: {name}" for name in want if name not in there]
    wrong += [f"exported, and not in the record: {name}" for name in there if name not in want]
    wrong += [f"{name} is exported in node {there[name] or 'none'}, and is recorded for {node}" for name, node in want.items()
              if name in there and there[name] != node]
    return wrong
