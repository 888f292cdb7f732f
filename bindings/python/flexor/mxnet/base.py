# SPDX-License-Identifier: Apache-2.0
"""What all of flexor.mxnet stands on: calls of the library, MXNet's string forms, and names found in the registry."""
import functools

import numpy as np

from .. import Error as MXNetError
from .._core import call as prepared  # an operator with its attributes, ready to run
from .._core import f, text  # the glue: flx_* functions; a value in MXNet's string form
from .._dtypes import DTYPES, host_of, number_of  # MXNet's numbers of dtypes
numeric_types = (float, int, np.generic)
string_types = (str,)
integer_types = (int, np.integer)
__all__ = ["DTYPES", "MXNetError", "Op", "Registry", "entries", "f", "host_of", "missing", "number_of", "op", "op_names", "prepared", "text", "texts"]


def texts(options):
    return {k: text(v) for k, v in options.items()}


class Op:
    """An operator as the registry has it: MXNet's positional order is its inputs, then its attributes."""

    def __init__(self, name):
        entry = f.flx_registry_find("operator", name)
        self.asked, self.name, self.doc = name, f.flx_entry_text(entry, "name"), f.flx_entry_text(entry, "doc")
        self.inputs = [f.flx_entry_input_text(entry, i, "name") for i in range(f.flx_entry_input_count(entry))]
        self.kinds = [f.flx_entry_input_text(entry, i, "kind") for i in range(len(self.inputs))]
        self.attrs = [f.flx_entry_attr_text(entry, i, "name") for i in range(f.flx_entry_attr_count(entry))]
        self.about = [(f.flx_entry_attr_text(entry, i, "type"), f.flx_entry_attr_text(entry, i, "default"), f.flx_entry_attr_text(entry, i, "doc"),
                       f.flx_entry_attr_text(entry, i, "required") == "1") for i in range(len(self.attrs))]
        self.variadic = "list" in self.kinds

    def sort_out(self, args, kwargs, kind):
        """(inputs, their names, attributes) of a call: `kind` is the class of an input."""
        named = {}
        if self.variadic:
            if len(args) == 1 and isinstance(args[0], (list, tuple)):
                args = args[0]
            inputs = list(args)
            for a in inputs:
                if not isinstance(a, kind):
                    raise TypeError("[%s] expected %ss before the named arguments, given %s" % (self.asked, kind.__name__, type(a).__name__))
            if "num_args" in self.attrs:
                kwargs.setdefault("num_args", len(inputs))
        else:
            inputs, order = [], self.inputs + self.attrs
            at = 0
            for value in args:
                # what is no array is no optional input, so it is the next attribute: log_softmax(x, 1)
                while at < len(self.inputs) and self.kinds[at] == "optional" and value is not None and not isinstance(value, kind):
                    at += 1
                if at == len(order):
                    raise TypeError("[%s] takes at most %d arguments: %s" % (self.asked, len(order), ", ".join(order)))
                name, at = order[at], at + 1
                if name in self.inputs:
                    named[name] = value
                elif name in kwargs:
                    raise TypeError("[%s] `%s` is given twice" % (self.asked, name))
                else:
                    kwargs[name] = value
        for name in self.inputs:
            if name in kwargs and (isinstance(kwargs[name], kind) or kwargs[name] is None) and name not in self.attrs:
                if self.variadic:
                    inputs.append(kwargs.pop(name))
                elif named.get(name) is not None:
                    raise TypeError("[%s] input `%s` is given twice" % (self.asked, name))
                else:
                    named[name] = kwargs.pop(name)
        names = [n for n in self.inputs if named.get(n) is not None]
        for n in names:
            if not isinstance(named[n], kind):
                raise TypeError("[%s] input `%s` must be of %s, given %s" % (self.asked, n, kind.__name__, type(named[n]).__name__))
            inputs.append(named[n])
        return inputs, names, texts(kwargs)

    def signature(self):
        parts = [n + ("" if k == "required" else "=None") for n, k in zip(self.inputs, self.kinds) if k != "list"]
        parts += ["*" + n for n, k in zip(self.inputs, self.kinds) if k == "list"]
        parts += [n if needed else "%s=%s" % (n, default) for n, (_, default, _, needed) in zip(self.attrs, self.about)]
        return "%s(%s)" % (self.asked, ", ".join(parts))

    def documentation(self):
        lines = [self.signature(), "", self.doc, ""]
        lines += ["%s : %s%s\n    %s" % (n, t, "" if needed else ", optional, default %s" % default, doc) for n, (t, default, doc, needed) in zip(self.attrs, self.about)]
        return "\n".join(lines)


@functools.lru_cache(maxsize=None)
def op(name):
    return Op(name)


@functools.lru_cache(maxsize=None)
def op_names():
    """Names and aliases of all operators."""
    names = set()
    for i in range(f.flx_registry_count("operator")):
        entry = f.flx_registry_at("operator", i)
        names.add(f.flx_entry_text(entry, "name"))
        names.update(a for a in f.flx_entry_text(entry, "aliases").split(",") if a)
    return frozenset(n.strip() for n in names)


def entries(registry):
    """[(name, aliases, settings with defaults, doc)] of a registry."""
    found = []
    for i in range(f.flx_registry_count(registry)):
        e = f.flx_registry_at(registry, i)
        settings = [(f.flx_entry_attr_text(e, k, "name"), f.flx_entry_attr_text(e, k, "default")) for k in range(f.flx_entry_attr_count(e))]
        aliases = [a.strip() for a in f.flx_entry_text(e, "aliases").split(",") if a.strip()]
        found.append((f.flx_entry_text(e, "name"), aliases, settings, f.flx_entry_text(e, "doc")))
    return found


class Registry:
    """Classes by name, as MXNet's register, alias and create have them."""

    def __init__(self, what):
        self.what, self.classes = what, {}

    def register(self, cls, *names):
        for n in names or (cls.__name__,):
            self.classes[n.lower()] = cls
        return cls

    def alias(self, *names):
        return lambda cls: self.register(cls, *names)

    def create(self, name, *args, **kwargs):
        if name.lower() not in self.classes:
            raise ValueError("there is no %s called %r; known are %s" % (self.what, name, ", ".join(sorted(self.classes))))
        return self.classes[name.lower()](*args, **kwargs)


def missing(module, name, instead=None):
    """The error for a name that MXNet has and this package does not."""
    return AttributeError("flexor.mxnet has no %s.%s%s (docs/mxnet.md lists what is missing)" % (module, name, "; " + instead if instead else ""))
