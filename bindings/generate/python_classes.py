# SPDX-License-Identifier: Apache-2.0
"""Classes of the Python package for what is registered beside operators: layers, optimizers, schedules, initializers, metrics and sources of batches.

`modules(registry)` are one module a registry, from registry.json alone: a class an entry, its settings the constructor's parameters in the registry's
order, with defaults, types and docs. The base classes are the package's own (flexor.nn.layer.Layer, flexor.optimizer.Optimizer ...). A new entry appears with no line written.
"""
import ast
import keyword
import textwrap

from registry import public, required_first

HEAD = '''# Made from the registry when the package is built; not to be edited.
"""{doc}"""
from __future__ import annotations

from typing import Any, Literal, Optional, Sequence, Union

from {module} import {base}{more}

__all__ = {names}
'''
# registry -> (module made, module and name of the base class, what the module is)
KINDS = {
    "layer": ("layers", "flexor.nn.layer", "Layer", "Layers and losses, one class for each that is registered."),
    "optimizer": ("optimizers", "flexor._settings", "Optimizer", "Optimizers, one class for each that is registered."),
    "schedule": ("schedules", "flexor._settings", "Schedule", "Learning rates by step, one class for each schedule that is registered."),
    "initializer": ("initializers", "flexor._settings", "Initializer", "First values of parameters, one class for each initializer that is registered."),
    "metric": ("metrics", "flexor._settings", "Metric", "Quality measures, one class for each metric that is registered."),
    "iter": ("iters", "flexor.data.iters", "BatchIter", "Sources of batches, one class for each that is registered and reads files."),
}
PLAIN = {"long": "int", "double": "float", "boolean": "bool", "string": "str", "dtype": "Any"}


def annotation(attr):
    """The Python type of an attribute, as text."""
    kind = attr["type"]
    if kind.startswith("{"):
        names = [n.strip().strip("'\"") for n in kind.strip("{}").split(",")]
        literal = "Literal[" + ", ".join(repr(n) for n in names if n != "None") + "]"
        return f"Optional[{literal}]" if "None" in names else literal
    optional = kind.endswith(" or None")
    base = kind[: -len(" or None")] if optional else kind
    if base.startswith("tuple of"):
        number = PLAIN.get(base[len("tuple of "):].replace(" or None", ""), "float")
        text = f"Union[{number}, Sequence[{number}]]"
    elif attr["name"].endswith("initializer"):
        text = "Any"
    else:
        text = PLAIN.get(base, "Any")
    return f"Optional[{text}]" if optional else text


def default(attr):
    """The default of an attribute as a Python literal."""
    text = attr["default"]
    if attr["type"] == "string":
        return repr(text)
    try:
        return repr(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return repr(text)


def parameter(name):
    return name + "_" if keyword.iskeyword(name) else name


def wrapped(text, indent):
    return textwrap.fill(" ".join(text.split()), 110, initial_indent=indent, subsequent_indent=indent + "    ").strip().replace("\\", "\\\\")


def docstring(entry, extra=()):
    """The class's documentation: what it is, its settings with ranges and defaults, an example."""
    lines = [wrapped(entry["doc"], "    ")]
    for i in entry.get("inputs", []):
        if i["name"] != "data" or i["doc"] != "The input.":
            lines.append(f"    Input {i['name']}" + (" (optional)" if i["kind"] == "optional" else "") + ": " + wrapped(i["doc"], "        "))
    if entry["attrs"] or extra:
        lines.append("\n    Parameters")
        lines.append("    ----------")
    for a in entry["attrs"]:
        about = a["type"] + (f" in {a['range']}" if a["range"] else "") + (", required" if a["required"] else f", default {default(a)}")
        lines += [f"    {parameter(a['name'])} : {about}", "        " + wrapped(a["doc"], "        ")]
    for name, about in extra:
        lines += [f"    {name}", "        " + about]
    if entry["example"]:
        lines.append(f"\n    As text: `{entry['example']}`.")
    return "\n".join(lines).replace('"""', "'''")


def one_class(kind, base, entry):
    """The source of one class."""
    attrs = required_first(entry["attrs"])
    # A container takes its children first; Symbol, which is one by family, is made of a symbol.
    container = kind == "layer" and entry["family"] == "container" and not any(a["required"] for a in attrs)
    parts, extra = ["self"], []
    if container:
        parts.append("*children: Any")
        extra.append(("children", "Layers, in their order; `add` appends more."))
    parts += [f"{parameter(a['name'])}: {annotation(a)}" + ("" if a["required"] else f" = {default(a)}") for a in attrs]
    if kind == "layer":
        parts += ([] if container else ["*"]) + ["name: Optional[str] = None"]
        extra.append(("name : str, optional", "Shown in summaries."))
    if kind == "optimizer":
        parts += ["*", "schedule: Any = None"]
        extra.append(("schedule : flexor.schedule.Schedule, optional", "Gives the learning rate by step, from `learning_rate` on where it has no base of its own."))
    settings = "{" + ", ".join(f"{a['name']!r}: {parameter(a['name'])}" for a in attrs) + "}"
    call = {"layer": f"self._setup({settings}, {'children' if container else '()'}, name)", "optimizer": f"super().__init__({settings}, schedule)"}
    flags = f"    _loss = {entry['traits']['loss']}\n    _container = {container}\n    _needed = {sum(i['kind'] == 'required' for i in entry['inputs'])}\n" if kind == "layer" else ""
    return (f'\n\nclass {entry["name"]}({base}):\n    """{docstring(entry, extra)}\n    """\n    kind = {entry["name"]!r}\n{flags}\n'
            f"    def __init__({', '.join(parts)}) -> None:\n        {call.get(kind, f'super().__init__({settings})')}\n")


def modules(registry):
    """[(file name, text)] of the modules."""
    made = []
    for kind, (module, base_module, base, doc) in KINDS.items():
        entries = public(registry, kind)
        names = [e["name"] for e in entries]
        taken = set(names) | {base}
        aliases = [(a, e["name"]) for e in entries for a in e["aliases"] if a.isidentifier() and not keyword.iskeyword(a) and not (a in taken or taken.add(a))]
        text = HEAD.format(doc=doc, module=base_module, base=base, more="", names=repr(names + [a for a, _ in aliases]))
        text += "".join(one_class(kind, base, e) for e in entries)
        if aliases:
            text += "\n\n" + "".join(f"{alias} = {name}\n" for alias, name in aliases)
        made.append((f"{module}.py", text))
    return made
