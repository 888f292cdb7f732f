# SPDX-License-Identifier: Apache-2.0
"""`import mxnet` as this package: mxnet.gluon.nn is the very module flexor.mxnet.gluon.nn."""
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys

OURS = __name__.rpartition(".")[0]


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname, path=None, target=None):
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == "mxnet" or fullname.startswith("mxnet.") else None

    def create_module(self, spec):
        parts = spec.name.split(".")
        module = importlib.import_module(OURS)
        for part in parts[1:]:  # by attribute: mxnet.nd is flexor.mxnet.ndarray
            try:
                module = getattr(module, part)
            except AttributeError as e:
                raise ImportError(str(e), name=spec.name) from None
            if not hasattr(module, "__spec__"):
                raise ImportError("%s is no module" % spec.name, name=spec.name)
        # the import system writes the name that was asked for into the module; what it is stays
        self._kept = module.__spec__, module.__loader__, module.__package__, module.__name__
        return module

    def exec_module(self, module):
        module.__spec__, module.__loader__, module.__package__, module.__name__ = self._kept


def install():
    if not any(isinstance(f, _Finder) for f in sys.meta_path):
        if "mxnet" in sys.modules and sys.modules["mxnet"] is not sys.modules[OURS]:
            raise RuntimeError("mxnet itself is imported already; call flexor.mxnet.install() before")
        sys.meta_path.insert(0, _Finder())
