# SPDX-License-Identifier: Apache-2.0
"""MXNet 1.9.1's public names (names.txt, listed by the real one): what flexor.mxnet lacks is what docs/mxnet.md says. As a program with --write it puts the table there."""
import os
import sys

import pytest

import flexor.mxnet as mx

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "..", "..", "..", "docs", "mxnet.md")
BEGIN, END = "<!-- table of names: begin -->\n", "<!-- table of names: end -->\n"


def modules():
    with open(os.path.join(HERE, "names.txt"), encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                name, _, names = line.rstrip("\n").partition(": ")
                yield name, names.split()


def find(path):
    found = mx
    for part in path.split(".") if path != "mx" else []:
        found = getattr(found, part)
    return found


def table():
    rows = ["| module | there | missing |\n|---|---|---|\n"]
    for path, names in modules():
        lacking = [n for n in names if not hasattr(find(path), n)]
        rows.append("| `%s` | %d of %d | %s |\n" % ("mx" if path == "mx" else "mx." + path, len(names) - len(lacking), len(names), " ".join(lacking)))
    return "".join(rows)


def page():
    with open(PAGE, encoding="utf-8") as f:
        text = f.read()
    return text[:text.index(BEGIN) + len(BEGIN)], text[text.index(BEGIN) + len(BEGIN):text.index(END)], text[text.index(END):]


def test_the_page_says_what_is_missing():
    assert page()[1] == table(), "docs/mxnet.md is out of date: run this file with --write"


def test_what_programs_use_most_is_there():
    for path, least in (("nd", 250), ("sym", 230), ("gluon.nn", 42), ("gluon.rnn", 15), ("autograd", 13), ("optimizer", 21), ("metric", 17), ("init", 15)):
        names = dict(modules())[path]
        assert sum(hasattr(find(path), n) for n in names) >= least, path


@pytest.mark.parametrize("path", ["nd", "sym", "gluon.nn", "optimizer", "metric", "init", "io", "mod"])
def test_every_name_is_usable(path):
    module = find(path)
    for name in dict(modules())[path]:
        if hasattr(module, name):
            assert callable(getattr(module, name)) and getattr(module, name).__name__


def test_a_missing_name_says_so():
    for path, name in (("nd", "khatri_rao"), ("sym", "linalg_gemm2"), ("io", "ImageRecordIter"), ("mod", "SequentialModule"), ("mx", "onnx")):
        with pytest.raises(AttributeError, match="docs/mxnet.md"):
            getattr(find(path), name)


def test_every_operator_of_the_registry_has_a_function_for_arrays_and_symbols():
    for name in mx.base.op_names():
        for module in (mx.nd, mx.sym):
            made = getattr(module._internal, name)
            assert made.__name__ == name and len(made.__doc__) > len(name)


if __name__ == "__main__" and "--write" in sys.argv:
    before, _, after = page()
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(before + table() + after)
