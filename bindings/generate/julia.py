#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""julia.py REGISTRY GLUE DIGITS IRIS SOURCE OUT LIBRARY: assembles Julia's package Flexor in OUT: the files of SOURCE, the ccall layer GLUE, functions and types of everything in REGISTRY
(generated/operators.jl, settings.jl), the data sets, and a link to the library."""
import gzip
import os
import re
import shutil

import registry as shared
from registry import arguments, counts, effective, indices_out, is_index, is_whole, key, load, operators_by_function, presence, public, required_first, write

KEYWORDS = {"baremodule", "begin", "break", "catch", "const", "continue", "do", "else", "elseif", "end", "export", "false", "finally", "for", "function", "global", "if", "import", "let",
            "local", "macro", "module", "quote", "return", "struct", "true", "try", "using", "while"}
JULIA = {True: "true", False: "false"}
TAKEN = {"Symbol", "Operator"}  # layers whose names Julia or the package has for something else


def name_of(name):
    return f'var"{name}"' if name in KEYWORDS else name


def is_axis(attr):
    """Whether a whole number of it counts axes, or is the first of a range: it counts from 1 here. (A range's `end`, which the library leaves out, is the last one here.)"""
    return shared.is_axis(attr) or attr["name"] == "begin" and is_whole(attr)


def used(entry, there=()):
    """The attributes that a caller may give, required ones first."""
    return required_first(a for a in effective(entry) if a["name"] not in there)


def default_text(attr):
    text = attr["default"]
    if is_axis(attr):
        text = re.sub(r"(?<![-\d])\d+", lambda m: str(int(m.group()) + 1), text)
    return text


def attr_doc(attr):
    doc = attr["doc"].replace("from 0", "from 1")
    said = [attr["type"]] + ([f"in {attr['range']}"] if attr["range"] and not is_axis(attr) else [])
    said += [] if attr["required"] or attr["default"] in ("", "None") else [f"default {default_text(attr)}"]
    return f"- `{attr['name']}` ({', '.join(said)}): {doc}" + (" Counts from 1." if is_axis(attr) else "")


def docstring(signature, text, lines, after=""):
    body = f"    {signature}\n\n{text}\n" + ("\n" + "\n".join(lines) + "\n" if lines else "") + (f"\n{after}\n" if after else "")
    return '"""\n' + body.replace("\\", "\\\\").replace("$", "\\$").replace('"""', "'''") + '"""\n'


def keywords(attrs):
    return [name_of(a["name"]) + ("" if a["required"] else " = nothing") for a in attrs]


def options(attrs, more=()):
    parts = [f"{name_of(key(a))} = " + (f"axis_in({name_of(a['name'])})" if is_axis(a) else name_of(a["name"])) for a in attrs] + list(more)
    return "(" + "".join(p + ", " for p in parts) + ")" if parts else "()"


def operator(name, entry):
    name, there = name_of(name), presence(entry)
    variadic = [i for i in entry["inputs"] if i["kind"] == "list"]
    count = [a["name"] for a in counts(entry)]
    attrs = [a for a in used(entry, there) if a["name"] not in count]
    inputs = [i for i in entry["inputs"] if i["kind"] != "list"]
    takes = sorted(inputs, key=lambda i: i["kind"] == "optional")
    # What the caller gives, by position. An input may have an attribute's name: then it is an array of its own.
    clash = {a["name"] for a in attrs}
    call_names = {i["name"]: name_of(i["name"] + ("_" if i["name"] in clash else "")) for i in inputs}
    formals = [call_names[i["name"]] + (" = nothing" if i["kind"] == "optional" else "") for i in takes]
    indexed = {i["name"] for i in inputs if i["name"].startswith("ind") or is_index(i)}
    given = [f"from_one({call_names[i['name']]})" if i["name"] in indexed else call_names[i["name"]] for i in inputs]
    arrays = f"({''.join(g + ', ' for g in given)}{'several...,' if variadic else ''})"
    if variadic:
        formals = [f for f in formals if "=" not in f] + ["several..."]
    more = [f"{a} = {call_names[i]} === nothing ? {JULIA[not value]} : {JULIA[value]}" for a, (i, value) in there.items()] + [f"{c} = length(several) + {len(inputs)}" for c in count]
    call = f'call_op("{entry["name"]}", {arrays}, {options(attrs, more)})'
    result_indices, by_name = indices_out(entry)
    if result_indices:
        body = f'indices_out({call}, {name_of(result_indices["name"])})'
    else:
        body = f"one_or_all({f'map(to_one, {call})' if by_name else call})"
    if variadic and any("=" in f for f in [call_names[i["name"]] + (" = nothing" if i["kind"] == "optional" else "") for i in takes]):
        raise ValueError(f"{entry['name']}: optional inputs beside a list")
    formals = ", ".join(formals) + ("; " + ", ".join(keywords(attrs)) if attrs else "")
    lines = [f"- `{call_names[i['name']]}`: {(i['doc'] or 'An array.').replace('from 0', 'from 1')}" + (" Counts from 1." if i["name"] in indexed else "") for i in takes]
    lines += [f"- `several`: {i['doc']}" for i in variadic] + [attr_doc(a) for a in attrs]
    after = (f"Other languages also call it {', '.join('`' + a + '`' for a in entry['aliases'])}." if entry["aliases"] else "")
    return docstring(f"{name}({formals})", entry["doc"].replace("counted from 0", "counted from 1"), lines, after) + f"function {name}({formals})\n    return {body}\nend\n"


def operators(registry):
    out = [operator(name, entry) for name, entry in operators_by_function(registry)]
    head = ('"A function for each operator of the library, by its name: `nd.softmax(x; axis = 2)`. Axes and indices count from 1, negative axes from the end; results have the library\'s sizes."\n'
            "baremodule nd\n"
            "using ..Flexor: call_op, one_or_all, axis_in, from_one, to_one, indices_out\nusing Base: map, length, +, ===, nothing\n")
    return head + "\n".join(out) + "end\n"


def plain(kind, entry, maker):
    """A constructor of a setting: required attributes come first, by position or by name."""
    name = entry["name"] + ("Layer" if entry["name"] in TAKEN else "")
    attrs = used(entry)
    needed = [a for a in attrs if a["required"]]
    rest = [a for a in attrs if not a["required"]]
    first = [a for a in rest if a["name"] == "learning_rate"] if kind == "optimizer" else []
    rest = [a for a in rest if a not in first]
    container = entry["family"] == "container"
    by_place = [name_of(a["name"]) for a in needed] + [f"{name_of(a['name'])} = nothing" for a in first] + (["children..."] if container else [])
    formals = ", ".join(by_place) + ("; " + ", ".join(keywords(rest)) if rest else "")
    takes = [f"- {i['name']}: {i['doc']}" for i in entry["inputs"]] if kind == "layer" else []
    lines = [attr_doc(a) for a in attrs] + (["", "Input:"] + takes if takes else [])
    return name, docstring(f"{name}({formals})", entry["doc"], lines), formals, maker(entry, attrs, container)


def layers(registry):
    out, names = [], []
    for entry in public(registry, "layer"):
        if entry["traits"]["loss"]:
            continue
        name, doc, formals, call = plain("layer", entry, lambda e, attrs, container: f"make_layer(:{e['name']}, {options(attrs)}" + (", Layer[as_layer(c) for c in children])" if container else ")"))
        names.append(name)
        positional = [a for a in used(entry) if a["required"]]
        out.append(f"{doc}const {name} = CoreLayer{{:{entry['name']}}}\n{name}({formals}) = {call}\n")
        if any(a["name"] == "activation" and not a["required"] for a in entry["attrs"]) and len(positional) == 1:
            out.append(f"{name}({positional[0]['name']}, activation::Union{{Function,AbstractString}}; options...) = {name}({positional[0]['name']}; activation = activation, options...)\n")
    return names, "\n".join(out)


def losses(registry):
    out, names = [], []
    for entry in public(registry, "layer"):
        if not entry["traits"]["loss"]:
            continue
        function = entry["function"]
        short = function[:-len("_loss")]
        name = short if "_" in short else function
        attrs = used(entry)
        inputs = entry["inputs"]
        given = []
        for i in inputs:
            text = name_of(i["name"])
            if is_index(i):
                text = f"from_one({text})" if not any(a["name"] == "sparse_label" for a in attrs) else f"(sparse_label === false ? {text} : from_one({text}))"
            given.append(text)
        formals = ", ".join([name_of(i["name"]) + (" = nothing" if i["kind"] == "optional" else "") for i in inputs])
        words = "; " + ", ".join(keywords(attrs)) if attrs else ""
        lines = [f"- `{i['name']}`: {i['doc'].replace('from 0', 'from 1')}" for i in inputs] + [attr_doc(a) for a in attrs]
        out.append(docstring(f"{name}({formals}{words})", entry["doc"].replace("from 0", "from 1"), lines, "Gives one value for each sample; `mean` of them is what training makes small. Without arrays it is the loss itself, for `fit`.") +
                   f"{name}({formals}{words}) = run_loss(Setting{{:loss,:{entry['name']}}}(given({options(attrs)})), ({''.join(g + ', ' for g in given)}))\n"
                   f"{name}({words}) = Setting{{:loss,:{entry['name']}}}(given({options(attrs)}))\n")
        names.append(name)
    return names, "\n".join(out)


def optimizers(registry):
    out, names = [], []
    for entry in public(registry, "optimizer"):
        name, doc, formals, call = plain("optimizer", entry, lambda e, attrs, container: f'make_optimizer("{e["name"]}", {options(attrs)})')
        names.append(name)
        out.append(f"{doc}{name}({formals}) = {call}\n")
    return names, "\n".join(out)


MODULES = {"metric": ("Metrics", "Measures of quality"), "initializer": ("Initializers", "First values of parameters"), "schedule": ("Schedules", "Learning rates by step"),
           "iter": ("Iterators", "Sources of batches in files, for `batches`")}


def module(kind, registry):
    name, what = MODULES[kind]
    out = [f'"{what}, by their names in every language."\nmodule {name}\nusing ..Flexor: Setting, given, axis_in']
    for entry in public(registry, kind):
        made, doc, formals, call = plain(kind, entry, lambda e, attrs, container: f"Setting{{:{kind},:{e['name']}}}(given({options(attrs)}))")
        out.append(f"{doc}{made}({formals}) = {call}\n")
    return "\n".join(out) + "end\n"


def settings(registry):
    layer_names, layer_text = layers(registry)
    loss_names, loss_text = losses(registry)
    optimizer_names, optimizer_text = optimizers(registry)
    names = layer_names + loss_names + optimizer_names
    return "\n".join([layer_text, loss_text, optimizer_text] + [module(k, registry) for k in MODULES] + [f"export {', '.join(names)}\n"])


def main():
    args = arguments(__doc__, "registry", "glue", "digits", "iris", "source", "out", "library")
    registry, source, out = load(args.registry), args.source, args.out
    head = "# SPDX-License-Identifier: Apache-2.0\n# Made by bindings/generate/julia.py from the registry; not to be edited.\n"
    for folder, _, files in os.walk(source):
        for name in files:
            if name != "CMakeLists.txt":
                path = os.path.join(folder, name)
                write(os.path.join(out, os.path.relpath(path, source)), open(path, "rb").read())
    kept = {os.path.relpath(os.path.join(d, n), source) for d, _, files in os.walk(source) for n in files}
    for part in ("src", "test"):  # what the sources have no more
        for folder, _, files in os.walk(os.path.join(out, part)):
            for name in files:
                path = os.path.join(folder, name)
                if os.path.relpath(path, out) not in kept:
                    os.remove(path)
    write(os.path.join(out, "generated", "glue.jl"), open(args.glue, "rb").read())
    write(os.path.join(out, "generated", "operators.jl"), head + operators(registry))
    write(os.path.join(out, "generated", "settings.jl"), head + settings(registry))

    def unpacked(part, what, header):
        with gzip.open(os.path.join(args.digits, f"{part}-{what}-ubyte.gz")) as f:
            return f.read()[header:]
    write(os.path.join(out, "data", "digits.images"), b"".join(unpacked(p, "images-idx3", 16) for p in ("train", "test")))
    write(os.path.join(out, "data", "digits.labels"), b"".join(unpacked(p, "labels-idx1", 8) for p in ("train", "test")))
    shutil.copyfile(args.iris, os.path.join(out, "data", "iris.csv"))
    link = os.path.join(out, "lib", "libflexor.so.0")
    os.makedirs(os.path.dirname(link), exist_ok=True)
    if os.path.lexists(link):
        os.remove(link)
    os.symlink(args.library, link)


if __name__ == "__main__":
    main()
