#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the public C headers. `header_rules.py CASES_H... HEADER...` (the lists of cases end in _cases.h) checks them, `--self-test` checks the rules on samples that break them.
Every function has a comment of at least one sentence that names each of its arguments in backquotes; no argument is named as a keyword of any language; types are
those of rule 6; functions that may wait, and only those, have `timeout_ms`; each function of the
native header with a handle stands in a list of cases (misuse.c calls every function of c_api.h wrongly, by itself)."""
import keyword
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "tools"))
import c_header  # noqa: E402

TYPES = {"int32_t", "int64_t", "double", "const char *", "const char **", "char *", "char **", "void *", "const void *", "int32_t *", "int64_t *", "double *",
         "const int64_t *", "const double *", "const char *const *"}
NATIVE_TYPES = {"flx_status", "const int64_t **", "void **", "const void **"}  # with flx_*_fn: in a header that says so in its name
# Words that a language cannot use as an argument's name, and those that would hide what its glue needs.
KEYWORDS = {
    "C++": """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await co_return co_yield compl concept
        const consteval constexpr constinit const_cast continue decltype default delete do double dynamic_cast else enum explicit export extern false float
        for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
        reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try
        typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq""".split(),
    "C": "restrict _Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local".split(),
    "Python": keyword.kwlist + ["match", "case", "print", "exec", "self"],
    "R": "if else repeat while function for next break TRUE FALSE NULL Inf NaN NA NA_integer_ NA_real_ NA_character_ NA_complex_ in".split(),
    "Julia": """baremodule begin break catch const continue do else elseif end export false finally for function global if import let local macro module
        quote return struct true try using while in isa where abstract mutable primitive type outer ccall""".split(),
    "Java": """abstract assert boolean break byte case catch char class const continue default do double else enum extends final finally float for goto if
        implements import instanceof int interface long native new package private protected public return short static strictfp super switch
        synchronized this throw throws transient try void volatile while _ true false null var yield""".split(),
    "Scala": """abstract case catch class def do else enum export extends false final finally for forSome given if implicit import lazy macro match new null
        object override package private protected return sealed super then this throw trait true try type val var while with yield""".split(),
    # SWIG's glue uses these names itself.
    "SWIG": "in out arg1 result self resultobj jenv jcls".split(),
}


def languages_of(word):
    """The languages in which `word` is no name for an argument."""
    return [name for name, words in KEYWORDS.items() if word in words]


def is_handle(kind):
    return re.fullmatch(r"(const )?flx_\w+( \*)?", kind) is not None and not kind.startswith("flx_status") and not kind.endswith("_fn")


def allowed(kind, native):
    return kind in TYPES or is_handle(kind) or (native and (kind in NATIVE_TYPES or re.fullmatch(r"flx_\w+_fn", kind) is not None))


def check(header, cases, native=False):
    wrong = []
    functions = c_header.declarations(header)
    declared = len(re.findall(r"^FLX_(?:DRAFT|API|PLUGIN)\b", header, re.M))
    if declared != len(functions):
        wrong.append(f"{declared} declarations, {len(functions)} understood")
    listed = set(re.findall(r"^\s*X\(\w+, (flx_\w+),", cases, re.M))
    for name, returns, args, comment, _, _ in functions:
        if len(comment) < 12 or not re.search(r"[.;]( |$)", comment):
            wrong.append(f"{name}: no sentence says what it does")
        named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", comment))))
        for kind, arg in args:
            if arg not in named:
                wrong.append(f"{name}: its comment does not name `{arg}`")
            if (languages := languages_of(arg)):
                wrong.append(f"{name}: `{arg}` is a keyword of {', '.join(languages)}; bindings could not use it")
            if not allowed(kind, native):
                wrong.append(f"{name}: `{arg}` is of type {kind!r}")
        if returns not in ("flx_status", "void", "const char *", "int32_t"):
            wrong.append(f"{name}: returns {returns!r}")
        names = [a for _, a in args]
        if ("out_ready" in names or "out_event" in names) != ("timeout_ms" in names):
            wrong.append(f"{name}: timeout_ms and out_ready or out_event belong together")
        if "timeout_ms" in names and not all(a.startswith(("out_", "capacity")) for a in names[names.index("timeout_ms") + 1:]):
            wrong.append(f"{name}: timeout_ms is the last of the inputs")
        outs = [a for a in names if a.startswith("out_")]
        if outs and not any(a in names[-4:] for a in outs):
            wrong.append(f"{name}: results stand last")
        if native and any(is_handle(k) and not a.startswith("out_") for k, a in args) and name not in listed:
            wrong.append(f"{name}: takes a handle and stands in no list of cases")
    return wrong, {f.name for f in functions}, listed


def self_test():
    good = "/** Makes `array` of `value`, in `out_array`. */\nFLX_DRAFT flx_status flx_f(flx_ndarray array, double value, flx_ndarray *out_array);\n"
    cases = "  X(NDARRAY, flx_f, flx_f(h))"
    bad = {
        "no comment": (good.split("\n", 1)[1], cases),
        "an argument not named": (good.replace("`value`", "it"), cases),
        "no sentence": (good.replace("Makes `array` of `value`, in `out_array`.", "`array` `value` `out_array`"), cases),
        **{f"a keyword of {language}": (good.replace("value", word), cases) for language, word in
           {"C++": "template", "C": "restrict", "Python": "lambda", "R": "repeat", "Julia": "quote", "Java": "synchronized", "Scala": "implicit"}.items()},
        "a foreign type": (good.replace("double value", "size_t value"), cases),
        "a timeout without an answer": (good.replace("double value", "int64_t timeout_ms").replace("`value`", "`timeout_ms`"), cases),
        "an input after the timeout": ("/** Waits for `array` up to `timeout_ms`, `value`; `out_ready`. */\nFLX_DRAFT flx_status flx_f(flx_ndarray array, int64_t timeout_ms, "
                                       "double value, int32_t *out_ready);\n", cases),
        "a handle without a case": (good, ""),
        "a case without a function": (good, cases + "\n  X(NDARRAY, flx_g, flx_g(h))"),
        "a declaration not understood": (good + "FLX_DRAFT broken\n", cases),
        "a function pointer": (good.replace("double value", "flx_drop_fn value"), cases),
    }

    def faults_of(header, cases, native=False):
        wrong, names, listed = check(header, cases, native)
        return wrong + unknown(listed, names)

    faults = [f"not seen: {what}" for what, (h, c) in bad.items() if not faults_of(h, c, "case" in what)]
    faults += [f"wrongly seen: {w}" for w in faults_of(good, cases) + faults_of(good.replace("double value", "flx_drop_fn value"), cases, True)]
    print("\n".join(faults) or f"{len(bad)} bad samples and a good one told apart")
    return 1 if faults else 0


def unknown(listed, names):
    return [f"{name}: stands in a list of cases and in no header" for name in sorted(listed - names)]


def main(*paths):
    cases, wrong, names, listed = "", [], set(), set()
    for path in sorted(paths, key=lambda p: not p.endswith("_cases.h")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if path.endswith("_cases.h"):
            cases += text
            continue
        faults, functions, listed = check(text, cases, path.endswith("_native.h"))
        wrong += faults
        names |= functions
    wrong += unknown(listed, names)
    if len(names) < 100:
        wrong.append(f"only {len(names)} functions found")
    print("\n".join(wrong))
    print(f"{len(names)} functions, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1] == "--self-test" else main(*sys.argv[1:]))
