# SPDX-License-Identifier: Apache-2.0
"""python -m flexor.mxnet SCRIPT ARGUMENTS: runs a program written for MXNet as it stands."""
import os
import runpy
import sys

from . import install


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python -m flexor.mxnet SCRIPT ARGUMENTS")
    install()
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
