# SPDX-License-Identifier: Apache-2.0
"""mx.mod.Module: a symbol, bound to one device."""
import logging
import warnings

from .. import context as ctx_module
from .. import initializer as init_module
from .. import io, kvstore as kv, model, ndarray, optimizer as opt
from ..executor import Executor
from .base_module import BaseModule


def _descriptions(shapes):
    return [s if isinstance(s, io.DataDesc) else io.DataDesc(*s) for s in (shapes or [])]


class Module(BaseModule):
    """A symbol whose variables are data, labels and parameters."""

    def __init__(self, symbol, data_names=("data",), label_names=("softmax_label",), logger=logging, context=None, work_load_list=None, fixed_param_names=None,
                 state_names=None, group2ctxs=None, compression_params=None):
        super().__init__(logger)
        context = [context or ctx_module.current_context()] if not isinstance(context, (list, tuple)) else list(context)
        if len(context) != 1:
            raise NotImplementedError("one device at a time: given %s. Several devices in one process are not there yet." % context)
        self._context, self._symbol, self._exchange = context, symbol, None
        self._data_names, self._label_names, self._state_names = list(data_names), list(label_names or []), list(state_names or [])
        arguments = symbol.list_arguments()
        for names, what, must in ((self._data_names, "data_names", True), (self._label_names, "label_names", False), (self._state_names, "state_names", True),
                                  (list(fixed_param_names or []), "fixed_param_names", True)):
            for n in names:
                if n not in arguments:
                    text = "%s has %r, which is no argument of the symbol; there are %s" % (what, n, ", ".join(arguments))
                    if must:
                        raise ValueError(text)
                    warnings.warn(text, stacklevel=2)
        given = set(self._data_names + self._label_names + self._state_names)
        self._param_names = [n for n in arguments if n not in given]
        self._aux_names, self._output_names = symbol.list_auxiliary_states(), symbol.list_outputs()
        self._fixed = set(fixed_param_names or [])
        self._arg_params = self._aux_params = self._exec = self._optimizer = self._updater = None
        self._preload, self._preload_states, self._data_shapes, self._label_shapes = None, None, None, None

    @staticmethod
    def load(prefix, epoch, load_optimizer_states=False, **kwargs):
        """A module from a checkpoint; it is bound as any other."""
        symbol, arg_params, aux_params = model.load_checkpoint(prefix, epoch)
        mod = Module(symbol=symbol, **kwargs)
        mod._arg_params, mod._aux_params, mod.params_initialized = arg_params, aux_params, True
        if load_optimizer_states:
            mod._preload_states = "%s-%04d.states" % (prefix, epoch)
        return mod

    def save_checkpoint(self, prefix, epoch, save_optimizer_states=False, remove_amp_cast=True):
        self._symbol.save("%s-symbol.json" % prefix)
        self.save_params("%s-%04d.params" % (prefix, epoch))
        if save_optimizer_states:
            self.save_optimizer_states("%s-%04d.states" % (prefix, epoch))

    # ---- what it is
    @property
    def data_names(self):
        return self._data_names

    @property
    def label_names(self):
        return self._label_names

    @property
    def output_names(self):
        return self._output_names

    @property
    def data_shapes(self):
        return self._data_shapes

    @property
    def label_shapes(self):
        return self._label_shapes

    @property
    def output_shapes(self):
        self._ready("bind")
        known = {d.name: d.shape for d in self._data_shapes + self._label_shapes}
        return list(zip(self._output_names, self._symbol.infer_shape(**{k: v for k, v in known.items() if k in self._symbol.list_arguments()})[1]))

    # ---- arrays
    def bind(self, data_shapes, label_shapes=None, for_training=True, inputs_need_grad=False, force_rebind=False, shared_module=None, grad_req="write"):
        """Makes the arrays for inputs of these shapes. With `shared_module` the parameters are those of another module."""
        if self.binded and not force_rebind:
            self.logger.warning("the module is bound already; force_rebind=True does it again")
            return
        self._data_shapes, self._label_shapes = _descriptions(data_shapes), _descriptions(label_shapes)
        self.for_training, self.inputs_need_grad, self._req = for_training, inputs_need_grad, grad_req
        if {d.name for d in self._data_shapes} != set(self._data_names):
            raise ValueError("data_shapes name %s, the module's data_names are %s" % ([d.name for d in self._data_shapes], self._data_names))
        shared = shared_module._exec if shared_module is not None else self._exec
        arguments = self._symbol.list_arguments()
        given = {d.name: d for d in self._data_shapes + self._label_shapes if d.name in arguments}
        arg_shapes, _, aux_shapes = self._symbol.infer_shape(**{n: d.shape for n, d in given.items()})
        if arg_shapes is None:
            raise ValueError("bind: the shapes of all arguments do not follow from %s" % [tuple(d) for d in given.values()])
        arg_types, _, aux_types = self._symbol.infer_type(**{n: d.dtype for n, d in given.items() if n in self._data_names})
        args, grads, reqs = {}, {}, {}
        for name, shape, dtype in zip(arguments, arg_shapes, arg_types):
            dtype = given[name].dtype if name in given else dtype
            old = shared.arg_dict.get(name) if shared is not None and name in self._param_names else None
            args[name] = old if old is not None and old.shape == shape else ndarray.zeros(shape, self._context[0], dtype)
            reqs[name] = self._request(name)
            if reqs[name] != "null":
                old = shared.grad_dict.get(name) if shared is not None else None
                grads[name] = old if old is not None and old.shape == shape else ndarray.zeros(shape, self._context[0], dtype)
        aux = {}
        for name, shape, dtype in zip(self._aux_names, aux_shapes, aux_types):
            aux[name] = shared.aux_dict[name] if shared is not None and name in shared.aux_dict else ndarray.zeros(shape, self._context[0], dtype)
        self._exec = Executor(self._symbol, self._context[0], args, grads, reqs, aux)
        self.binded = True
        if shared_module is not None:
            self.params_initialized = shared_module.params_initialized
            self._arg_params, self._aux_params = shared_module._arg_params, shared_module._aux_params
        elif self.params_initialized:
            self._exec.copy_params_from(self._arg_params, self._aux_params, allow_extra_params=True)

    def _request(self, name):
        if not self.for_training or name in self._label_names or name in self._state_names or name in self._fixed:
            return "null"
        if name in self._data_names:
            return "write" if self.inputs_need_grad else "null"
        return self._req if isinstance(self._req, str) else self._req.get(name, "null") if isinstance(self._req, dict) else \
            self._req[self._symbol.list_arguments().index(name)]

    def init_params(self, initializer=init_module.Uniform(0.01), arg_params=None, aux_params=None, allow_missing=False, force_init=False, allow_extra=False):
        """First values: from `arg_params` and `aux_params` where they have them, else by the initializer."""
        if self.params_initialized and not force_init:
            return
        self._ready("bind")
        attrs = self._symbol.attr_dict()
        for given, mine, names in ((arg_params, self._exec.arg_dict, self._param_names), (aux_params, self._exec.aux_dict, self._aux_names)):
            for name in names:
                if given is not None and name in given:
                    if given[name] is not mine[name]:
                        if given[name].shape != mine[name].shape:
                            raise ValueError("%s has shape %s, given one of %s" % (name, mine[name].shape, given[name].shape))
                        mine[name][:] = given[name].astype(mine[name].dtype, copy=False)
                elif given is not None and not allow_missing:
                    raise RuntimeError("%s is not among the parameters given; allow_missing=True initializes it" % name)
                elif initializer is not None:
                    initializer(init_module.InitDesc(name, attrs.get(name, {})), mine[name])
            for name in given or {}:
                if name not in mine and not allow_extra:
                    raise ValueError("the symbol has no parameter %s; allow_extra=True passes over it" % name)
        self.params_initialized = True
        self._arg_params = {n: self._exec.arg_dict[n] for n in self._param_names}
        self._aux_params = dict(self._exec.aux_dict)

    def get_params(self):
        """({name: array}, {name: array}): copies of parameters and auxiliary states."""
        self._ready("init_params")
        if not self.binded:
            return dict(self._arg_params), dict(self._aux_params)
        return {n: self._exec.arg_dict[n].copy() for n in self._param_names}, {n: a.copy() for n, a in self._exec.aux_dict.items()}

    def reshape(self, data_shapes, label_shapes=None):
        """Binds to other shapes of the inputs, with the same parameters."""
        self._ready("bind")
        self.binded = False
        had, self.params_initialized = self.params_initialized, False
        self.bind(data_shapes, label_shapes, self.for_training, self.inputs_need_grad, grad_req=self._req)
        self.params_initialized = had

    # ---- optimizer
    def init_optimizer(self, kvstore="local", optimizer="sgd", optimizer_params=(("learning_rate", 0.01),), force_init=False):
        """The optimizer; gradients are divided by the batch size unless optimizer_params has rescale_grad."""
        self._ready("bind", "init_params")
        if self.optimizer_initialized and not force_init:
            self.logger.warning("the optimizer is initialized already; force_init=True does it again")
            return
        named = kvstore if isinstance(kvstore, str) else getattr(kvstore, "type", "")
        store = kv.create(kvstore) if "dist" in named else None
        if isinstance(optimizer, str):
            settings = dict(optimizer_params)
            batch = self._data_shapes[0].shape[max(io.DataDesc.get_batch_axis(self._data_shapes[0].layout), 0)]
            settings.setdefault("rescale_grad", 1.0 / (batch * (store.num_workers if store is not None and "async" not in named else 1)))
            optimizer = opt.create(optimizer, sym=self._symbol, param_idx2name=dict(enumerate(self._param_names)), **settings)
        elif not optimizer.idx2name:
            optimizer.idx2name = dict(enumerate(self._param_names))
        self._optimizer, self._updater = optimizer, opt.get_updater(optimizer)
        self._exchange = None
        if store is not None:
            self._exchange = kv.Gradients(store, {i: self._exec.arg_dict[name] for i, name in enumerate(self._param_names)}, optimizer)
        self.optimizer_initialized = True
        if self._preload_states is not None:
            self.load_optimizer_states(self._preload_states)
            self._preload_states = None

    def borrow_optimizer(self, shared_module):
        self._optimizer, self._updater, self.optimizer_initialized = shared_module._optimizer, shared_module._updater, True
        self._exchange = shared_module._exchange

    def update(self):
        self._ready("bind", "init_params", "init_optimizer")
        grads = {i: self._exec.grad_dict.get(name) for i, name in enumerate(self._param_names)}
        grads = {i: g for i, g in grads.items() if g is not None}
        weights = {i: self._exec.arg_dict[self._param_names[i]] for i in grads}
        if self._exchange is not None and self._exchange.exchange(weights, grads, self._optimizer.rescale_grad):
            return
        for i, grad in grads.items():
            self._updater(i, grad, weights[i])

    def save_optimizer_states(self, fname):
        self._ready("init_optimizer")
        with open(fname, "wb") as out:
            out.write(self._updater.get_states())

    def load_optimizer_states(self, fname):
        self._ready("init_optimizer")
        with open(fname, "rb") as given:
            self._updater.set_states(given.read())

    # ---- running
    def forward(self, data_batch, is_train=None):
        self._ready("bind", "init_params")
        inputs = dict(zip([d.name for d in self._data_shapes], data_batch.data))
        label = getattr(data_batch, "label", None)  # programs make batches of their own, with data alone
        if label is not None:
            inputs.update(zip([d.name for d in self._label_shapes], label))
        inputs = {n: a for n, a in inputs.items() if n in self._exec.arg_dict}
        if any(self._exec.arg_dict[n].shape != a.shape for n, a in inputs.items()):
            # another batch size, or other sizes: bound anew, with the same parameters
            def now(descriptions, arrays):
                return [io.DataDesc(d.name, a.shape, d.dtype, d.layout) for d, a in zip(descriptions, arrays)]
            labels = now(self._label_shapes, label) if label else \
                [io.DataDesc(d.name, (data_batch.data[0].shape[0],) + d.shape[1:], d.dtype, d.layout) for d in self._label_shapes]
            self.reshape(now(self._data_shapes, data_batch.data), labels)
        self._exec.forward(self.for_training if is_train is None else is_train, **inputs)

    def backward(self, out_grads=None):
        self._ready("bind", "init_params")
        self._exec.backward(out_grads)

    def get_outputs(self, merge_multi_context=True):
        self._ready("bind", "init_params")
        return list(self._exec.outputs) if merge_multi_context else [[o] for o in self._exec.outputs]

    def get_input_grads(self, merge_multi_context=True):
        if not self.inputs_need_grad:
            raise RuntimeError("bind(inputs_need_grad=True) makes gradients of the inputs")
        grads = [self._exec.grad_dict[n] for n in self._data_names]
        return grads if merge_multi_context else [[g] for g in grads]

    def get_states(self, merge_multi_context=True):
        return [self._exec.arg_dict[n] for n in self._state_names]

    def set_states(self, states=None, value=None):
        for i, n in enumerate(self._state_names):
            self._exec.arg_dict[n][:] = value if states is None else states[i]

    def update_metric(self, eval_metric, labels, pre_sliced=False):
        labels = dict(zip([d.name for d in self._label_shapes], labels or []))
        eval_metric.update_dict(labels, dict(zip(self._output_names, self.get_outputs())))

    def install_monitor(self, mon):
        self._ready("bind")
        mon.install(self._exec)
