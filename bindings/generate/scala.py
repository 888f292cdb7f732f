#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scala.py REGISTRY_JSON FOLDER: what the Scala package has of each thing registered, as Scala sources in FOLDER: op (operators on tensors), nn (layers and losses), optimizers,
schedules, initializers, metrics and iterators, with Scaladoc. What is registered is there at the next build, but layers that bindings/scala/src has by hand.

Names are Scala's: softmax_cross_entropy is softmaxCrossEntropy, SGD is Sgd, kernel_size is kernel (of layers, which have no other kernel). Which operators are public is decided as for
Python (registry.py). Integers are Long, numbers Double; what may be a number or several, a dtype, or None has type Any (a number, a Seq, Shape, DType, None, Some), checked by the core."""
import json
import os
import re

from registry import arguments, key, load, operators_by_name, public, required_first, write
from python import counted

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
    for a in required_first(attrs):
        kind, default = typed(a)
        given.append(f"{camel(a['name'])}: {kind}" + ("" if a["required"] else f" = {default}"))
    one = "T" if of_tensors else "NDArray"
    result = one if entry["outputs"] == 1 else f"Seq[{one}]"
    arrays = "Seq(" + ", ".join(n for n, _, _ in inputs) + ")" if inputs or not many else many
    if many and inputs:
        arrays += f" ++ {many}"
    pairs = [f"{quoted(key(a))} -> {camel(a['name'])}" for a in attrs]
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
    attrs = required_first(entry["attrs"])
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
    args = f"({quoted(entry['name'])}, Settings.list({quoted(entry['name'])}, {', '.join(pairs)}))" if pairs else f"({quoted(entry['name'])}, Nil)"
    if not params:
        return scaladoc(entry, docs, "") + f"case object {name} extends {trait}{args}\n"
    made = scaladoc(entry, docs, "") + f"case class {name}({', '.join(params)}) extends {trait}{args}\n"
    if layer and not any(a["required"] for a in attrs):  # Standardize is Standardize()
        defaults = ", ".join(p.split(" = ", 1)[1] for p in params)
        made += f"/** [[{name}]] with its defaults: may stand where a layer is wanted. */\nobject {name} extends {name}({defaults})\n"
    return made


def container(entry):
    """A layer that holds layers: Name(Dense(3), Dense(4)), or Name(setting = 1)(Dense(3), Dense(4))."""
    name, attrs = entry["name"], required_first(entry["attrs"])
    typed_attrs = [(setting_name(a, True), *typed(a), a) for a in attrs]
    if not attrs:
        return scaladoc(entry, [], "") + f'final case class {name}(layers: Layer*) extends Container("{name}", Nil)\n'
    fields = "".join(f", {n}: {kind}" for n, kind, _, _ in typed_attrs)
    given = ", ".join(f"{n}: {kind}" + ("" if a["required"] else f" = {default}") for n, kind, default, a in typed_attrs)
    pairs = ", ".join(f"{quoted(a['name'])} -> {n}" for n, _, _, a in typed_attrs)
    docs = scaladoc(entry, [(n, about(a)) for n, _, _, a in typed_attrs], "  ")
    names = ", ".join(n for n, *_ in typed_attrs)
    return (f'/** {documentation(entry["doc"])} Made by its companion. */\nfinal case class {name}(layers: Seq[Layer]{fields}) extends Container("{name}", Settings.list("{name}", {pairs}))\n'
            f"object {name} {{\n{docs}  def apply({given})(layers: Layer*): {name} = new {name}(layers, {names})\n}}\n")


def by_hand():
    """The classes that the package's own sources have."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scala", "src")
    texts = [open(os.path.join(folder, name), encoding="utf-8").read() for name in sorted(os.listdir(folder))]
    return {name for text in texts for name in re.findall(r"^(?:\w+(?:\[\w+\])? )*class (\w+)", text, re.M)}


HEAD = "// SPDX-License-Identifier: Apache-2.0\n// Made by bindings/generate/scala.py from the registry; not to be edited.\npackage org.flexor\n"
KINDS = [("optimizer", "Optimizer", ""), ("schedule", "Schedule", "schedule"), ("initializer", "Initializer", "initializer"), ("metric", "Metric", "metric"),
         ("iter", "CoreSource", "data")]


def layers(entries):
    activations = next(a["type"] for e in entries if e["name"] == "Activation" for a in e["attrs"] if a["name"] == "activation")
    there = by_hand()
    plain = [e for e in entries if e["name"] not in there]
    out = [HEAD.replace("package org.flexor\n", "package org.flexor.nn\n\nimport org.flexor._\n")]
    out += ["\n" + (container(e) if e["family"] == "container" else described(e, "CoreLayer", True, activations)) for e in plain]
    for value in re.findall(r"'([^']*)'", activations):
        name = activation(value)
        out.append(f"\n/** The activation {value}: a layer, and what layers with an activation take. */\nobject {name} extends Activation({quoted(value)})\n")
    return "".join(out)


def main():
    args = arguments(__doc__, "registry", "folder")
    registry = load(args.registry)
    operators = operators_by_name(registry["operator"])
    body = "\n".join(operator(name, entry) for name, _, entry in operators)
    write(os.path.join(args.folder, "op.scala"), f"{HEAD}\n/** Every operator of the registry, on tensors. A result belongs to the innermost open scope. */\nobject op {{\n{body}}}\n")
    write(os.path.join(args.folder, "nn.scala"), layers(public(registry, "layer")))
    for kind, base, package in KINDS:
        head = HEAD.replace("org.flexor\n", f"org.flexor.{package}\n\nimport org.flexor._\n") if package else HEAD
        write(os.path.join(args.folder, kind + ".scala"), head + "".join("\n" + described(e, base, False, "") for e in public(registry, kind)))
    print(len(operators), "operators")


if __name__ == "__main__":
    main()
