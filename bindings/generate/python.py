#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""python.py REGISTRY_JSON FOLDER: what the Python package has of each thing registered, as Python modules in FOLDER: op.py (operators on arrays) and sym.py (on
symbols), with signatures, defaults, types and docstrings; classes of layers, optimizers and the like by python_classes.py. An operator that is registered is there
at the next build.

Attributes come after the inputs, in the registry's order; those that must be given, but stand behind
something optional, by name only."""
import keyword
import os
import textwrap

import python_classes
from registry import arguments, choices, counts, key, load, operators_by_name, write

TYPES = {"float": "float", "double": "float", "long": "int", "int": "int", "boolean": "bool", "string": "str", "dtype": "Any", "tuple of long": "IntOrTuple",
         "tuple of double": "FloatOrTuple"}
WORDS = {"long": "int", "double": "float", "boolean": "bool", "string": "str", "tuple of long": "int or tuple of ints", "tuple of double": "float or tuple of floats"}


def literal(attr):
    """The default as Python writes it."""
    text, kind = attr["default"], attr["type"].replace(" or None", "")
    if text == "None" and kind != "string":
        return "None"
    if kind == "boolean":
        return text
    if kind in ("float", "double"):
        return repr(float(text))
    if kind in ("long", "int"):
        return str(int(text))
    if kind.startswith("tuple"):
        return text
    return repr(text)


def annotation(attr):
    kind = attr["type"].replace(" or None", "")
    base = "str" if kind.startswith("{") else TYPES[kind]
    return f"Optional[{base}]" if attr["type"].endswith(" or None") or attr["default"] == "None" else base


def word(attr):
    """The attribute's type in words."""
    kind = attr["type"].replace(" or None", "")
    words = choices(attr)
    kind = " or ".join([", ".join(words[:-1])] * (len(words) > 1) + words[-1:]) if words else WORDS.get(kind, kind)
    return kind + (" or None" if attr["type"].endswith(" or None") else "")


def python_name(name):
    return name + "_" if keyword.iskeyword(name) else name


def attributes(entry):
    """The attributes that a user gives: not the count of inputs, which is counted."""
    return [a for a in entry["attrs"] if a not in counted(entry)]


def parameters(entry, array, symbolic):
    """[(name, annotation, default or None, by name only)] of an operator's inputs and attributes, and its list input (or None)."""
    out, many, seen_optional = [], None, False
    # x.clip(0, 1) of a symbol as of an array: an input that has no others beside it is never left out, so that attributes may follow by position
    alone = len(entry["inputs"]) == 1 and any(a["required"] for a in attributes(entry))
    for i in entry["inputs"]:
        if i["kind"] == "list":
            many = python_name(i["name"])
            continue
        optional = symbolic and not alone or i["kind"] == "optional"
        out.append((python_name(i["name"]), f"Optional[{array}]" if optional else array, "None" if optional else None, False))
        seen_optional |= optional
    by_name = many is not None
    for a in attributes(entry):
        required = a["required"]
        by_name |= required and seen_optional
        seen_optional |= not required
        out.append((python_name(a["name"]), annotation(a), None if required else literal(a), by_name))
    return out, many


def signature(entry, array, result, symbolic):
    params, many = parameters(entry, array, symbolic)
    front = [f"*{many}: {array}"] if many else []
    plain = [p for p in params if not p[3]]
    named = [p for p in params if p[3]]
    if many:
        plain, named = [], plain + named
    parts = [f"{n}: {t}" + (f" = {d}" if d is not None else "") for n, t, d, _ in plain] + front
    extra = ["name: Optional[str] = None", "attr: Optional[Dict[str, str]] = None"] if symbolic else [f"out: {'Any' if result != array else 'Optional[NDArray]'} = None"]
    parts += [] if many else ["*"]
    parts += [f"{n}: {t}" + (f" = {d}" if d is not None else "") for n, t, d, _ in named] + extra
    return ", ".join(parts)


def document(entry, array):
    lines = textwrap.wrap(entry["doc"], 150) + [""]
    params, rows = "Parameters", []
    for i in entry["inputs"]:
        kind = {"required": array, "optional": f"{array}, optional", "list": f"any number of {array}s", "auxiliary": f"{array}, which training changes"}[i["kind"]]
        rows.append((python_name(i["name"]), kind, i["doc"]))
    for a in attributes(entry):
        kind = word(a) + (f" in {a['range']}" if a["range"] else "")
        rows.append((python_name(a["name"]), kind + ("" if a["required"] else f", default {literal(a)}"), a["doc"]))
    if rows:
        lines += [params, "-" * len(params)]
        for name, kind, doc in rows:
            lines += [f"{name} : {kind}"] + textwrap.wrap(doc, 146, initial_indent="    ", subsequent_indent="    ")
        lines.append("")
    count = entry["outputs"]
    lines.append("Returns " + (f"one {array}." if count == 1 else f"{count} {array}s." if count > 1 else f"one {array} or several, as the attributes say.")
                 + (" Differentiable." if entry["traits"]["differentiable"] else " No gradient goes through it.")
                 + (" Draws random numbers." if entry["traits"]["random"] else ""))
    if entry["example"]:
        lines += ["", "Example: " + entry["example"]]
    others = [n for n in [entry["name"], *entry["aliases"]] if n != entry["function"]]
    if others:
        lines += ["", "Also known as " + ", ".join(others) + "."]
    return lines


def docstring(entry, array):
    text = "\n    ".join(line if line else "" for line in document(entry, array)).replace("\n    \n", "\n\n")
    return '    """' + text.replace("\\", "\\\\").replace('"""', "'''") + '\n    """\n'


