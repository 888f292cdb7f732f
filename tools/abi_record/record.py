# SPDX-License-Identifier: Apache-2.0
"""c_api/abi.txt as values: read, compared, written. A line is its kind, then what that kind says; `change` lines at the end say what changed and why."""
import collections
import hashlib
import re

HEADER_KINDS = ("abi", "type", "constant", "function")
REGISTRIES = ("operator", "layer", "optimizer", "schedule", "initializer", "metric", "iter", "pass", "store", "options")  # what the header's registry functions name
LIBRARY_KINDS = ("library",) + REGISTRIES
HEAD = """# SPDX-License-Identifier: Apache-2.0
# The record of Flexor's ABI. The tests abi_header, abi_library and abi_types hold it against the headers and the built library. docs/abi.md says how it is kept.
# After a deliberate change: tools/abi --record "why". It writes this file; nothing here is written by hand.
#   function  draft, stable or a plugin's, since, signature            operator ... iter  since, name(inputs; settings: type [= default]) -> outputs; aliases
#   change    version, digest of the lines above, what was added (+), changed (~) and removed (-), and why
"""
Record = collections.namedtuple("Record", "lines changes conflict")


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            return parse(f.read())
    except FileNotFoundError:
        return Record([], [], False)


def parse(text):
    rows = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    known = [r for r in rows if r.split()[0] in HEADER_KINDS + LIBRARY_KINDS]
    changes = [r for r in rows if r.startswith("change ")]
    return Record(known, changes, len(known) + len(changes) != len(rows))


def key(line):
    """What a line is about: two lines of one key say different things of the same function or operator."""
    kind, rest = line.split(" ", 1)
    if kind == "function":
        return kind, re.search(r"\b(flx_\w+)\(", rest).group(1)
    if kind in REGISTRIES:
        return kind, rest.split(" ", 1)[1].split("(", 1)[0]
    return kind, rest.split(" ")[0] if kind in ("constant", "type") else ""


def digest(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


def difference(old, new):
    """(added, changed, removed) keys, and the lines by key of both."""
    a, b = {key(r): r for r in old}, {key(r): r for r in new}
    return [k for k in b if k not in a], [k for k in b if k in a and a[k] != b[k]], [k for k in a if k not in b], a, b


def compare(old, new, kinds):
    """What the record says otherwise than `new`, of the lines of `kinds`."""
    added, changed, removed, a, b = difference([r for r in old.lines if r.split()[0] in kinds], new)
    wrong = [f"missing in the record: {b[k]}" for k in added]
    wrong += [f"in the record, and not there: {a[k]}" for k in removed]
    wrong += [f"changed: {k[0]} {k[1]}\n  recorded: {a[k]}\n  found:    {b[k]}" for k in changed]
    return wrong


def faults(old):
    """What is wrong with the record itself."""
    if not old.lines:
        return ["the record is empty"]
    wrong = ["the record has lines that are none, as a merge leaves them"] if old.conflict else []
    keys = [key(r) for r in old.lines]
    wrong += [f"recorded twice: {k[0]} {k[1]}" for k in sorted({k for k in keys if keys.count(k) > 1})]
    last = old.changes[-1].split() if old.changes else []
    if len(last) < 5:
        wrong.append("no `change` line says why the record is what it is")
    elif last[2] != digest(old.lines):
        wrong.append(f"the lines were changed without a reason: their digest is {digest(old.lines)}, the last `change` line has {last[2]}")
    return wrong


def version_of(line):
    words = line.split()
    return words[2] if words[0] == "function" else words[1] if words[0] in REGISTRIES else None


def _numbers(version):
    return tuple(int(n) for n in version.split("."))


def refusals(old, new):
    """Why `new` may not be recorded: from 1.0.0 on what is stable stays; what is new says its version."""
    added, changed, removed, a, b = difference(old.lines, new)
    version = library_version(new)
    wrong = [f"{b[k]}: is since {version_of(b[k])}, and this is version {version}" for k in b
             if version_of(b[k]) and _numbers(version_of(b[k])) > _numbers(version)]
    if old.lines:
        wrong += [f"{b[k]}: is new in version {version}; " + ("its comment must say `Since " + version + ".`" if k[0] == "function" else "its definition must say so")
                  for k in added if version_of(b[k]) and version_of(b[k]) != version]
    wrong += [f"{a[k]}: is stable and may not be {what}" for keys, what in ((changed, "changed"), (removed, "removed")) for k in keys
              if a[k].startswith("function stable ")]
    return wrong


def library_version(lines):
    return next(r.split()[2] for r in lines if r.startswith("library "))


def _names(sign, keys, most):
    by_kind = {}
    for kind, name in keys:
        by_kind.setdefault(kind, []).append(name)
    for kind, names in by_kind.items():
        if len(names) > most:
            yield f"{sign}{len(names)} {kind if kind == 'options' else kind + ('es' if kind.endswith('s') else 's')}"
        else:
            yield f"{sign}{kind} {', '.join(names)}".rstrip()


def save(path, old, new, reason):
    """Writes the record; returns the new `change` line, or None if there is nothing to say."""
    added, changed, removed, _, _ = difference(old.lines, new)
    if not (added or changed or removed or faults(old)):
        return None
    what = "; ".join([*_names("+", added, 4), *_names("~", changed, 20), *_names("-", removed, 20)]) or "the same lines"
    change = f"change {library_version(new)} {digest(new)} {what}: {reason}"
    with open(path, "w", encoding="utf-8") as f:
        f.write(HEAD + "\n".join(new + old.changes + [change]) + "\n")
    return change
