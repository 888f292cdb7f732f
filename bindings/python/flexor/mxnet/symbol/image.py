# SPDX-License-Identifier: Apache-2.0
"""mx.sym.image: operators called _image_X, as X."""
from . import __getattr__ as _by_name


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _by_name("_image_" + name)
