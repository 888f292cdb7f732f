# SPDX-License-Identifier: Apache-2.0
"""The shared tables read from Python: cases(path) -> [Case]. tests/golden/README.md has the form."""
import os
import re

import numpy as np

ESCAPES = {"t": "\t", "n": "\n"}


class Line(dict):
    """The fields of a line; `word` is its first word."""
    word = ""


class Case(list):
    """The lines of a case."""

    @property
    def id(self):
        return self[0]["id"]

    def find(self, word):
        return next((line for line in self if line.word == word), Line())

    def all(self, word):
        return [line for line in self if line.word == word]


def cases(path):
    found, open_case = [], False
    with open(path, encoding="utf-8", newline="\n") as f:
        for row in f.read().split("\n"):
            if not row or row.startswith("#"):
                open_case = open_case and bool(row)
                continue
            if not open_case:
                found.append(Case())
                open_case = True
            word, *fields = row.split("\t")
            line = Line((k, re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), v)) for k, v in (field.split("=", 1) for field in fields))
            line.word = word
            found[-1].append(line)
    return found


def shape(text):
    return () if text == "-" else tuple(int(n) for n in text.split(","))


class Golden:
    """The arrays of tests/golden."""

    def __init__(self, folder):
        self.folder, self.files = folder, {}

    def load(self, family, line):
        if family not in self.files:
            with open(os.path.join(self.folder, family + ".bin"), "rb") as f:
                self.files[family] = f.read()
        dims, dtype = shape(line["shape"]), np.dtype(line["dtype"])
        count = int(np.prod(dims, dtype=np.int64))
        return np.frombuffer(self.files[family], dtype, count, int(line["at"])).reshape(dims)


def differs(line, want, got):
    """"" if `got` is what `line` asks for: its dtype, shape, and its values within rtol and atol."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{got.dtype} {got.shape} instead of {want.dtype} {want.shape}"
    rtol, atol = float(line.get("rtol", 0)), float(line.get("atol", 0))
    if rtol or atol:
        if want.dtype.kind in "iub":  # a difference of 1 between numbers without a sign
            want, got = want.astype(np.float64), got.astype(np.float64)
        good = np.allclose(got, want, rtol, atol, equal_nan=True)
    else:
        good = np.array_equal(got, want, equal_nan=want.dtype.kind == "f")
    return "" if good else f"{got} instead of {want}"
