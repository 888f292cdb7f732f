# SPDX-License-Identifier: Apache-2.0
"""mx.optimizer: update rules. The classes and their settings are the registry's; a user's own is a subclass of Optimizer with create_state and update."""
import pickle

import numpy as np

from .. import StateError
from .base import Registry, entries, f, text


_registry = Registry("optimizer")


class Optimizer:
    """What all optimizers share: learning rate and weight decay by parameter, counts of updates."""

    opt_registry = _registry.classes

    def __init__(self, rescale_grad=1.0, param_idx2name=None, wd=0.0, clip_gradient=None, learning_rate=None, lr_scheduler=None, sym=None, begin_num_update=0,
                 multi_precision=False, param_dict=None):
        self.rescale_grad, self.wd, self.clip_gradient, self.multi_precision = rescale_grad, wd, clip_gradient, multi_precision
        self.lr_scheduler = lr_scheduler
        self.lr = 0.01 if learning_rate is None and lr_scheduler is None else learning_rate
        if lr_scheduler is not None and learning_rate is not None:
            lr_scheduler.base_lr = learning_rate
        self.begin_num_update = self.num_update = begin_num_update
        self._index_update_count = {}
        self.idx2name = dict(param_idx2name or {})
        self.param_dict = dict(param_dict or {})
        self.sym_info = (sym.attr_dict(), sym.list_arguments()) if sym is not None else ()
        self.lr_mult, self.wd_mult = {}, {}
        self.set_lr_mult({})
        self.set_wd_mult({})
        self.aggregate_num = 0

    @staticmethod
    def register(cls):
        return _registry.register(cls)

    @staticmethod
    def create_optimizer(name, **kwargs):
        return _registry.create(name, **kwargs)

    @property
    def learning_rate(self):
        return self.lr_scheduler(self.num_update) if self.lr_scheduler is not None else self.lr

    def set_learning_rate(self, lr):
        if self.lr_scheduler is not None:
            raise UserWarning("the learning rate is the schedule's; set its base_lr")
        self.lr = lr

    def _multipliers(self, key, given):
        found = {}
        if self.sym_info:
            attrs, names = self.sym_info
            found = {n: float(attrs[n][key]) for n in names if key in attrs.get(n, {})}
        found.update(given)
        return found

    def set_lr_mult(self, args_lr_mult):
        self.lr_mult = self._multipliers("__lr_mult__", args_lr_mult)

    def set_wd_mult(self, args_wd_mult):
        """Of parameters with names only weights and gammas decay, unless said otherwise."""
        found = {n: 0.0 for n in self.idx2name.values() if not n.endswith(("_weight", "_gamma"))}
        found.update(self._multipliers("__wd_mult__", args_wd_mult))
        self.wd_mult = found

    def _update_count(self, index):
        for i in index if isinstance(index, (list, tuple)) else [index]:
            self._index_update_count[i] = self._index_update_count.get(i, self.begin_num_update) + 1
            self.num_update = max(self._index_update_count[i], self.num_update)

    def _multiplier(self, index, own, table):
        if index in self.param_dict:
            return getattr(self.param_dict[index], own)
        return table[index] if index in table else table.get(self.idx2name.get(index), 1.0)

    def _get_lr(self, index):
        lr = self.lr_scheduler(self.num_update) if self.lr_scheduler is not None else self.lr
        return lr * self._multiplier(index, "lr_mult", self.lr_mult)

    def _get_lrs(self, indices):
        return [self._get_lr(i) for i in indices]

    def _get_wd(self, index):
        return self.wd * self._multiplier(index, "wd_mult", self.wd_mult)

    def _get_wds(self, indices):
        return [self._get_wd(i) for i in indices]

    def create_state(self, index, weight):
        """What the rule keeps for a weight: an array, several, or None."""

    def update(self, index, weight, grad, state):
        raise NotImplementedError("an optimizer must have update(index, weight, grad, state)")

    def create_state_multi_precision(self, index, weight):
        if self.multi_precision and weight.dtype == np.float16:
            master = weight.astype(np.float32)
            return master, self.create_state(index, master)
        return self.create_state(index, weight)

    def update_multi_precision(self, index, weight, grad, state):
        if self.multi_precision and weight.dtype == np.float16:
            self.update(index, state[0], grad.astype(np.float32), state[1])
            weight[:] = state[0].astype(np.float16)
        else:
            self.update(index, weight, grad, state)

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k not in ("param_dict", "sym_info")}

    def __setstate__(self, state):
        self.__dict__.update(state, param_dict={}, sym_info=())


_COMMON = ("learning_rate", "wd", "rescale_grad", "clip_gradient", "multi_precision")


