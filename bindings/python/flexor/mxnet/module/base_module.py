# SPDX-License-Identifier: Apache-2.0
"""What all modules share: fit, score, predict, in terms of forward, backward and update."""
import logging
import time
from collections import namedtuple

from .. import initializer, io, metric as metric_module, ndarray

BatchEndParam = namedtuple("BatchEndParams", ["epoch", "nbatch", "eval_metric", "locals"])


def _list(x):
    return x if isinstance(x, (list, tuple)) else [x]


def _call(callbacks, *args):
    for callback in _list(callbacks) if callbacks is not None else []:
        callback(*args)


class BaseModule:
    """A module: bind, init_params, init_optimizer, then forward, backward, update; or fit, which does it all."""

    def __init__(self, logger=logging):
        self.logger = logger
        self.binded = self.for_training = self.inputs_need_grad = self.params_initialized = self.optimizer_initialized = False
        self._symbol = None

    @property
    def symbol(self):
        return self._symbol

    def forward_backward(self, data_batch):
        self.forward(data_batch, is_train=True)
        self.backward()

    def prepare(self, data_batch, sparse_row_id_fn=None):
        """Called before a batch is used; a BucketingModule binds its bucket."""

    def _ready(self, *what):
        for name, done in (("bind", self.binded), ("init_params", self.params_initialized), ("init_optimizer", self.optimizer_initialized)):
            if name in what and not done:
                raise RuntimeError("call %s() of the module first" % name)

    def _batches(self, eval_data, num_batch, reset):
        """(number, batch) of an evaluation, run forwards."""
        self._ready("bind", "init_params")
        if isinstance(eval_data, ndarray.NDArray):
            eval_data = io.NDArrayIter(eval_data, batch_size=eval_data.shape[0])
        if reset:
            eval_data.reset()
        for nbatch, batch in enumerate(eval_data):
            if num_batch is not None and nbatch == num_batch:
                return
            self.prepare(batch)
            self.forward(batch, is_train=False)
            yield nbatch, batch

    def score(self, eval_data, eval_metric, num_batch=None, batch_end_callback=None, score_end_callback=None, reset=True, epoch=0, sparse_row_id_fn=None):
        """[(name, value)] of a metric on data."""
        eval_metric = metric_module.create(eval_metric)
        eval_metric.reset()
        count = 0
        for nbatch, batch in self._batches(eval_data, num_batch, reset):
            self.update_metric(eval_metric, batch.label)
            _call(batch_end_callback, BatchEndParam(epoch, nbatch, eval_metric, locals()))
            count += 1
        _call(score_end_callback, BatchEndParam(epoch, count, eval_metric, locals()))
        return eval_metric.get_global_name_value()

    def _unpadded(self, batch):
        pad = batch.pad or 0
        return [out[:out.shape[0] - pad].copy() for out in self.get_outputs()]

    def iter_predict(self, eval_data, num_batch=None, reset=True, sparse_row_id_fn=None):
        """(outputs, number, batch) of each batch, without filling."""
        for nbatch, batch in self._batches(eval_data, num_batch, reset):
            yield self._unpadded(batch), nbatch, batch

    def predict(self, eval_data, num_batch=None, merge_batches=True, reset=True, always_output_list=False, sparse_row_id_fn=None):
        """The outputs on data, all batches together."""
        outputs = [outs for outs, _, _ in self.iter_predict(eval_data, num_batch, reset)]
        if not outputs or not merge_batches:
            return outputs
        if len({len(o) for o in outputs}) > 1:
            raise ValueError("the batches have different numbers of outputs; merge_batches=False gives them as they are")
        merged = [ndarray.concatenate(list(parts)) for parts in zip(*outputs)]
        return merged if always_output_list or len(merged) > 1 else merged[0]

    def fit(self, train_data, eval_data=None, eval_metric="acc", epoch_end_callback=None, batch_end_callback=None, kvstore="local", optimizer="sgd",
            optimizer_params=(("learning_rate", 0.01),), eval_end_callback=None, eval_batch_end_callback=None, initializer=initializer.Uniform(0.01),
            arg_params=None, aux_params=None, allow_missing=False, force_rebind=False, force_init=False, begin_epoch=0, num_epoch=None,
            validation_metric=None, monitor=None, sparse_row_id_fn=None):
        """Trains for epochs begin_epoch to num_epoch - 1."""
        if num_epoch is None:
            raise ValueError("fit needs num_epoch")
        self.bind(data_shapes=train_data.provide_data, label_shapes=train_data.provide_label, for_training=True, force_rebind=force_rebind)
        if monitor is not None:
            self.install_monitor(monitor)
        self.init_params(initializer, arg_params, aux_params, allow_missing, force_init)
        self.init_optimizer(kvstore, optimizer, optimizer_params)
        eval_metric = metric_module.create(eval_metric)
        validation_metric = eval_metric if validation_metric is None else metric_module.create(validation_metric)
        for epoch in range(begin_epoch, num_epoch):
            begin, last = time.time(), []
            eval_metric.reset()
            for nbatch, batch in enumerate(train_data):
                if monitor is not None:
                    monitor.tic()
                self.prepare(batch)
                self.forward_backward(batch)
                self.update()
                self.update_metric(eval_metric, batch.label)
                if monitor is not None:
                    monitor.toc_print()
                last = eval_metric.get_global_name_value()
                _call(batch_end_callback, BatchEndParam(epoch, nbatch, eval_metric, locals()))
            for name, value in last:
                self.logger.info("Epoch[%d] Train-%s=%f", epoch, name, value)
            self.logger.info("Epoch[%d] Time cost=%.3f", epoch, time.time() - begin)
            arg_params, aux_params = self.get_params()
            self.set_params(arg_params, aux_params)
            _call(epoch_end_callback, epoch, self.symbol, arg_params, aux_params)
            if eval_data is not None:
                for name, value in self.score(eval_data, validation_metric, score_end_callback=eval_end_callback, batch_end_callback=eval_batch_end_callback, epoch=epoch):
                    self.logger.info("Epoch[%d] Validation-%s=%f", epoch, name, value)
            train_data.reset()

    def set_params(self, arg_params, aux_params, allow_missing=False, force_init=True, allow_extra=False):
        self.init_params(initializer=None, arg_params=arg_params, aux_params=aux_params, allow_missing=allow_missing, force_init=force_init, allow_extra=allow_extra)

    def save_params(self, fname):
        arg_params, aux_params = self.get_params()
        arrays = {"arg:%s" % k: v for k, v in arg_params.items()}
        arrays.update({"aux:%s" % k: v for k, v in aux_params.items()})
        ndarray.save(fname, arrays)

    def load_params(self, fname):
        parts = {"arg": {}, "aux": {}}
        for k, v in ndarray.load(fname).items():
            kind, _, name = k.partition(":")
            if kind not in parts:
                raise ValueError("%s of %s is no parameter: names begin with arg: or aux:" % (k, fname))
            parts[kind][name] = v
        self.set_params(parts["arg"], parts["aux"])
