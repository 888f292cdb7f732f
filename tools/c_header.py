# SPDX-License-Identifier: Apache-2.0
"""What SWIG's XML leaves out of a public C header: each function's macro (draft, stable, or what a plugin exports), comment and since, and the types as they are written."""
import collections
import re

Declared = collections.namedtuple("Declared", "name returns args comment macro since")  # args: [(type, name)]
FIRST = "0.1.0"  # the version of every function that does not say another
_FUNCTION = re.compile(r"((?:/\*\*(?:(?!\*/).)*\*/\s*)?)\bFLX_(DRAFT|API|PLUGIN)\s+([^;()]*?)\b(flx_\w+)\s*\(([^;]*?)\)\s*;", re.S)
_SINCE = re.compile(r"\bSince (?:version )?(\d+\.\d+\.\d+)")


def declarations(text):
    """[Declared] of every function."""
    text = re.sub(r"^[ \t]*#.*?(?<!\\)$", "", text, flags=re.M)
    out = []
    for comment, macro, returns, name, args in _FUNCTION.findall(text):
        parsed = []
        for a in [] if args.strip() in ("", "void") else args.split(","):
            m = re.match(r"^(.*?)(\w+)$", " ".join(a.split()))
            parsed.append((m.group(1).strip(), m.group(2)) if m else (a.strip(), ""))
        comment = " ".join(re.sub(r"^\s*\*(?!/)|/\*\*|\*/", "", comment, flags=re.M).split())
        since = _SINCE.search(comment)
        out.append(Declared(name, " ".join(returns.split()), parsed, comment, macro, since.group(1) if since else FIRST))
    return out


def types(text):
    """[(name, C text)] of every typedef, struct and union, in their order."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    text = re.sub(r"^[ \t]*#.*?(?<!\\)$", "", text, flags=re.M)
    out = []
    for body in re.findall(r"\b(?:typedef|struct|union)\b[^;{()]*(?:\{[^}]*\}[^;]*|\([^;]*)?;", text):
        body = " ".join(body[:-1].split())
        name = re.search(r"\(\s*\*\s*(\w+)\s*\)|(\w+)\s*(?:\[\w*\])?$|^(?:struct|union) (\w+)", body)
        if name and not (body.startswith(("struct", "union")) and "{" not in body):
            out.append((next(g for g in name.groups() if g), body))
    return out
