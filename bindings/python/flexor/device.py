# SPDX-License-Identifier: Apache-2.0
"""Devices, their memory, and the library itself."""
from typing import Any, Dict, Optional

from . import _flexor as f


def count(kind: str = "cpu") -> int:
    """How many devices of `kind` (cpu, gpu) there are."""
    return f.flx_device_count(kind)


def cpu(index: int = 0) -> str:
    """The CPU, as `device=` takes it."""
    return f"cpu({index})"


def gpu(index: int = 0) -> str:
    """A GPU, as `device=` takes it; num_gpus() says how many there are."""
    return f"gpu({index})"


def num_gpus() -> int:
    """How many GPUs there are."""
    return f.flx_device_count("gpu")


def memory(device: Optional[str] = None) -> Dict[str, int]:
    """Bytes on `device` (None: the CPU): live, cached, peak, limit (0: none), total; of other devices also fragmentation."""
    stats = ("live", "cached", "peak", "limit", "total") + (() if device is None or device.startswith("cpu") else ("fragmentation",))
    return {stat: f.flx_memory_stat(device, stat) for stat in stats}


def properties(device: Optional[str] = None) -> Dict[str, Any]:
    """What `device` (None: the CPU) is: its name, its memory in bytes, and what else its kind tells."""
    pairs = (line.partition(" ") for line in f.flx_device_properties(device).splitlines())
    return {key: int(value) if value.isdigit() else value for key, _, value in pairs}


def synchronize(device: Optional[str] = None) -> None:
    """Waits until everything issued so far to `device` (None: the CPU) is done. What failed is told by the arrays, and by waitall."""
    f.flx_device_synchronize(device, -1)


def set_memory_limit(nbytes: int, device: Optional[str] = None) -> None:
    """Limits the memory that the library takes on `device`; 0: no limit."""
    f.flx_memory_limit_set(device, int(nbytes))


def reset_peak(device: Optional[str] = None) -> None:
    """Sets the peak back to what is live now."""
    f.flx_memory_peak_reset(device)


def release_unused(device: Optional[str] = None) -> None:
    """Gives cached memory back to the system."""
    f.flx_memory_release_unused(device)


def waitall() -> None:
    """Waits for everything that was begun so far, and raises what went wrong and nobody has seen yet."""
    f.flx_wait_all(-1)


def shutdown() -> None:
    """Finishes work and stops the library's threads; later work starts them again. Nobody has to call it."""
    f.flx_shutdown(-1)


def info() -> Dict[str, Any]:
    """Facts of the library: version, path, compiler, blas, features, license, build."""
    return {"version": f.flx_version(), **{field: f.flx_library_text(field) for field in ("path", "compiler", "blas", "features", "license", "build")}}


def load_plugin(path: Any) -> None:
    """Loads a plugin that registers operators (flexor/c_api_native.h); flexor.nd.invoke calls them."""
    f.flx_plugin_load(path)


def live_handles(kind: Optional[str] = None) -> int:
    """How many objects of the library (of `kind`, as ndarray) are alive: what leak tests ask."""
    return f.flx_handle_live(kind)
