# SPDX-License-Identifier: Apache-2.0
"""mx.mon.Monitor: looks at inner arrays every few batches."""
import logging
import re

from . import ndarray
from .ndarray import NDArray


class Monitor:
    """stat_func of the outputs whose names fit `pattern`, every `interval` batches."""

    def __init__(self, interval, stat_func=None, pattern=".*", sort=False, monitor_all=False):
        self.stat_func = stat_func or (lambda x: ndarray.norm(x) / (x.size ** 0.5))
        self.interval, self.sort, self.monitor_all, self.pattern = interval, sort, monitor_all, re.compile(pattern)
        self.activated, self.queue, self.step, self.exes = False, [], 0, []

    def _look(self, name, array):
        if self.activated and self.pattern.match(name):
            self.queue.append((self.step, name, self.stat_func(array)))

    def install(self, exe):
        exe.set_monitor_callback(self._look, self.monitor_all)
        self.exes.append(exe)

    def tic(self):
        if self.step % self.interval == 0:
            self.queue, self.activated = [], True
        self.step += 1

    def toc(self):
        """[(step, name, text)] of what was seen since tic()."""
        if not self.activated:
            return []
        self.activated = False
        for exe in self.exes:
            for name, array in exe.arg_dict.items():
                if self.pattern.match(name):
                    self.queue.append((self.step, name, self.stat_func(array)))
        found = []
        for step, name, stats in sorted(self.queue, key=lambda q: q[1]) if self.sort else self.queue:
            stats = [stats] if isinstance(stats, NDArray) else stats
            found.append((step, name, "\t".join(str(s.asscalar()) if s.size == 1 else str(s.asnumpy()) for s in stats) + "\t"))
        self.queue = []
        return found

    def toc_print(self):
        for step, name, value in self.toc():
            logging.info("Batch: %7d %30s %s", step, name, value)
