#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""assemble.py SOURCE TARGET [NAME=FILE ...]: the package as it can be imported, without a copy: a link in TARGET for each file of the folder SOURCE, and for each
FILE of a build a link NAME. Links that lead nowhere any more go."""
import os
import sys


def link(path, to):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path) and os.readlink(path) == to:
        return
    if os.path.lexists(path):
        os.remove(path)
    os.symlink(to, path)


def main():
    source, target = map(os.path.abspath, sys.argv[1:3])
    for folder, folders, files in os.walk(source):
        folders[:] = [d for d in folders if d != "__pycache__"]
        for name in files + [d for d in folders if os.path.islink(os.path.join(folder, d))]:
            path = os.path.join(folder, name)
            link(os.path.join(target, os.path.relpath(path, source)), path)
    for pair in sys.argv[3:]:
        name, file = pair.split("=", 1)
        link(os.path.join(target, name), os.path.abspath(file))
    for folder, _, files in os.walk(target):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.islink(path) and not os.path.exists(path):
                os.remove(path)


main()
