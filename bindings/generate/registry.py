# SPDX-License-Identifier: Apache-2.0
"""What the generators of all languages share: reading registry.json, which entries are public, what the registry says of inputs and attributes, how files are written."""
import argparse
import json
import os
import re

INDEX = re.compile(r"^(the )?indices|classes from 0|indices from 0|counted from 0", re.I)
INDEX_RESULT = re.compile(r"^(the )?(index|indices)\b", re.I)
AXES = re.compile(r"(^|_)(axis|axes)$|^dim[12]?$")


def arguments(doc, *names):
    """The command line: one value for each of `names`."""
    parser = argparse.ArgumentParser(description=doc)
    for name in names:
        parser.add_argument(name)
    return parser.parse_args()


def load(path):
    """The registry, with the packages' names: what MXNet calls ctx is the device in all of them."""
    with open(path, encoding="utf-8") as f:
        registry = json.load(f)
    for attr in (a for e in registry["operator"] for a in effective(e) if a["name"] == "ctx"):
        attr["name"], attr["key"] = "device", "ctx"
    return registry


def key(attr):
    """What the registry itself calls an attribute."""
    return attr.get("key", attr["name"])


def write(path, content):
    """Writes a file, text or bytes, only if it changes."""
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    if os.path.exists(path):
        with open(path, "rb") as f:
            if f.read() == data:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def is_public(entry):
    """Whether users make it by its settings. Not so: control flow, which takes graphs; what a host's function does, which is given by a token; sources of batches that are handed
    their arrays, those that no setting names a file of."""
    if entry["family"] == "control" or any(a["name"] == "token" for a in entry["attrs"]):
        return False
    return entry["family"] != "iter" or any(a["type"] == "string" for a in entry["attrs"])


def public(registry, kind):
    """The public entries of one registry that is not of operators."""
    return [e for e in registry[kind] if is_public(e) and not e["name"].startswith("_")]


def operators_by_function(registry):
    """[(name, entry)] of all public operators by the name that the registry gives their functions; the first of a name counts. (R, Julia)"""
    out = {}
    for entry in registry["operator"]:
        if is_public(entry):
            out.setdefault(entry["function"].rstrip("_"), entry)
    return list(out.items())


def operators_by_name(operators):
    """[(the name here, other names, entry)] of the public operators that have a name without an underscore in front, and those that MXNet calls _contrib_, which are called contrib_
    here, in rising order. One that MXNet calls _np_NAME has NumPy's meaning and is NAME. (Python, Scala, whose arrays have the others as signs and methods.)"""
    out, native = {}, {}
    for entry in filter(is_public, operators):
        names = [n for n in [entry["name"], *entry["aliases"]] if not n.startswith("_")]
        contrib = [n[1:] for n in [entry["name"], *entry["aliases"]] if n.startswith("_contrib_")]
        if entry["name"].startswith("_np_"):
            native[entry["name"][len("_np_"):]] = entry
        elif names or contrib:
            out[entry["function"]] = (entry, [n for n in names + contrib if n != entry["function"]])
    for name, entry in native.items():
        out[name] = (entry, [])
    taken = set(out)
    return [(name, [n for n in others if n.isidentifier() and n not in taken], entry) for name, (entry, others) in sorted(out.items())]


def presence(entry):
    """Attributes that only say whether an optional input is there: {attribute: (input, the attribute's value if it is there)}."""
    optional = [i["name"] for i in entry["inputs"] if i["kind"] == "optional"]
    said = {prefix + i: (i, value) for i in optional for prefix, value in (("no_", False), ("use_", True))}
    return {a["name"]: said[a["name"]] for a in entry["attrs"] if a["name"] in said}


def counts(entry):
    """The attributes that say how many inputs there are."""
    several = any(i["kind"] == "list" for i in entry["inputs"])
    return [a for a in entry["attrs"] if several and a["name"] in ("num_args", "num_arrays")]


def effective(entry):
    """The attributes that do something here."""
    return [a for a in entry["attrs"] if "without effect" not in a["doc"]]


def shaped_call(entry):
    """The registry's example of an operator's call, `Op(data (2, 3), weight (4, 3), num_hidden=4): (2, 4)`: ([(input, sizes)], {attribute: text}, [an output's sizes]);
    None for one that is not written so."""
    m = re.fullmatch(r"\w+\((.*?)\)(?:: (\(.*))?", entry["example"])
    given = re.findall(r"(?:^|, )(?:(\w+) \(([\d, ]+)\)|(\w+)=(\([^)]*\)|[^,]+))", m.group(1)) if m else []
    inputs = [(name, sizes(text)) for name, text, _, _ in given if name]
    if not inputs:
        return None
    return inputs, {key: text for _, _, key, text in given if key}, [sizes(text) for text in re.findall(r"\(([\d, ]*)\)", m.group(2) or "")]


def sizes(text):
    return tuple(int(n) for n in text.split(",") if n.strip())


def required_first(attrs):
    return sorted(attrs, key=lambda a: not a["required"])


def choices(attr):
    """The words that an attribute of type {'a', 'b'} takes; empty for others."""
    return re.findall(r"'([^']*)'", attr["type"]) if attr["type"].startswith("{") else []


def is_whole(attr):
    return "long" in attr["type"] or attr["type"].startswith("int")


def is_axis(attr):
    """Whether a whole number of it counts axes."""
    return bool(AXES.search(attr["name"])) and is_whole(attr)


def is_index(item):
    """Whether an input holds indices."""
    return bool(INDEX.search(item["doc"]))


def indices_out(entry):
    """(the attribute that says whether a result is indices, whether it always is)."""
    return next((a for a in entry["attrs"] if "indices" in choices(a)), None), entry["name"].startswith("arg") or bool(INDEX_RESULT.search(entry["doc"]))
