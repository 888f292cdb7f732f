# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.Trainer: an optimizer for a block's parameters."""
from .. import kvstore as kv, optimizer as opt
from .parameter import Parameter, ParameterDict


class Trainer:
    """trainer.step(n) updates the parameters from their gradients divided by n. With a `kvstore` of several processes (dist_sync: the gradients of all workers are summed, so n is the
    samples of all; dist_async: the servers update) or without: one process and device."""

    def __init__(self, params, optimizer, optimizer_params=None, kvstore="device", compression_params=None, update_on_kvstore=None):
        if isinstance(params, (dict, ParameterDict)):
            params = [params[k] for k in sorted(params.keys())]
        params = list(params)
        for p in params:
            if not isinstance(p, Parameter):
                raise ValueError("Trainer takes parameters, as net.collect_params() gives them; given %s" % type(p).__name__)
        if compression_params:
            raise NotImplementedError("compression_params: gradients are not compressed")
        self._params, self._param2idx = params, {p.name: i for i, p in enumerate(params)}
        optimizer_params = dict(optimizer_params or {})
        self._scale = float(optimizer_params.get("rescale_grad", 1.0))
        named = kvstore if isinstance(kvstore, str) else getattr(kvstore, "type", "")
        self._kvstore = kv.create(kvstore) if "dist" in named else None
        self._update_on_kvstore = self._kvstore is not None and "async" in named
        if update_on_kvstore is False and self._update_on_kvstore:
            raise ValueError("Please set update_on_kvstore=True when training in async mode.")
        self._exchange = None
        self._init_optimizer(optimizer, optimizer_params)
        if self._kvstore is not None and all(p._data is not None for p in params):  # else at the first step, as in MXNet
            self._begin()

    def _init_optimizer(self, optimizer, optimizer_params):
        param_dict = dict(enumerate(self._params))
        if isinstance(optimizer, opt.Optimizer):
            if optimizer_params and set(optimizer_params) != {"rescale_grad"}:
                raise ValueError("optimizer_params belong to an optimizer's name; this is an optimizer already")
            self._optimizer = optimizer
            self._optimizer.param_dict = param_dict
        else:
            self._optimizer = opt.create(optimizer, param_dict=param_dict, **optimizer_params)
        self._updaters = [opt.get_updater(self._optimizer)]

    @property
    def optimizer(self):
        return self._optimizer

    @property
    def learning_rate(self):
        return self._optimizer.learning_rate

    def set_learning_rate(self, lr):
        self._optimizer.set_learning_rate(lr)

    def step(self, batch_size, ignore_stale_grad=False):
        """Updates with gradients divided by `batch_size`."""
        self._optimizer.rescale_grad = self._scale / batch_size
        self._update(ignore_stale_grad)

    def allreduce_grads(self):
        """Sums the gradients of all workers; those of one process need no sum."""
        if self._update_on_kvstore:
            raise AssertionError("allreduce_grads() when parameters are updated on the kvstore is not supported")
        self._meet()

    def update(self, batch_size, ignore_stale_grad=False):
        """Updates without summing: after allreduce_grads()."""
        if self._update_on_kvstore:
            raise AssertionError("update() when parameters are updated on the kvstore is not supported")
        self._optimizer.rescale_grad = self._scale / batch_size
        self._update(ignore_stale_grad, False)

    def _begin(self):
        if self._exchange is None:  # every parameter begins as rank 0's, those without gradients, too
            self._exchange = kv.Gradients(self._kvstore, {i: p.data() for i, p in enumerate(self._params)}, self._optimizer)

    def _meet(self):
        """True: the servers have updated."""
        if self._kvstore is None:
            return False
        self._begin()
        weights = {i: p.data() for i, p in enumerate(self._params) if p.grad_req != "null"}
        return self._exchange.exchange(weights, {i: w.grad for i, w in weights.items()}, self._optimizer.rescale_grad)

    def _update(self, ignore_stale_grad, together=True):
        if together and self._meet():
            return
        weights = {i: p.data() for i, p in enumerate(self._params) if p.grad_req != "null"}
        if opt.steps_all(self._optimizer):  # a rule of the library, which knows what backward has written
            if weights and not self._optimizer.step_all(weights, ignore_stale_grad):
                raise UserWarning("the gradient of a parameter among %s has not been renewed by backward since the last step; are all part of the loss? "
                                  "step(ignore_stale_grad=True) passes over those" % ", ".join(self._params[i].name for i in weights))
            return
        for i, weight in weights.items():
            self._updaters[0](i, weight.grad, weight)

    def save_states(self, fname):
        with open(fname, "wb") as out:
            out.write(self._updaters[0].get_states(dump_optimizer=True))

    def load_states(self, fname):
        with open(fname, "rb") as given:
            self._updaters[0].set_states(given.read())
        self._optimizer = self._updaters[0].optimizer
        self._optimizer.param_dict = dict(enumerate(self._params))


__all__ = ["Trainer"]
