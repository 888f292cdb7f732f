#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the public C header. `header_rules.py C_API_H HANDLE_CASES_H` checks it, `--self-test` checks the rules on samples that break them.
Every function has a comment of at least one sentence that names each of its arguments in backquotes; types are those of rule 6; functions that may wait, and
only those, have `timeout_ms`; every handle argument stands in the test's list of cases."""
import re
import sys

TYPES = {"int32_t", "int64_t", "double", "const char *", "const char **", "char *", "char **", "void *", "const void *", "int32_t *", "int64_t *", "double *",
         "const int64_t *", "const double *", "const char *const *"}
FUNCTION = re.compile(r"((?:/\*\*.*?\*/\s*)?)FLX_(?:DRAFT|API)\s+([^;()]*?)\b(flx_\w+)\s*\(([^;]*?)\)\s*;", re.S)
# Words that bindings cannot use as an argument's name, of Python, R, Julia, Scala, C++ and SWIG.
KEYWORDS = set("""and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass
raise return try while with yield TRUE FALSE NULL function next repeat baremodule begin const do end export false let local macro module quote struct true
using abstract case catch extends final forSome implicit lazy match new null object override package private protected sealed super this throw trait type
val var alignas auto bool char default delete double enum explicit extern float friend goto inline int long mutable namespace operator public register
short signed sizeof static switch template typedef typename union unsigned virtual void volatile wchar_t""".split())


def parse(text):
    """[(name, return type, [(type, argument)], comment)] of every function."""
    text = re.sub(r"^\s*#.*?(?<!\\)$", "", text, flags=re.M)
    out = []
    for comment, returns, name, args in FUNCTION.findall(text):
        parsed = []
        for a in [] if args.strip() in ("", "void") else args.split(","):
            m = re.match(r"^(.*?)(\w+)$", " ".join(a.split()))
            parsed.append((m.group(1).strip(), m.group(2)) if m else (a.strip(), ""))
        out.append((name, " ".join(returns.split()), parsed, " ".join(re.sub(r"^\s*\*(?!/)|/\*\*|\*/", "", comment, flags=re.M).split())))
    return out


def is_handle(kind):
    return re.fullmatch(r"(const )?flx_\w+( \*)?", kind) is not None and not kind.startswith("flx_status")


def check(header, cases):
    wrong = []
    functions = parse(header)
    declared = len(re.findall(r"^FLX_(?:DRAFT|API)\b", header, re.M))
    if declared != len(functions):
        wrong.append(f"{declared} declarations, {len(functions)} understood")
    listed = set(re.findall(r"^\s*X\(\w+, (flx_\w+),", cases, re.M))
    for name, returns, args, comment in functions:
        if len(comment) < 12 or not re.search(r"[.;]( |$)", comment):
            wrong.append(f"{name}: no sentence says what it does")
        named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", comment))))
        for kind, arg in args:
            if arg not in named:
                wrong.append(f"{name}: its comment does not name `{arg}`")
            if arg in KEYWORDS:
                wrong.append(f"{name}: `{arg}` is a keyword of some language")
            if kind not in TYPES and not is_handle(kind):
                wrong.append(f"{name}: `{arg}` is of type {kind!r}")
        if returns not in ("flx_status", "void", "const char *", "int32_t"):
            wrong.append(f"{name}: returns {returns!r}")
        names = [a for _, a in args]
        if ("out_ready" in names or "out_event" in names) != ("timeout_ms" in names):
            wrong.append(f"{name}: timeout_ms and out_ready or out_event belong together")
        outs = [a for a in names if a.startswith("out_")]
        if outs and not any(a in names[-4:] for a in outs):
            wrong.append(f"{name}: results stand last")
        if any(is_handle(k) and not a.startswith("out_") for k, a in args) and name not in listed:
            wrong.append(f"{name}: takes a handle and stands in no case of handle_cases.h")
    for name in sorted(listed - {f[0] for f in functions}):
        wrong.append(f"{name}: stands in handle_cases.h and not in the header")
    return wrong, len(functions)


def self_test():
    good = "/** Makes `array` of `value`, in `out_array`. */\nFLX_DRAFT flx_status flx_f(flx_ndarray array, double value, flx_ndarray *out_array);\n"
    cases = "  X(NDARRAY, flx_f, flx_f(h))"
    bad = {
        "no comment": (good.split("\n", 1)[1], cases),
        "an argument not named": (good.replace("`value`", "it"), cases),
        "no sentence": (good.replace("Makes `array` of `value`, in `out_array`.", "`array` `value` `out_array`"), cases),
        "a keyword": (good.replace("value", "lambda"), cases),
        "a foreign type": (good.replace("double value", "size_t value"), cases),
        "a timeout without an answer": (good.replace("double value", "int64_t timeout_ms").replace("`value`", "`timeout_ms`"), cases),
        "a handle without a case": (good, ""),
        "a case without a function": (good, cases + "\n  X(NDARRAY, flx_g, flx_g(h))"),
        "a declaration not understood": (good + "FLX_DRAFT broken\n", cases),
    }
    faults = [f"not seen: {what}" for what, (h, c) in bad.items() if not check(h, c)[0]]
    faults += [f"wrongly seen: {w}" for w in check(good, cases)[0]]
    print("\n".join(faults) or f"{len(bad)} bad samples and a good one told apart")
    return 1 if faults else 0


def main(header, cases):
    with open(header, encoding="utf-8") as f, open(cases, encoding="utf-8") as g:
        wrong, count = check(f.read(), g.read())
    if count < 100:
        wrong.append(f"only {count} functions found")
    print("\n".join(wrong))
    print(f"{count} functions, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1] == "--self-test" else main(*sys.argv[1:]))
