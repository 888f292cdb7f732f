# SPDX-License-Identifier: Apache-2.0
"""mx.callback: what fit calls after batches and epochs."""
import logging
import math
import sys
import time

from . import model


def module_checkpoint(mod, prefix, period=1, save_optimizer_states=False):
    """Saves the module every `period` epochs."""
    def at_end(iter_no, sym=None, arg=None, aux=None):
        if (iter_no + 1) % max(1, int(period)) == 0:
            mod.save_checkpoint(prefix, iter_no + 1, save_optimizer_states)
    return at_end


def do_checkpoint(prefix, period=1):
    """Saves symbol and parameters every `period` epochs."""
    def at_end(iter_no, sym, arg, aux):
        if (iter_no + 1) % max(1, int(period)) == 0:
            model.save_checkpoint(prefix, iter_no + 1, sym, arg, aux)
    return at_end


def log_train_metric(period, auto_reset=False):
    def after(param):
        if param.nbatch % period == 0 and param.eval_metric is not None:
            for name, value in param.eval_metric.get_name_value():
                logging.info("Iter[%d] Batch[%d] Train-%s=%f", param.epoch, param.nbatch, name, value)
            if auto_reset:
                param.eval_metric.reset_local()
    return after


class Speedometer:
    """Logs samples a second and the metric every `frequent` batches."""

    def __init__(self, batch_size, frequent=50, auto_reset=True):
        self.batch_size, self.frequent, self.auto_reset = batch_size, frequent, auto_reset
        self.init, self.tic, self.last_count = False, 0, 0

    def __call__(self, param):
        count = param.nbatch
        if self.last_count > count:
            self.init = False
        self.last_count = count
        if not self.init:
            self.init, self.tic = True, time.time()
            return
        if count % self.frequent:
            return
        passed = time.time() - self.tic
        speed = self.frequent * self.batch_size / passed if passed else float("inf")
        line = "Epoch[%d] Batch [%d-%d]\tSpeed: %.2f samples/sec" % (param.epoch, count - self.frequent, count, speed)
        if param.eval_metric is not None:
            line += "".join("\t%s=%f" % pair for pair in param.eval_metric.get_name_value())
            if self.auto_reset:
                param.eval_metric.reset_local()
        logging.info(line)
        self.tic = time.time()


class ProgressBar:
    """A bar of the batches done, of `total`."""

    def __init__(self, total, length=80):
        self.bar_len, self.total = length, total

    def __call__(self, param):
        done = int(round(self.bar_len * param.nbatch / float(self.total)))
        sys.stdout.write("[%s%s] %s%%\r" % ("=" * done, "-" * (self.bar_len - done), math.ceil(100.0 * param.nbatch / self.total)))


class LogValidationMetricsCallback:
    """Logs the metric at the end of an evaluation."""

    def __call__(self, param):
        if param.eval_metric:
            for name, value in param.eval_metric.get_name_value():
                logging.info("Epoch[%d] Validation-%s=%f", param.epoch, name, value)
