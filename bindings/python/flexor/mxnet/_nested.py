# SPDX-License-Identifier: Apache-2.0
"""Arrays and symbols in lists of lists, as loops take and give them."""


def flat(kind, data):
    """What of `kind` is in `data`, in order."""
    return [data] if isinstance(data, kind) else [a for part in data for a in flat(kind, part)]


def like(kind, template, items):
    """`items` (a list that is used up) in the form of `template`."""
    return items.pop(0) if isinstance(template, kind) else [like(kind, t, items) for t in template]


def contrib(by_name, names):
    """__getattr__ of mx.nd.contrib and mx.sym.contrib: operators called _contrib_X, or _X, as X."""
    def find(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return by_name("_contrib_" + name if "_contrib_" + name in names() or "_" + name not in names() else "_" + name)
    return find
