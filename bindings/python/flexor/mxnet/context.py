# SPDX-License-Identifier: Apache-2.0
"""mx.context: devices by name and number. One that is not there is an error where an array is to be made on it, which says why."""
import threading

from .base import f

_current = threading.local()


class Context:
    """A device: Context("cpu", 0), mx.cpu(), mx.gpu(1). In a `with` block it is where new arrays are made."""

    devtype2str = {1: "cpu", 2: "gpu", 3: "cpu_pinned", 5: "cpu_shared"}
    devstr2type = {v: k for k, v in devtype2str.items()}
    __slots__ = ("device_typeid", "device_id", "_before")

    def __init__(self, device_type, device_id=0):
        if isinstance(device_type, Context):
            self.device_typeid, self.device_id = device_type.device_typeid, device_type.device_id
        else:
            if device_type not in self.devstr2type and f.flx_device_count(device_type):  # a kind that MXNet has not
                number = max(self.devtype2str) + 1
                self.devtype2str[number], self.devstr2type[device_type] = device_type, number
            if device_type not in self.devstr2type:
                raise ValueError("there is no device of the kind %r; there are %s" % (device_type, ", ".join(sorted(self.devstr2type))))
            self.device_typeid, self.device_id = self.devstr2type[device_type], device_id
        self._before = None

    @property
    def device_type(self):
        return self.devtype2str[self.device_typeid]

    @property
    def text(self):
        """The device as the library names it: pinned and shared memory are plain memory to it."""
        return "cpu(0)" if self.device_type.startswith("cpu") else "%s(%d)" % (self.device_type, self.device_id)

    def __eq__(self, other):
        return isinstance(other, Context) and (self.device_typeid, self.device_id) == (other.device_typeid, other.device_id)

    def __hash__(self):
        return hash((self.device_typeid, self.device_id))

    def __repr__(self):
        return "%s(%d)" % (self.device_type, self.device_id)

    def __enter__(self):
        self._before = current_context()
        _current.value = self
        return self

    def __exit__(self, *error):
        _current.value = self._before

    def empty_cache(self):
        """Gives memory that is kept for later arrays back to the device."""
        f.flx_memory_release_unused(self.text)


def cpu(device_id=0):
    return Context("cpu", device_id)


def gpu(device_id=0):
    return Context("gpu", device_id)


def cpu_pinned(device_id=0):
    return Context("cpu_pinned", device_id)


def num_gpus():
    return f.flx_device_count("gpu")


def gpu_memory_info(device_id=0):
    """(free, total) bytes."""
    total = f.flx_memory_stat("gpu(%d)" % device_id, "total")
    return total - f.flx_memory_stat("gpu(%d)" % device_id, "live"), total


def current_context():
    return getattr(_current, "value", None) or cpu(0)


def of_text(text):
    kind, _, number = text.partition("(")
    return Context(kind, int(number.rstrip(")") or 0))


def to_text(ctx):
    """A Context, a text, a list of one, or None (the current one) as the library names it."""
    if isinstance(ctx, (list, tuple)):
        if len(ctx) != 1:
            raise NotImplementedError("one device at a time: given %s. Several devices in one process are not there yet." % (list(ctx),))
        ctx = ctx[0]
    if isinstance(ctx, str):
        ctx = of_text(ctx)
    return (ctx or current_context()).text
