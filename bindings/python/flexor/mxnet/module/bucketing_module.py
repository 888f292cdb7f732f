# SPDX-License-Identifier: Apache-2.0
"""mx.mod.BucketingModule: one set of parameters, a symbol for each bucket (length of a sequence ...)."""
import logging

from .base_module import BaseModule
from .module import Module


class BucketingModule(BaseModule):
    """sym_gen(bucket_key) -> (symbol, data_names, label_names); batches say their bucket_key."""

    def __init__(self, sym_gen, default_bucket_key=None, logger=logging, context=None, work_load_list=None, fixed_param_names=None, state_names=None,
                 group2ctxs=None, compression_params=None):
        super().__init__(logger)
        if default_bucket_key is None:
            raise ValueError("BucketingModule needs default_bucket_key, the largest bucket")
        self._sym_gen, self._default = sym_gen, default_bucket_key
        self._more = {"logger": logger, "context": context, "fixed_param_names": fixed_param_names, "state_names": state_names}
        self._buckets, self._module, self._key = {}, None, None

    def _make(self, key):
        symbol, data_names, label_names = self._sym_gen(key)
        return Module(symbol, data_names, label_names, **self._more)

    @property
    def symbol(self):
        return self._module.symbol if self._module else self._make(self._default).symbol

    @property
    def data_names(self):
        return self._module.data_names if self._module else self._sym_gen(self._default)[1]

    @property
    def output_names(self):
        return self._module.output_names if self._module else self._sym_gen(self._default)[0].list_outputs()

    @property
    def data_shapes(self):
        return self._module.data_shapes

    @property
    def label_shapes(self):
        return self._module.label_shapes

    @property
    def output_shapes(self):
        return self._module.output_shapes

    def bind(self, data_shapes, label_shapes=None, for_training=True, inputs_need_grad=False, force_rebind=False, shared_module=None, grad_req="write"):
        if self.binded and not force_rebind:
            self.logger.warning("the module is bound already; force_rebind=True does it again")
            return
        kept = self.get_params() if self.params_initialized and self._module is not None else None
        self._buckets, self._module = {}, self._make(self._default)
        self._key, self.for_training, self.inputs_need_grad, self._req = self._default, for_training, inputs_need_grad, grad_req
        self._module.bind(data_shapes, label_shapes, for_training, inputs_need_grad, False, shared_module, grad_req)
        self._buckets[self._default], self.binded = self._module, True
        if kept is not None:
            self.set_params(*kept)

    def switch_bucket(self, bucket_key, data_shapes, label_shapes=None):
        """Goes on with the symbol of a bucket, bound to the same parameters."""
        self._ready("bind")
        if bucket_key not in self._buckets:
            made = self._make(bucket_key)
            made.bind(data_shapes, label_shapes, self.for_training, self.inputs_need_grad, shared_module=self._buckets[self._default], grad_req=self._req)
            if self.optimizer_initialized:
                made.borrow_optimizer(self._buckets[self._default])
            self._buckets[bucket_key] = made
        self._module, self._key = self._buckets[bucket_key], bucket_key

    def init_params(self, *args, **kwargs):
        self._ready("bind")
        self._buckets[self._default].init_params(*args, **kwargs)
        for m in self._buckets.values():
            m.params_initialized = True
        self.params_initialized = True

    def get_params(self):
        return self._buckets[self._default].get_params()

    def init_optimizer(self, kvstore="local", optimizer="sgd", optimizer_params=(("learning_rate", 0.01),), force_init=False):
        first = self._buckets[self._default]
        first.init_optimizer(kvstore, optimizer, optimizer_params, force_init)
        for m in self._buckets.values():
            if m is not first:
                m.borrow_optimizer(first)
        self.optimizer_initialized = True

    def prepare(self, data_batch, sparse_row_id_fn=None):
        key = getattr(data_batch, "bucket_key", None)
        self.switch_bucket(self._default if key is None else key, data_batch.provide_data or self._module.data_shapes,
                           data_batch.provide_label or self._module.label_shapes)

    def forward(self, data_batch, is_train=None):
        self._ready("bind", "init_params")
        self.prepare(data_batch)
        self._module.forward(data_batch, is_train)

    def backward(self, out_grads=None):
        self._module.backward(out_grads)

    def update(self):
        self._module.update()

    def get_outputs(self, merge_multi_context=True):
        return self._module.get_outputs(merge_multi_context)

    def get_input_grads(self, merge_multi_context=True):
        return self._module.get_input_grads(merge_multi_context)

    def update_metric(self, eval_metric, labels, pre_sliced=False):
        self._module.update_metric(eval_metric, labels, pre_sliced)

    def install_monitor(self, mon):
        for m in self._buckets.values():
            m.install_monitor(mon)

    def save_checkpoint(self, prefix, epoch, save_optimizer_states=False, remove_amp_cast=True):
        self._buckets[self._default].save_checkpoint(prefix, epoch, save_optimizer_states)
