#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""r.py REGISTRY GLUE_R WRAPPER_C PACKAGE OUT: the source package of R in the folder OUT: bindings/r itself, the glue, a function for everything registered, help pages
and NAMESPACE. Only what changed is written. The names:
  operator   nd_<function>        nd_softmax(x): a prefix, since sum, max or sort are R's own
  layer      layer_<function>     takes the network first, for pipes
  loss       <function>           softmax_cross_entropy, l2_loss: `_loss` goes where two words are left
  optimizer  <function>           adam(0.001)
  others     metric_, init_, schedule_, iter_ and the function
Axes and indices count from 1: attributes that are axes by type and name, inputs that are indices by name or their doc, results that are indices by name."""
import os
import re
import shutil

import r_docs
import r_functions
from registry import arguments, load, write


def package_files(package):
    for folder, folders, names in os.walk(package):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in sorted(names):
            if name != "CMakeLists.txt":
                yield os.path.relpath(os.path.join(folder, name), package)


def defined(folder):
    """Names of functions written by hand: nothing is generated in their place."""
    names = set()
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            names |= set(re.findall(r"^([\w.]+) <- function", f.read(), re.M))
    return names


def make(registry, glue, wrapper, package, out):
    kept = set()
    for name in package_files(package):
        source, target = os.path.join(package, name), os.path.join(out, name)
        kept.add(name)
        with open(source, "rb") as f:
            write(target, f.read())
        shutil.copymode(source, target)
    generated = {"R/aaa_glue.R": open(glue, encoding="utf-8").read(), "src/wrapper.c": open(wrapper, encoding="utf-8").read(),
                 "R/registered.R": r_functions.source(load(registry), defined(os.path.join(package, "R")))}
    for name, text in generated.items():
        kept.add(name)
        write(os.path.join(out, name), text)
    comments = []
    for name in sorted(k for k in kept if k.startswith("R/") and k.endswith(".R")):
        with open(os.path.join(out, name), encoding="utf-8") as f:
            comments += r_docs.blocks(f.read(), name)
    for name, text in r_docs.pages(comments).items():
        kept.add("man/" + name)
        write(os.path.join(out, "man", name), text)
    kept.add("NAMESPACE")
    write(os.path.join(out, "NAMESPACE"), r_docs.namespace(comments, IMPORTS))
    for name in list(package_files(out)):
        if name not in kept and not name.startswith(("src/", "data/", "R/sysdata")):
            os.remove(os.path.join(out, name))


IMPORTS = ['import(methods)', 'if (getRversion() >= "4.3.0") S3method("%*%", flexor_ndarray, matmul) else exportMethods("%*%", "show")', 'importFrom(stats, update)', 'importFrom(stats, runif)']

if __name__ == "__main__":
    args = arguments(__doc__, "registry", "glue", "wrapper", "package", "out")
    make(args.registry, args.glue, args.wrapper, args.package, args.out)
