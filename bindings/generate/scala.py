#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scala.py REGISTRY_JSON FOLDER: what the Scala package has of each thing registered, as Scala sources in FOLDER: op (operators on tensors), nn (layers and losses), optimizers,
schedules, initializers and metrics, with Scaladoc. What is registered is there at the next build.

Names are Scala's: softmax_cross_entropy is softmaxCrossEntropy, SGD is Sgd, kernel_size is kernel (of layers, which have no other kernel). Which operators are public is decided as for
Python (python.py). Integers are Long, numbers Double; what may be a number or several, a dtype, or None has type Any (a number, a Seq, Shape, DType, None, Some), checked by the core."""
import argparse
import json
import os
import re

from python import counted, public

KEYWORDS = set("abstract case catch class def do else extends false final finally for forSome if implicit import lazy macro match new null object override package private "
               "protected return sealed super this throw trait try true type val var while with yield scope".split())
PLAIN = {"float": "Double", "double": "Double", "long": "Long", "int": "Long", "boolean": "Boolean", "string": "String"}


def camel(name):
    head, *rest = name.split("_")
    made = head + "".join(r[:1].upper() + r[1:] for r in rest)
    return made + "Value" if made in KEYWORDS else made


def title(name):
    """SGD is Sgd; Adam, RMSProp and MaxPool2D stay."""
    return name.capitalize() if name.isupper() else name


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def typed(attr):
    """(Scala's type, default as Scala writes it)"""
    kind, text = attr["type"], attr["default"]
    base = "String" if kind.startswith("{") and not kind.endswith(" or None") else PLAIN.get(kind, "Any")
    if base == "Any" or text == "None" and base != "String":
        if text == "None":
            return "Any", "None"
        if kind == "boolean or None":
            return "Any", text.lower()
        return "Any", f"org.flexor.Settings.Text({quoted(text)})" if not re.fullmatch(r"-?\d+", text) else text + "L"
    if base == "Double":
        number = {"inf": "Double.PositiveInfinity", "-inf": "Double.NegativeInfinity", "nan": "Double.NaN"}.get(text)
        return base, number or (repr(float(text)) if text else "0.0")
    if base == "Long":
        return base, text + "L"
    if base == "Boolean":
        return base, text.lower()
    return base, quoted(text)


def documentation(text):
    return text.replace("*/", "* /").replace("/*", "/ *").replace("$", "$$").replace("\\u", "\\ u")


def scaladoc(entry, params, indent):
    lines = [entry["doc"]]
    if entry.get("example"):
        lines.append("Example: `" + entry["example"] + "`.")
    others = [n for n in entry["aliases"] if not n.startswith("_")]
    if others:
        lines.append("Also known as " + ", ".join(others) + ".")
    for name, doc in params:
        lines.append(f"@param {name} {doc}")
    return f"{indent}/** " + f"\n{indent} *  ".join(documentation(line) for line in lines) + " */\n"


def about(attr):
    limits = f" in {attr['range']}" if attr["range"] else ""
    return f"{attr['doc']} ({attr['type']}{limits}" + (", must be given)" if attr["required"] else f", default {attr['default'] or 'empty'})")


def operator(name, entry):
    """An operator as a function of object op."""
    attrs = [a for a in entry["attrs"] if a not in counted(entry)]
    inputs, many = [], None
    for i in entry["inputs"]:
        if i["kind"] == "list":
            many = camel(i["name"])
        else:
            inputs.append((camel(i["name"]), i["kind"] == "optional", i["doc"]))
    docs = [(n, d) for n, _, d in inputs] + [(camel(i["name"]), i["doc"]) for i in entry["inputs"] if i["kind"] == "list"] + [(camel(a["name"]), about(a)) for a in attrs]
    of_tensors = bool(inputs or many)
    given, generic = [], "[T <: Tensor]" if of_tensors else ""
    for place, (n, optional, _) in enumerate(inputs):
        given.append(f"{n}: {'T' if place == 0 else 'Tensor'}" + (" = null" if optional and place else ""))
    if many:
        given.append(f"{many}: Seq[{'T' if not inputs else 'Tensor'}]")
    for a in sorted(attrs, key=lambda a: not a["required"]):
        kind, default = typed(a)
        given.append(f"{camel(a['name'])}: {kind}" + ("" if a["required"] else f" = {default}"))
    one = "T" if of_tensors else "NDArray"
    result = one if entry["outputs"] == 1 else f"Seq[{one}]"
    arrays = "Seq(" + ", ".join(n for n, _, _ in inputs) + ")" if inputs or not many else many
    if many and inputs:
        arrays += f" ++ {many}"
    pairs = [f"{quoted(a['name'])} -> {camel(a['name'])}" for a in attrs]
    pairs += [f'"{a["name"]}" -> {many}.length' for a in counted(entry)]
    call = "one" if entry["outputs"] == 1 else "all"
    extra = f"[{one}]"
    return (scaladoc(entry, docs, "  ") + f"  def {camel(name)}{generic}({', '.join(given)}): {result} =\n"
            f"    Operators.{call}{extra}({quoted(entry['name'])}, {arrays}, Array({', '.join(pairs)}))\n")


def setting_name(attr, layer):
    name = attr["name"]
    return camel(name[: -len("_size")] if layer and name in ("kernel_size", "pool_size") else name)


def activation(value):
    return "NoActivation" if value == "None" else value.capitalize()


def described(entry, base, layer, activations):
    """A layer, optimizer ... as a case class: a description by name and settings."""
    attrs = sorted(entry["attrs"], key=lambda a: not a["required"])
    name = entry["name"] if layer else title(entry["name"])
    params, pairs = [], []
    for a in attrs:
        kind, default = typed(a)
        if layer and a["name"] == "activation" and a["type"] == activations and entry["name"] != "Activation":
            kind, default = "Activation", activation(a["default"])
        n = setting_name(a, layer)
        params.append(f"{n}: {kind}" + ("" if a["required"] else f" = {default}"))
        pairs.append(f"{quoted(a['name'])} -> {n}")
    docs = [(setting_name(a, layer), about(a)) for a in attrs]
    if base == "Optimizer":
        params.append("schedule: Option[Schedule] = None")
        docs.append(("schedule", "Gives the learning rate by step."))
    trait = "Loss" if layer and entry["traits"]["loss"] else base
    args = f"({quoted(entry['name'])}, Settings.given({quoted(entry['name'])}, {', '.join(pairs)}))" if pairs else f"({quoted(entry['name'])}, Nil)"
    if not params:
        return scaladoc(entry, docs, "") + f"case object {name} extends {trait}{args}\n"
    made = scaladoc(entry, docs, "") + f"case class {name}({', '.join(params)}) extends {trait}{args}\n"
    if layer and not any(a["required"] for a in attrs):  # Standardize is Standardize()
        defaults = ", ".join(p.split(" = ", 1)[1] for p in params)
        made += f"/** [[{name}]] with its defaults: may stand where a layer is wanted. */\nobject {name} extends {name}({defaults})\n"
    return made


HEAD = "// SPDX-License-Identifier: Apache-2.0\n// Made by bindings/generate/scala.py from the registry; not to be edited.\npackage org.flexor\n"
KINDS = [("optimizer", "Optimizer", ""), ("schedule", "Schedule", "schedule"), ("initializer", "Initializer", "init"), ("metric", "Metric", "metric")]


def write(path, text):
    if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


def layers(entries):
    activations = next(a["type"] for e in entries if e["name"] == "Activation" for a in e["attrs"] if a["name"] == "activation")
    # Containers hold layers and are written by hand (Layers.scala); so is what is made of something else than settings.
    plain = [e for e in entries if e["family"] != "container" and e["name"] not in ("Operator", "Symbol") and not e["name"].startswith("_")]
    out = [HEAD.replace("package org.flexor\n", "package org.flexor.nn\n\nimport org.flexor._\n")]
    out += ["\n" + described(e, "CoreLayer", True, activations) for e in plain]
    for value in re.findall(r"'([^']*)'", activations):
        name = activation(value)
        out.append(f"\n/** The activation {value}: a layer, and what layers with an activation take. */\nobject {name} extends Activation({quoted(value)})\n")
    return "".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("registry")
    parser.add_argument("folder")
    args = parser.parse_args()
    with open(args.registry, encoding="utf-8") as f:
        registry = json.load(f)
    os.makedirs(args.folder, exist_ok=True)
    operators = public(registry["operator"])
    body = "\n".join(operator(name, entry) for name, _, entry in operators)
    write(os.path.join(args.folder, "op.scala"), f"{HEAD}\n/** Every operator of the registry, on tensors. A result belongs to the innermost open scope. */\nobject op {{\n{body}}}\n")
    write(os.path.join(args.folder, "nn.scala"), layers(registry["layer"]))
    for kind, base, package in KINDS:
        entries = [e for e in registry[kind] if not e["name"].startswith("_") and e["name"] not in ("Composite", "Host")]  # of several; of one's own: Metric's
        head = HEAD.replace("org.flexor\n", f"org.flexor.{package}\n\nimport org.flexor._\n") if package else HEAD
        write(os.path.join(args.folder, kind + ".scala"), head + "".join("\n" + described(e, base, False, "") for e in entries))
    print(len(operators), "operators")


if __name__ == "__main__":
    main()
