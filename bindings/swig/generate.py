#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""generate.py INCLUDE OUT [SWIG]: what is made from the C header, read by SWIG, for its bindings: kinds.i, kinds.h (the handle kinds and functions, for flexor.i), flexor.jl (Julia's
ccall layer), flexor.R (R's layer over SWIG's C glue), _flexor.pyi (types of Python's). An argument that is in no group is an error: no language would know what to do with it.
`--self-test` shows it headers that are wrong."""
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import swig_xml  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
INTEGERS = ["p.q(const).int64_t", "int32_t"]
TEXTS = "p.q(const).p.q(const).char"
HANDLES = ["p.q(const).flx_ndarray", "int32_t"]
SYMBOLS = ["p.q(const).flx_symbol", "int32_t"]
GROUPS = {  # the names of an argument group -> what it is, and its types
    "dims ndim": ("integers", INTEGERS), "scalars nscalars": ("numbers", ["p.q(const).double", "int32_t"]),
    "keys values npairs": ("options", [TEXTS, TEXTS, "int32_t"]), "names nnames": ("texts", [TEXTS, "int32_t"]),
    "arrays narrays": ("handles", HANDLES), "grads ngrads": ("handles", HANDLES), "targets ntargets": ("handles", HANDLES),
    "symbols nsymbols": ("handles", SYMBOLS),
    "data nbytes": ("memory", ["p.q(const).void", "int64_t"]), "buffer buffer_nbytes": ("memory", ["p.void", "int64_t"]),
    "out_dims capacity out_ndim": ("out_integers", ["p.int64_t", "int32_t", "p.int32_t"]),
    "out_arrays capacity out_narrays": ("out_handles", ["p.flx_ndarray", "int32_t", "p.int32_t"]),
    "out_bytes out_nbytes": ("out_bytes", ["p.p.char", "p.int64_t"])}
SINGLE = {"int32_t": "int32", "int64_t": "int64", "double": "double", "p.q(const).char": "text", "p.void": "handle", "p.int32_t": "out_int32",
          "p.int64_t": "out_int64", "p.double": "out_double", "p.p.q(const).char": "out_borrowed", "p.p.char": "out_owned"}
NAMED = {"timeout_ms": "timeout", "out_ready": "out_ready", "out_event": "out_event", "text": "text"}
STRONG = ("flx_abi_require", "flx_last_error", "flx_version")
RETURNS = ("flx_status", "void", "int32_t", "p.q(const).char")


def kind_of(name, kind, kinds):
    if kind == "p.char" and name == "text":
        return "owned_text"
    if name in NAMED and kind in SINGLE:
        return NAMED[name]
    if kind in kinds:
        return "handle"
    what = "out_handle" if kind[2:] in kinds and kind.startswith("p.") else SINGLE.get(kind)
    return None if what and is_out(what) and not name.startswith("out_") else what


def grouped(function, kinds):
    """[(what it is, its first name)] of a function's arguments."""
    args, out = list(function.args), []
    while args:
        for n in (3, 2):
            what, types = GROUPS.get(" ".join(a[0] for a in args[:n]), (None, None))
            if what and types == [a[1] for a in args[:n]]:
                break
        else:
            n, what = 1, kind_of(*args[0], kinds)
        if not what or (args[0][0] == "out_ready") != (what == "out_ready"):
            raise ValueError(f"{function.name}: `{swig_xml.c_declaration(args[0][1], args[0][0])}` is in no argument group (c_api.h names them, generate.py lists them)")
        out.append((what, args[0][0]))
        args = args[n:]
    if function.returns not in RETURNS:
        raise ValueError(f"{function.name} returns {function.returns}; a binding knows {', '.join(RETURNS)}")
    return out


def is_out(what):
    return what.startswith("out_")


# What each argument is in Julia: (types for ccall, values, what stands before, result); {n} is its name.
JULIA = {
    "integers": ("Ptr{{Int64}}, Int32", "{n}_, length({n}_)", "{n}_ = _list(Int64, {n})", None),
    "numbers": ("Ptr{{Float64}}, Int32", "{n}_, length({n}_)", "{n}_ = _list(Float64, {n})", None),
    "options": ("Ptr{{Ptr{{UInt8}}}}, Ptr{{Ptr{{UInt8}}}}, Int32", "{n}_, {n}_values, length({n}_)",
                "{n}_, {n}_values = _options({n})", None),
    "texts": ("Ptr{{Ptr{{UInt8}}}}, Int32", "{n}_, length({n}_)", "{n}_ = _list(String, {n})", None),
    "handles": ("Ptr{{Ptr{{Cvoid}}}}, Int32", "{n}_, length({n}_)", "{n}_ = _pointers({n})", None),
    "memory": ("Ptr{{Cvoid}}, Int64", "{n}, sizeof({n})", None, None),
    "int32": ("Int32", "{n}", None, None), "int64": ("Int64", "{n}", None, None), "double": ("Float64", "{n}", None, None),
    "timeout": ("Int64", "slice", None, None), "text": ("Cstring", "_text({n})", None, None),
    "handle": ("Ptr{{Cvoid}}", "{n}", None, None),
    "out_int32": ("Ref{{Int32}}", "{n}", "{n} = Ref(Int32(0))", "{n}[]"), "out_int64": ("Ref{{Int64}}", "{n}", "{n} = Ref(Int64(0))", "{n}[]"),
    "out_double": ("Ref{{Float64}}", "{n}", "{n} = Ref(0.0)", "{n}[]"), "out_ready": ("Ref{{Int32}}", "{n}", "{n} = Ref(Int32(0))", "{n}[] == 1"),
    "out_event": ("Ref{{Int32}}", "{n}", "{n} = Ref(Int32(0))", "{n}[]"),
    "out_handle": ("Ref{{Ptr{{Cvoid}}}}", "{n}", "{n} = Ref(C_NULL)", "_own({n}[])"),
    "out_borrowed": ("Ref{{Ptr{{UInt8}}}}", "{n}", "{n} = Ref(Ptr{{UInt8}}(0))", "_borrowed({n}[])"),
    "out_owned": ("Ref{{Ptr{{UInt8}}}}", "{n}", "{n} = Ref(Ptr{{UInt8}}(0))", "_owned({n}[])"),
    "out_bytes": ("Ref{{Ptr{{UInt8}}}}, Ref{{Int64}}", "{n}, {n}_n", "{n} = Ref(Ptr{{UInt8}}(0)); {n}_n = Ref(Int64(0))", "_bytes({n}[], {n}_n[])"),
    "out_integers": ("Ptr{{Int64}}, Int32, Ref{{Int32}}", "{n}, length({n}), {n}_n",
                     "{n} = Vector{{Int64}}(undef, FLX_MAX_NDIM); {n}_n = Ref(Int32(0))", "resize!({n}, {n}_n[])"),
    "out_handles": ("Ptr{{Ptr{{Cvoid}}}}, Int32, Ref{{Int32}}", "{n}, length({n}), {n}_n", "{n} = _room(); {n}_n = Ref(Int32(0))", "_own!({n}, {n}_n[])")}


def julia(function, args):
    rows = [(what, name, JULIA[what]) for what, name in args]

    def column(i):
        return [r[i].format(n=name) for _, name, r in rows if r[i]]
    returns = {"flx_status": "Int32", "int32_t": "Int32", "void": "Cvoid", "p.q(const).char": "Ptr{UInt8}"}[function.returns]
    types = "".join(t + ", " for t in column(0))
    call = f"ccall((:{function.name}, libflexor), {returns}, ({types}){''.join(', ' + v for v in column(1))})"
    keep = " ".join(name for what, name in args if what in ("handles", "memory"))
    if keep:
        call = f"GC.@preserve {keep} {call}"
    body = column(2)
    answer = next((f"{name}[] == {0 if what == 'out_ready' else 'FLX_PENDING'}" for what, name in args if what in ("out_ready", "out_event")), None)
    if answer:
        body.append(f"_wait(timeout_ms, slice -> _check({call}), () -> {answer})")
    elif function.returns == "flx_status":
        body.append(f"_check({call})")
    results = column(3)
    if function.returns == "flx_status":
        body.append("return " + (", ".join(results) or "nothing"))
    else:
        body.append(f"return _borrowed({call})" if "char" in function.returns else f"return {call}")
    # A handle has its type: Julia would turn a text, an array or any other pointer into one.
    # Lists of any type are one to the compiler, which is busy enough at a program's start.
    forms = {"handle": "{}::Union{{Handle,Nothing}}", **{what: "@nospecialize({})" for what in ("integers", "numbers", "options", "texts", "handles")}}
    inputs = ", ".join(forms.get(what, "{}").format(name) for what, name in args if not is_out(what))
    return f"function {function.name}({inputs})\n    " + "\n    ".join(body) + "\nend\n"


def r(function, args):
    """R's function over SWIG's C glue, which gives a list with a place for the result, and one for each argument that has an `argout` typemap, empty or not."""
    lists = ("integers", "numbers", "options", "texts", "handles")
    places = [what for what, _ in args if is_out(what) or what in lists]
    wanted = [i + 2 for i, what in enumerate(places) if is_out(what)]
    names = [name for what, name in args if not is_out(what)]
    copy = ["FALSE"] if function.returns in ("flx_status", "int32_t") else []
    call = f".Call({', '.join(['R_swig_' + function.name] + names + copy)})"
    if function.returns == "flx_status" and not wanted:
        call = f"invisible({call})"
    elif len(wanted) == 1:
        call += f"[[{wanted[0]}L]]"
    elif wanted:
        call += f"[c({', '.join(f'{i}L' for i in wanted)})]"
    return f"{function.name} <- function({', '.join(names)}) {call}\n"


# What each argument, and each result, is in Python's stub of the glue.
PYTHON = {"integers": "Iterable[int]", "numbers": "Iterable[float]", "options": "Mapping[str, str]", "texts": "Iterable[str]", "handles": "Iterable[Optional[Handle]]",
          "memory": "Any", "int32": "int", "int64": "int", "double": "float", "timeout": "int", "text": "Optional[str]", "handle": "Optional[Handle]", "out_int32": "int",
          "out_int64": "int", "out_double": "float", "out_ready": "int", "out_event": "int", "out_borrowed": "str", "out_owned": "str", "out_bytes": "bytes",
          "out_integers": "Tuple[int, ...]", "out_handles": "Tuple[NDArray, ...]"}
PYTHON_CLASSES = {"flx_ndarray": "NDArray", "flx_symbol": "Symbol", "flx_graph": "Graph"}


def python(function, args):
    """The function's line in _flexor.pyi; `mode` may be None, `path` be whatever is a path."""
    types = dict(function.args)
    results = [PYTHON_CLASSES.get(types[name][2:], "Handle") if what == "out_handle" else PYTHON[what] for what, name in args if is_out(what)]
    if function.returns != "flx_status":
        results.insert(0, {"int32_t": "int", "void": "None"}.get(function.returns, "str"))
    result = "None" if not results else results[0] if len(results) == 1 else "Any"  # several are a list, whose parts have types of their own
    given = ", ".join(f"{name}: " + ("Optional[int]" if name == "mode" else "Any" if name == "path" else PYTHON[what]) for what, name in args if not is_out(what))
    return f"def {function.name}({given}{', /' if given else ''}) -> {result}: ...\n"


def generate(include, out, swig="swig"):
    functions, constants = swig_xml.read(include, swig_xml.BINDING_HEADERS, swig)
    kinds = {kind for f in functions for _, k in f.args for kind in re.findall(r"\bflx_\w+", k)} - {"flx_status"}
    files = {"kinds.i": "", "kinds.h": "", "flexor.jl": "", "flexor.R": "", "_flexor.pyi": ""}
    # A file is written only if it changes: what is built from it would be built again.
    head = "Made by bindings/swig/generate.py from the C header; not to be edited.\n"
    files["kinds.i"] = "// " + head + "".join(f"FLX_KIND({k[4:]})\n" for k in sorted(kinds))
    files["kinds.h"] = "/* " + head[:-1] + " */\n#define FLX_KINDS(X) " + " ".join(f"X({k[4:]})" for k in sorted(kinds)) + "\n"
    # Weak, so that an older library that lacks some of them can still be loaded and say so (flx_abi_require).
    files["kinds.i"] += "%{\n" + "".join(f"#pragma weak {f.name}\n" for f in functions if f.name not in STRONG) + "%}\n"
    with open(os.path.join(HERE, "prelude.jl"), encoding="utf-8") as f:
        files["flexor.jl"] = "# " + head + "".join(f"const {n} = Int32({v})\n" for n, v in constants) + f.read()
    with open(os.path.join(HERE, "prelude.R"), encoding="utf-8") as f:
        files["flexor.R"] = "# " + head + "".join(f"{n} <- {v}L\n" for n, v in constants) + f.read()
    with open(os.path.join(HERE, "prelude.pyi"), encoding="utf-8") as f:
        files["_flexor.pyi"] = "# " + head + f.read() + "".join(f"{n}: int\n" for n, v in constants)
    for function in functions:
        args = grouped(function, kinds)
        if any(what == "owned_text" for what, _ in args):
            files["_flexor.pyi"] += f"def {function.name}(text: Any, /) -> None: ...\n"
            continue  # flx_text_free: the glue has freed what it gave
        files["flexor.jl"] += julia(function, args)
        files["flexor.R"] += r(function, args)
        files["_flexor.pyi"] += python(function, args)
    for name, text in files.items():
        path = os.path.join(out, name)
        if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    return len(functions)


def self_test():
    start = '#include <stdint.h>\ntypedef int32_t flx_status;\ntypedef struct flx_a_s *flx_a;\n'
    bad = {"flx_status flx_f(flx_a a, const int64_t *sizes, int32_t nsizes);": "sizes", "flx_status flx_f(int32_t *dims, int32_t ndim);": "dims",
           "flx_status flx_f(void **out_data);": "out_data", "flx_status flx_f(float x);": "x", "int64_t flx_f(void);": "returns int64_t"}
    faults = []
    with tempfile.TemporaryDirectory() as work:
        os.makedirs(os.path.join(work, "flexor"))
        for line, word in {**bad, "flx_status flx_f(flx_a a, const int64_t *dims, int32_t ndim, flx_a *out_a);": None}.items():
            with open(os.path.join(work, swig_xml.BINDING_HEADERS[0]), "w", encoding="utf-8") as f:
                f.write(start + line + "\n")
            try:
                generate(work, work)
                said = None
            except ValueError as e:
                said = str(e)
            if (said is None) != (word is None) or (word and word not in said):
                faults.append(f"{line}: {said}")
    print("\n".join(faults) or f"{len(bad)} bad headers and a good one told apart")
    return 1 if faults else 0


if __name__ == "__main__":
    if sys.argv[1] == "--self-test":
        sys.exit(self_test())
    print(generate(*sys.argv[1:]), "functions")
