#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`pictures_test.py PROGRAM`: reads the pictures that PROGRAM writes as strict readers do: SVG as XML, dot by Graphviz's grammar (as far as it is used), and by
Graphviz itself (its `nop`) where it is installed. `--self-test` shows the reader of dot what it must refuse."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
TOKEN = re.compile(r'\s*(?:(->|[{}\[\];,=])|("(?:[^"\\\n]|\\.)*")|([A-Za-z_][A-Za-z_0-9]*|[0-9]+))', re.S)


class Dot:
    """digraph { statements }: nodes and edges by their names; every edge joins nodes that are declared."""

    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            m = TOKEN.match(text, at)
            if not m:
                raise ValueError(f"no token at {at}: {text[at:at + 20]!r}")
            self.tokens.append(m.group(0).strip())
            at = m.end()
        self.nodes, self.edges, self.clusters = {}, [], []
        self.take("digraph")
        self.block()
        if self.tokens:
            raise ValueError(f"text after the end: {self.tokens[:3]}")
        for a, b in self.edges:
            if a not in self.nodes or b not in self.nodes:
                raise ValueError(f"edge {a} -> {b} of nodes that are not declared")

    def take(self, want=None):
        if not self.tokens or (want and self.tokens[0] != want):
            raise ValueError(f"expected {want}, given {self.tokens[:3]}")
        return self.tokens.pop(0)

    def name(self):
        t = self.take()
        if not re.fullmatch(r'[A-Za-z_]\w*|[0-9]+|".*"', t, re.S):
            raise ValueError(f"expected a name, given {t}")
        return t

    def block(self):
        self.take("{")
        while self.tokens and self.tokens[0] != "}":
            self.statement()
        self.take("}")

    def attributes(self):
        found = {}
        if self.tokens[0] == "[":
            self.take()
            while self.tokens[0] != "]":
                key = self.name()
                self.take("=")
                found[key] = self.name()
                if self.tokens[0] != "]":
                    self.take(",")
            self.take("]")
        return found

    def statement(self):
        first = self.name()
        if first == "subgraph":
            self.clusters.append(self.name())
            return self.block()
        if self.tokens[0] == "=":
            self.take()
            self.name()
        elif self.tokens[0] == "->":
            self.take()
            self.edges.append((first, self.name()))
            self.attributes()
        else:
            attributes = self.attributes()
            if first not in ("graph", "node", "edge"):
                if first in self.nodes:
                    raise ValueError(f"node {first} twice")
                self.nodes[first] = attributes
        self.take(";")


def check(base):
    boxes, lines = map(int, open(base + ".count", encoding="utf-8").read().split())
    root = ET.parse(base + ".svg").getroot()
    assert root.tag == SVG + "svg", root.tag
    assert len(root.findall(f".//{SVG}rect")) == boxes and len(root.findall(f".//{SVG}title")) == boxes, "boxes"
    assert len(root.findall(f".//{SVG}path")) == 2 * lines, "lines with their heads"
    assert {e.tag for e in root.iter()} <= {SVG + t for t in ("svg", "g", "rect", "path", "text", "title")}, "tags"
    with open(base + ".dot", encoding="utf-8") as f:
        dot = Dot(f.read())
    assert (len(dot.nodes), len(dot.edges)) == (boxes, lines), (len(dot.nodes), len(dot.edges))
    if shutil.which("nop"):
        run = subprocess.run(["nop", base + ".dot"], capture_output=True, timeout=60, check=False)
        assert run.returncode == 0 and not run.stderr, run.stderr
        seen = [len(re.findall(pattern, run.stdout, re.M)) for pattern in (rb"^\s*n[0-9_]+\s+\[", rb"^\s*n[0-9_]+ -> n[0-9_]+")]
        assert seen == [boxes, lines], f"Graphviz sees {seen}"


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder], check=True)
        bases = sorted(f[:-4] for f in glob.glob(os.path.join(folder, "*.svg")))
        assert len(bases) == 7, bases
        for base in bases:
            try:
                check(base)
            except Exception as e:  # told with the picture's name
                raise SystemExit(f"{os.path.basename(base)}: {type(e).__name__}: {e}")
        print(f"{len(bases)} pictures read" + ("" if shutil.which("nop") else "; Graphviz is not installed and has not seen them"))


def self_test():
    for good in ('digraph { a; b [x="y\\"", z=1]; a -> b [l=" "]; subgraph cluster_1 { label="q"; c; } }',):
        Dot(good)
    for bad in ("digraph { a }", 'digraph { a [l="x"y"]; }', 'digraph { a [l="\n"]; }', "digraph { a; a; }", "digraph { a -> b; }", "digraph { a; } }", "digraph { a [l=<]; }", "digraph {"):
        try:
            Dot(bad)
        except ValueError:
            continue
        raise SystemExit(f"not refused: {bad}")
    print("the reader of dot refuses what it must")


if __name__ == "__main__":
    self_test() if sys.argv[1] == "--self-test" else main(sys.argv[1])
