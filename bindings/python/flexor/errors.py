# SPDX-License-Identifier: Apache-2.0
"""Exceptions: one class for each status of the C ABI. Each is also the built-in exception that Python users expect, so that `except ValueError` works.

Every error has these attributes: `status` (the ABI's number), `kind` (its name), and, where they are known, `operator`, `node` (of a graph), `origin` (the
line that queued the operation: option FLEXOR_ORIGIN), `hint` (how to mend it), `file` (texts, "" if unknown), `offset` (an int, or None)."""
from . import _flexor as _f
from ._flexor import Error

Error.__doc__ = "What every error of Flexor is. Attributes: see flexor.errors."
Error.status, Error.kind, Error.offset = _f.FLX_ERROR, "error", None
Error.operator = Error.node = Error.origin = Error.hint = Error.file = ""


class ArgumentError(Error, ValueError):
    """An argument or setting has a value that is not allowed."""
    status = _f.FLX_ERROR_ARGUMENT


class DTypeError(Error, TypeError):
    """An array has a dtype that does not fit."""
    status = _f.FLX_ERROR_TYPE


class ShapeError(Error, ValueError):
    """Shapes do not fit."""
    status = _f.FLX_ERROR_SHAPE


class OutOfRangeError(Error, IndexError):
    """An index is out of range."""
    status = _f.FLX_ERROR_INDEX


class UnknownNameError(Error, KeyError):
    """There is nothing of this name; the message has the nearest one."""
    status = _f.FLX_ERROR_NAME
    __str__ = BaseException.__str__  # not KeyError's, which quotes the message


class HandleError(Error, ValueError):
    """An object was freed before, or is of another kind."""
    status = _f.FLX_ERROR_HANDLE


class UnsupportedError(Error, NotImplementedError):
    """This cannot be done, or not here."""
    status = _f.FLX_ERROR_UNSUPPORTED


class OutOfMemoryError(Error, MemoryError):
    """There is not enough memory, or the limit is reached."""
    status = _f.FLX_ERROR_MEMORY


class FileError(Error, OSError):
    """A file cannot be read or written."""
    status = _f.FLX_ERROR_FILE


class FormatError(Error, ValueError):
    """A file or document is damaged or of another format; `offset` says where."""
    status = _f.FLX_ERROR_FORMAT


class DeviceError(Error):
    """A device is missing or failed."""
    status = _f.FLX_ERROR_DEVICE


class NetworkError(Error, ConnectionError):
    """Another process cannot be reached."""
    status = _f.FLX_ERROR_NETWORK


class HostError(Error):
    """A function of the user failed in a task."""
    status = _f.FLX_ERROR_HOST


class StateError(Error):
    """This cannot be done now: something has to be done before."""
    status = _f.FLX_ERROR_STATE


class InternalError(Error):
    """The library has a fault; please report it."""
    status = _f.FLX_ERROR_INTERNAL


class RolledBackError(Error):
    """The job of a store went back to its checkpoint: call its `recover`, pull, and go on."""
    status = _f.FLX_ERROR_ROLLED_BACK


IndexError_, NameError_ = OutOfRangeError, UnknownNameError  # other words for them
for _class in Error.__subclasses__():
    _f.errors[_class.status] = _class
    _class.kind = next(name[len("FLX_ERROR_"):].lower() for name in dir(_f) if name.startswith("FLX_ERROR_") and getattr(_f, name) == _class.status)
__all__ = ["Error", "ArgumentError", "DTypeError", "DeviceError", "FileError", "FormatError", "HandleError", "HostError", "InternalError", "NetworkError", "OutOfMemoryError",
           "OutOfRangeError", "RolledBackError", "ShapeError", "StateError", "UnknownNameError", "UnsupportedError"]
