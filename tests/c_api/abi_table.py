#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every function of the C ABI as a table in C, so that tests can call them all by number and none is forgotten.
`abi_table.py OUT.c HEADER...` writes what abi_table.h declares; `--self-test` checks it on a sample. A type it does not know is an error."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "tools"))
import c_header  # noqa: E402

COUNTS = re.compile(r"ndim|npairs|nnames|n[a-z]+s|nbytes|buffer_nbytes|capacity")
SCALARS = {"int32_t": "INT32", "int64_t": "INT64", "double": "DOUBLE"}
OUTPUTS = {"int32_t *": 4, "int64_t *": 8, "double *": 8, "char **": 8, "const char **": 8}


def classify(kind, name, callbacks):
    """(class, kind of handle or "", bytes behind an out-pointer)"""
    if kind in SCALARS:
        return SCALARS[kind], "", 0
    if kind in callbacks or "(*" in kind:
        return "CALLBACK", "", 0
    if name.startswith("out_"):
        if name == "out_dims":
            return "OUT_DIMS", "", 8
        if name == "out_arrays":
            return "OUT_ARRAYS", "ndarray", 8
        if kind in OUTPUTS:
            return ("OUT_TEXT" if kind == "char **" else "OUT_BORROWED" if kind == "const char **" else "OUT"), "", OUTPUTS[kind]
        if (m := re.fullmatch(r"flx_(\w+) \*", kind)):
            return "OUT_HANDLE", m.group(1), 8
    plain = {"const char *": "TEXT", "const char *const *": "TEXTS", "const int64_t *": "DIMS", "const double *": "SCALARS", "const void *": "DATA", "char *": "OWN_TEXT"}
    if kind in plain:
        return plain[kind], "", 0
    if (m := re.fullmatch(r"const flx_(\w+) \*", kind)):
        return "ARRAYS", m.group(1), 0
    if kind == "void *":
        return ("ANY_HANDLE" if name == "handle" else "POINTER" if name in ("context", "user") else "BUFFER"), "", 0
    if (m := re.fullmatch(r"flx_(\w+)", kind)) and kind != "flx_status":
        return "HANDLE", m.group(1), 0
    return None, "", 0


def table(headers):
    includes = "".join(f"#include <flexor/{os.path.basename(h)}>\n" for h, _ in headers)
    wrong, calls, rows = [], [], []
    for path, text in headers:
        callbacks = set(re.findall(r"typedef[^;{}]*\(\s*\*\s*(flx_\w+)\s*\)", text))
        for name, returns, args, comment, macro, _ in c_header.declarations(text):
            if macro == "PLUGIN":  # what a plugin exports, not the library
                continue
            entries, passed = [], []
            for i, (kind, arg) in enumerate(args):
                what, handle, size = classify(kind, arg, callbacks)
                if what is None:
                    wrong.append(f"{os.path.basename(path)}: {name}: no rule for `{kind} {arg}`; give abi_table.py one")
                    continue
                count = -1
                if what in ("TEXTS", "DIMS", "SCALARS", "DATA", "BUFFER", "ARRAYS", "OUT_DIMS", "OUT_ARRAYS"):
                    count = next((j for j in range(i + 1, len(args)) if args[j][0] in ("int32_t", "int64_t") and COUNTS.fullmatch(args[j][1])), -1)
                    if count < 0:
                        wrong.append(f"{name}: `{arg}` has no count")
                entries.append(f'{{"{arg}", ABI_{what}, "{handle}", {size}, {count}}}')
                passed.append(f"v[{i}].d" if kind == "double" else f"({kind})v[{i}].i" if kind in SCALARS else f"({kind})v[{i}].p")
            call = f"{name}({', '.join(passed)})"
            body = f"return {call};" if returns == "flx_status" else f"(void)v;\n  {call};\n  return FLX_OK;"
            calls.append(f"static flx_status call_{name}(const abi_value *v) {{\n  (void)v;\n  {body}\n}}\nstatic const abi_arg args_{name}[] = {{{', '.join(entries) or '{0}'}}};\n")
            status = 1 if returns == "flx_status" else 0
            rows.append(f'  {{"{name}", {len(args)}, {status}, args_{name}, call_{name}, "{comment.replace(chr(92), "").replace(chr(34), chr(39))}"}},\n')
    text = f'/* Made by abi_table.py. */\n#include "abi_table.h"\n\n{includes}\n' + "\n".join(calls)
    text += f"\nconst abi_function abi_functions[] = {{\n{''.join(rows)}}};\nconst int abi_function_count = {len(rows)};\n"
    return text, wrong, len(rows)


def self_test():
    sample = """typedef void (*flx_sink)(const char *text);
/** Does. */
FLX_DRAFT flx_status flx_f(flx_ndarray array, const char *const *keys, const char *const *values, int32_t npairs, double value, flx_sink sink, flx_ndarray *out_array);
FLX_DRAFT void flx_g(void *handle);
"""
    text, wrong, count = table([("x/sample.h", sample)])
    wanted = ['{"array", ABI_HANDLE, "ndarray", 0, -1}', '{"keys", ABI_TEXTS, "", 0, 3}', '{"values", ABI_TEXTS, "", 0, 3}', "v[4].d", "ABI_CALLBACK", '"out_array", ABI_OUT_HANDLE, "ndarray", 8, -1',
              '"handle", ABI_ANY_HANDLE']
    faults = [f"missing: {w}" for w in wanted if w not in text] + wrong + ([] if count == 2 else [f"{count} functions"])
    if not table([("x.h", "FLX_DRAFT flx_status flx_f(size_t n);\n")])[1]:
        faults.append("an unknown type is not refused")
    if not table([("x.h", "FLX_DRAFT flx_status flx_f(const double *scalars);\n")])[1]:
        faults.append("a pointer without a count is not refused")
    print("\n".join(faults) or "the sample's table is right")
    return 1 if faults else 0


def main(out, headers):
    read = []
    for h in headers:
        with open(h, encoding="utf-8") as f:
            read.append((h, f.read()))
    text, wrong, count = table(read)
    if wrong or not count:
        print("\n".join(wrong) or "no functions found")
        return 1
    with open(out, "w", encoding="utf-8") as f:
        f.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1] == "--self-test" else main(sys.argv[1], sys.argv[2:]))