class _Registered(Optimizer):
    """An optimizer of the registry: its state is kept by the library, under the parameter's index."""
    _name, _settings = "", {}

    def __init__(self, *args, **kwargs):
        own = [n for n in self._settings if n not in _COMMON and n != "ignore_stale"]
        for n, v in zip(own, args):
            kwargs[n] = v
        if len(args) > len(own):
            raise TypeError("%s takes at most %d arguments without a name: %s" % (self._name, len(own), ", ".join(own)))
        self._own = {n: kwargs.pop(n) for n in own if n in kwargs}
        default = self._settings["learning_rate"]
        if default != "0.01":  # MXNet: a rate of the rule's own holds with a schedule, too
            kwargs.setdefault("learning_rate", float(default))
        super().__init__(**kwargs)
        for n in own:
            setattr(self, n, self._own.get(n, _value(self._settings[n])))
        self._start()

    def _start(self, saved=None):
        self._sent, self._sent_mults, self._step_params, self._ignore_stale = {}, {}, None, None
        if saved is not None:
            self._handle = f.flx_optimizer_from_bytes(saved)
        else:
            self._handle = f.flx_optimizer_create(self._name, {n: text(v) for n, v in self._wanted().items() if v is not None})
            self._sent = self._wanted()

    def _wanted(self):
        now = {n: getattr(self, n) for n in self._settings if n not in ("learning_rate", "ignore_stale")}
        now["learning_rate"] = self.lr_scheduler(self.num_update) if self.lr_scheduler is not None else self.lr
        return now

    def _send(self, indices):
        """Tells the library what has changed: settings, the rate, multipliers of these parameters."""
        wanted, sent = self._wanted(), self._sent
        if wanted != sent:
            for n, v in wanted.items():
                if n not in sent or sent[n] != v:
                    f.flx_optimizer_set(self._handle, n, text(v))
            self._sent = wanted
        for i in indices:
            mults = (self._multiplier(i, "lr_mult", self.lr_mult), self._multiplier(i, "wd_mult", self.wd_mult))
            if self._sent_mults.get(i, (1.0, 1.0)) != mults:
                f.flx_optimizer_set(self._handle, "%s.lr_mult" % i, text(mults[0]))
                f.flx_optimizer_set(self._handle, "%s.wd_mult" % i, text(mults[1]))
                self._sent_mults[i] = mults

    def update(self, index, weight, grad, state):
        self._update_count(index)
        self._send((index,))
        f.flx_optimizer_update(self._handle, str(index), weight, grad)

    def step_all(self, weights, ignore_stale):
        """Updates {index: weight} from their attached gradients in one call; False if some gradient was not renewed since the last one."""
        kept = self._step_params
        if kept is None or kept[0].keys() != weights.keys() or any(kept[0][i] is not w for i, w in weights.items()):
            params = f.flx_params_create()
            for i, w in weights.items():
                f.flx_params_set(params, str(i), w)
            self._step_params = kept = (dict(weights), params)
        if ignore_stale != self._ignore_stale:
            f.flx_optimizer_set(self._handle, "ignore_stale", text(ignore_stale))
            self._ignore_stale = ignore_stale
        counts, number = dict(self._index_update_count), self.num_update
        for i in weights:
            self._update_count(i)
        self._send(weights)
        try:
            f.flx_optimizer_step(self._handle, kept[1])
        except StateError:
            self._index_update_count, self.num_update = counts, number
            return False
        return True

    def create_state_multi_precision(self, index, weight):
        return None  # the library keeps state and master copy

    def update_multi_precision(self, index, weight, grad, state):
        self.update(index, weight, grad, state)

    def __getstate__(self):
        state = super().__getstate__()
        state["_step_params"] = None
        state["_handle"] = f.flx_optimizer_to_bytes(self._handle, -1)[-1]
        return state

    def __setstate__(self, state):
        saved = state.pop("_handle")
        super().__setstate__(state)
        self._start(saved)


def steps_all(optimizer):
    """Whether the library may update all parameters in one call: its own rule, whose update no subclass has written anew."""
    kind = type(optimizer)
    return isinstance(optimizer, _Registered) and kind.update is _Registered.update and kind.update_multi_precision is _Registered.update_multi_precision


def _value(default):
    """A setting's default, which the registry has as text."""
    return {"True": True, "False": False, "None": None}[default] if default in ("True", "False", "None") else float(default) if default else None


def _classes():
    made = {}
    for name, aliases, settings, doc in entries("optimizer"):
        made[name] = type(name, (_Registered,), {"_name": name, "_settings": dict(settings), "__doc__": doc, "__module__": __name__})
        _registry.register(made[name], name, *aliases)
    return made


globals().update(_classes())
register = Optimizer.register


def create(name, **kwargs):
    return name if isinstance(name, Optimizer) else _registry.create(name, **kwargs)


class Updater:
    """updater(index, grad, weight) updates a weight; the states are its own."""

    def __init__(self, optimizer):
        self.optimizer, self.states = optimizer, {}

    def __call__(self, index, grad, weight):
        if isinstance(index, (list, tuple)):
            for i, g, w in zip(index, grad, weight):
                self(i, g, w)
            return
        if index not in self.states:
            self.states[index] = self.optimizer.create_state_multi_precision(index, weight)
        self.optimizer.update_multi_precision(index, weight, grad, self.states[index])

    def get_states(self, dump_optimizer=False):
        core = isinstance(self.optimizer, _Registered)
        # a rule of the library keeps its states itself
        return pickle.dumps((self.states, self.optimizer if dump_optimizer or core else None))

    def set_states(self, states):
        states, saved = pickle.loads(states)
        self.states = states
        if saved is not None and isinstance(self.optimizer, _Registered) and type(saved) is type(self.optimizer):
            mine = self.optimizer
            mine._start(f.flx_optimizer_to_bytes(saved._handle, -1)[-1])
            mine._index_update_count, mine.num_update = saved._index_update_count, saved.num_update
        elif saved is not None:
            self.optimizer = saved


def get_updater(optimizer):
    return Updater(optimizer)


__all__ = ["Optimizer", "Updater", "create", "get_updater", "register"]
from .optimizer_more import DCASGD, LAMB, LARS, LBSGD, SGLD, Nadam, Test, ccSGD  # noqa: E402  they are subclasses of what stands above

__all__ += ["DCASGD", "LAMB", "LARS", "LBSGD", "SGLD", "Nadam", "Test", "ccSGD"]