def counted(entry):
    """The attribute that says how many inputs there are, where MXNet counts them, too."""
    return [a for a in counts(entry) if a["name"] == "num_args"]


def tuple_of(names):
    return "(" + "".join(n + ", " for n in names).rstrip() + ")" if names else "()"


def pieces(entry):
    """(arrays, values of attributes, values of run-time attributes) as the generated function hands them on."""
    attrs = attributes(entry)
    arrays = [python_name(i["name"]) for i in entry["inputs"] if i["kind"] != "list"]
    many = next((python_name(i["name"]) for i in entry["inputs"] if i["kind"] == "list"), None)
    inputs = ("(*" + many + ",)" if arrays == [] else f"({', '.join(arrays)}, *{many})") if many else tuple_of(arrays)
    count = [" + ".join([f"len({many})"] + [str(len(arrays))] * bool(arrays)) for _ in counted(entry)]
    return inputs, tuple_of([python_name(a["name"]) for a in attrs if not a["runtime"]] + count), tuple_of([python_name(a["name"]) for a in attrs if a["runtime"]])


def operator_line(entry):
    attrs = attributes(entry)
    fixed, runtime = [a for a in attrs if not a["runtime"]] + counted(entry), [a for a in attrs if a["runtime"]]
    defaults = tuple_of(["..." if a["required"] or a in counted(entry) else literal(a) for a in fixed + runtime])
    return f"_Operator({entry['name']!r}, {tuple(map(key, fixed))!r}, {tuple(map(key, runtime))!r}, {defaults}, {entry['outputs'] == 1})"


HEAD = '''# SPDX-License-Identifier: Apache-2.0
# Made by bindings/generate/python.py from the registry; not to be edited.
"""{doc}"""
from typing import Any, Dict, Optional, Sequence, Tuple, Union

{imports}

IntOrTuple = Union[int, Sequence[int]]
FloatOrTuple = Union[float, Sequence[float]]
'''


def module(entries, symbolic):
    array = "Symbol" if symbolic else "NDArray"
    head = HEAD.format(doc="Every operator, on symbols." if symbolic else "Every operator, on arrays.",
                       imports="from .._operator import SymbolOperator as _Operator, flat as _flat\nfrom ..symbol import Symbol" if symbolic
                       else "from .._operator import Operator as _Operator, flat as _flat, unary as _unary\nfrom ..ndarray import NDArray")
    names = sorted({n for name, others, _ in entries for n in [name, *others]})
    out, tail = [head], []
    for name, others, entry in entries:
        result = "Symbol" if symbolic else "NDArray" if entry["outputs"] == 1 else "Tuple[NDArray, ...]" if entry["outputs"] > 1 else "Any"
        inputs, values, scalars = pieces(entry)
        flat = next((f"    {python_name(i['name'])} = _flat({python_name(i['name'])})\n" for i in entry["inputs"] if i["kind"] == "list"), "")
        out.append(f"\n\n_{name}_ = {operator_line(entry)}\n\n\ndef {name}({signature(entry, array, result, symbolic)}) -> {result}:\n{docstring(entry, array)}{flat}")
        if symbolic:
            keys = [python_name(i["name"]) for i in entry["inputs"] if i["kind"] != "list"]
            many = next((python_name(i["name"]) for i in entry["inputs"] if i["kind"] == "list"), None)
            given = "{" + ", ".join(f"{i['name']!r}: {python_name(i['name'])}" for i in entry["inputs"] if i["kind"] != "list") + "}"
            out.append(f"    return _{name}_.compose({given if keys else '{}'}, {many or '()'}, {values}, {scalars}, name, attr)\n")
        else:
            if len(entry["inputs"]) == 1 and entry["inputs"][0]["kind"] == "required" and not attributes(entry) and entry["outputs"] == 1:
                first = python_name(entry["inputs"][0]["name"])
                out.append(f"    if type({first}) is NDArray and out is None:\n        return _unary(_{name}_.plain, None, {first})\n")
            ignore = "" if result == "Any" else "  # type: ignore[no-any-return]"
            out.append(f"    return _{name}_({inputs}, {values}, {scalars}, out){ignore}\n")
        tail += [f"{other} = {name}\n" for other in others]
    out.append("\n\n" + "".join(tail))
    out.append("\n__all__ = [" + ", ".join(repr(n) for n in names) + "]\n")
    if not symbolic:
        methods = [name for name, _, e in entries if e["inputs"] and e["inputs"][0]["kind"] == "required" and e["inputs"][0]["name"] in ("data", "x", "a", "lhs")
                   and all(i["kind"] != "auxiliary" for i in e["inputs"]) and not name.endswith("_update")]
        out.append("#: What NDArrays have as methods: operators whose first input is the array.\nMETHODS: Dict[str, Any] = {" + ", ".join(f"{m!r}: {m}" for m in methods) + "}\n")
    return "".join(out)


def main():
    args = arguments(__doc__, "registry", "folder")
    registry = load(args.registry)
    entries = operators_by_name(registry["operator"])
    write(os.path.join(args.folder, "__init__.py"), '# SPDX-License-Identifier: Apache-2.0\n"""Made at build time from the registry."""\n')
    write(os.path.join(args.folder, "op.py"), module(entries, False))
    write(os.path.join(args.folder, "symbols.py"), module(entries, True))
    for name, text in python_classes.modules(registry):
        write(os.path.join(args.folder, name), text)
    print(len(entries), "operators")


if __name__ == "__main__":
    main()
