# SPDX-License-Identifier: Apache-2.0
"""mx.profiler: the library's profiler, by MXNet's words."""
from .base import f

_config = {"filename": "profile.json"}


def set_config(**kwargs):
    """filename= is where dump() writes; what is recorded is the library's own choice."""
    _config.update(kwargs)


def set_state(state="stop", profile_process="worker"):
    if state == "run":
        f.flx_profiler_start({})
    else:
        f.flx_profiler_stop()


def pause(profile_process="worker"):
    f.flx_profiler_stop()


def resume(profile_process="worker"):
    f.flx_profiler_start({"keep": "True"})


def dump(finished=True, profile_process="worker"):
    f.flx_profiler_save(_config["filename"])


def dumps(reset=False, format="table", sort_by="total", ascending=False):
    """The table of what was recorded; with format="json" as a document."""
    text = f.flx_profiler_table() if format == "json" else f.flx_profiler_summary({"avg": "mean"}.get(sort_by, sort_by), 0)
    if reset:
        f.flx_profiler_clear()
    return text
