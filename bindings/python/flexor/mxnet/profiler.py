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


class _Span:
    """A stretch of time: start(), stop(), or a `with` block."""
    _kind = "user"

    def __init__(self, *args, name=None):
        # Task and Frame are made with a domain before the name
        self.name, self._span = name or str(args[-1]), None

    def start(self):
        self._span = f.flx_span_begin(self.name, self._kind)

    def stop(self):
        if self._span is not None:
            f.flx_free(self._span)
            self._span = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stop()

    def __str__(self):
        return self.name


class Task(_Span):
    _kind = "task"


class Frame(_Span):
    _kind = "frame"


class Event(_Span):
    _kind = "event"


class Counter:
    """A number that changes over time."""

    def __init__(self, domain, name, value=None):
        self.name, self.value = name, 0
        if value is not None:
            self.set_value(value)

    def set_value(self, value):
        self.value = value
        f.flx_profiler_counter(self.name, float(value))

    def increment(self, delta=1):
        self.set_value(self.value + delta)

    def decrement(self, delta=1):
        self.set_value(self.value - delta)

    def __iadd__(self, delta):
        self.increment(delta)
        return self

    def __isub__(self, delta):
        self.decrement(delta)
        return self


class Marker:
    """A moment."""

    def __init__(self, domain, name):
        self.name = name

    def mark(self, scope="process"):
        f.flx_profiler_mark(self.name)


class Domain:
    """A name that tasks, frames, counters and marks are made under."""

    def __init__(self, name):
        self.name = name

    def new_task(self, name):
        return Task(self, name)

    def new_frame(self, name):
        return Frame(self, name)

    def new_counter(self, name, value=None):
        return Counter(self, name, value)

    def new_marker(self, name):
        return Marker(self, name)


profiler_set_config, profiler_set_state, dump_profile = set_config, set_state, dump
