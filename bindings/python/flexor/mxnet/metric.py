# SPDX-License-Identifier: Apache-2.0
"""mx.metric: measures of quality. The classes and their settings are the registry's; a user's own is a subclass of EvalMetric, or a function."""
import numpy

from .base import Registry, entries, f, texts
from .ndarray import NDArray, array

_registry = Registry("metric")
register = _registry.register
alias = _registry.alias


def _list(arrays):
    return [arrays] if isinstance(arrays, (NDArray, numpy.ndarray)) else list(arrays)


class EvalMetric:
    """update(labels, predictions) adds a batch, get() gives (name, value) of all, reset() forgets."""

    def __init__(self, name, output_names=None, label_names=None, **kwargs):
        self.name, self.output_names, self.label_names = str(name), output_names, label_names
        self._has_global_stats = kwargs.pop("has_global_stats", False)
        self._kwargs = kwargs
        self.reset()

    def __str__(self):
        return "EvalMetric: %s" % dict(self.get_name_value())

    def get_config(self):
        return dict(self._kwargs, metric=type(self).__name__, name=self.name, output_names=self.output_names, label_names=self.label_names)

    def update_dict(self, label, pred):
        pred = [pred[n] for n in self.output_names] if self.output_names is not None else list(pred.values())
        label = [label[n] for n in self.label_names] if self.label_names is not None else list(label.values())
        self.update(label, pred)

    def update(self, labels, preds):
        raise NotImplementedError("a metric must have update(labels, preds)")

    def reset(self):
        self.num_inst = self.global_num_inst = 0
        self.sum_metric = self.global_sum_metric = 0.0

    def reset_local(self):
        self.num_inst, self.sum_metric = 0, 0.0

    def get(self):
        return self.name, self.sum_metric / self.num_inst if self.num_inst else float("nan")

    def get_global(self):
        if not self._has_global_stats:
            return self.get()
        return self.name, self.global_sum_metric / self.global_num_inst if self.global_num_inst else float("nan")

    @staticmethod
    def _pairs(found):
        name, value = found
        return list(zip(name if isinstance(name, list) else [name], value if isinstance(value, list) else [value]))

    def get_name_value(self):
        return self._pairs(self.get())

    def get_global_name_value(self):
        return self._pairs(self.get_global())


class _Registered(EvalMetric):
    """A metric of the registry."""
    _name, _settings = "", ()

    def __init__(self, *args, name=None, output_names=None, label_names=None, **kwargs):
        own = [n for n, _ in self._settings]
        order = [n for n in own if n not in self._last] + ["name", "output_names", "label_names"] + list(self._last)
        given = dict(zip(order, args))
        name, output_names, label_names = given.pop("name", name), given.pop("output_names", output_names), given.pop("label_names", label_names)
        given.update(kwargs)
        self._options = texts(given)
        self._local = f.flx_metric_create(self._name, self._options)
        self._global = f.flx_metric_create(self._name, self._options)
        default = f.flx_metric_name(self._local, 0)
        if name is not None and self._name == "TopKAccuracy":
            name = "%s_%s" % (name, given.get("top_k", 1))
        super().__init__(name if name is not None else default, output_names, label_names, has_global_stats=True)
        self._kwargs = given

    _last = ("average",)  # MXNet has this one behind the names

    def update(self, labels, preds):
        labels, preds = _list(labels), _list(preds)
        if self._takes_labels and len(labels) != len(preds):
            raise ValueError("expected as many labels as predictions, given %d and %d" % (len(labels), len(preds)))
        labels = [a if isinstance(a, NDArray) else array(a) for a in labels] if self._takes_labels else []
        preds = [a if isinstance(a, NDArray) else array(a) for a in preds]
        for p, l in zip(preds, labels or [None] * len(preds)):
            for m in (self._local, self._global):
                f.flx_metric_update(m, [p], [l] if l is not None else [])
        self.num_inst += 1

    @property
    def _takes_labels(self):
        return self._name != "Loss"

    def reset(self):
        self.num_inst = 0
        f.flx_metric_reset(self._local)
        f.flx_metric_reset(self._global)

    def reset_local(self):
        f.flx_metric_reset(self._local)

    def get(self):
        return self.name, f.flx_metric_value(self._local, 0, -1)[-1]

    def get_global(self):
        return self.name, f.flx_metric_value(self._global, 0, -1)[-1]


class _OfUpdates(_Registered):
    """A metric that MXNet averages over updates, however many samples each had."""

    def update(self, labels, preds):
        labels, preds = _list(labels), _list(preds)
        if len(labels) != len(preds):
            raise ValueError("expected as many labels as predictions, given %d and %d" % (len(labels), len(preds)))
        for label, pred in zip(labels, preds):
            f.flx_metric_reset(self._local)
            f.flx_metric_update(self._local, [pred if isinstance(pred, NDArray) else array(pred)], [label if isinstance(label, NDArray) else array(label)])
            value = f.flx_metric_value(self._local, 0, -1)[-1]
            self.sum_metric += value
            self.global_sum_metric += value
            self.num_inst += 1
            self.global_num_inst += 1

    reset, reset_local, get, get_global = EvalMetric.reset, EvalMetric.reset_local, EvalMetric.get, EvalMetric.get_global


class CompositeEvalMetric(EvalMetric):
    """Several metrics as one."""

    def __init__(self, metrics=None, name="composite", output_names=None, label_names=None):
        self.metrics = [create(m) for m in (metrics or [])]
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def add(self, metric):
        self.metrics.append(create(metric))

    def get_metric(self, index):
        return self.metrics[index]

    def update_dict(self, labels, preds):
        for m in self.metrics:
            m.update_dict(labels, preds)

    def update(self, labels, preds):
        for m in self.metrics:
            m.update(labels, preds)

    def reset(self):
        for m in self.metrics:
            m.reset()

    def reset_local(self):
        for m in self.metrics:
            m.reset_local()

    def _all(self, pairs):
        names, values = [], []
        for name, value in pairs:
            names += [name] if not isinstance(name, list) else name
            values += [value] if not isinstance(value, list) else value
        return names, values

    def get(self):
        return self._all(m.get() for m in self.metrics)

    def get_global(self):
        return self._all(m.get_global() for m in self.metrics)


@register
class PCC(EvalMetric):
    """Matthews' correlation for any number of classes: Pearson's of the matrix of confusion."""

    def __init__(self, name="pcc", output_names=None, label_names=None, has_global_stats=True):
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def reset(self):
        self._matrix, self._all = numpy.zeros((1, 1)), numpy.zeros((1, 1))
        self.num_inst = 0

    def reset_local(self):
        self._matrix = numpy.zeros((1, 1))

    def update(self, labels, preds):
        for label, pred in zip(_list(labels), _list(preds)):
            pred, label = numpy.asarray(pred), numpy.asarray(label).astype(int).reshape(-1)
            pred = pred.argmax(axis=1) if pred.shape != label.shape else pred.astype(int)
            n = int(max(pred.max(), label.max(), len(self._all) - 1)) + 1
            counts = numpy.zeros((n, n))
            numpy.add.at(counts, (pred, label), 1)

            def grown(old):
                return counts + numpy.pad(old, ((0, n - len(old)),) * 2)
            self._matrix, self._all = grown(self._matrix), grown(self._all)

    @staticmethod
    def _value(counts):
        n, x, y = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
        both = numpy.sqrt((n * n - (x * x).sum()) * (n * n - (y * y).sum()))
        return float((counts.trace() * n - (x * y).sum()) / both) if both else float("nan")

    def get(self):
        return self.name, self._value(self._matrix)

    def get_global(self):
        return self.name, self._value(self._all)


class CustomMetric(EvalMetric):
    """feval(label, prediction) on NumPy arrays gives a number, or (sum, count)."""

    def __init__(self, feval, name=None, allow_extra_outputs=False, output_names=None, label_names=None):
        name = name or ("custom(%s)" % getattr(feval, "__name__", "function") if "<" in getattr(feval, "__name__", "<") else getattr(feval, "__name__", "custom"))
        self._feval, self._allow_extra_outputs = feval, allow_extra_outputs
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def update(self, labels, preds):
        labels, preds = _list(labels), _list(preds)
        if not self._allow_extra_outputs and len(labels) != len(preds):
            raise ValueError("expected as many labels as predictions, given %d and %d" % (len(labels), len(preds)))
        for label, pred in zip(labels, preds):
            found = self._feval(numpy.asarray(label), numpy.asarray(pred))
            total, count = found if isinstance(found, tuple) else (found, 1)
            self.sum_metric += total
            self.global_sum_metric += total
            self.num_inst += count
            self.global_num_inst += count


def np(numpy_feval, name=None, allow_extra_outputs=False):
    """A metric from a function of NumPy arrays."""
    def feval(label, pred):
        return numpy_feval(label, pred)
    feval.__name__ = numpy_feval.__name__
    return CustomMetric(feval, name, allow_extra_outputs)


def create(metric, *args, **kwargs):
    """A metric from its name, a function, a list of such, or itself."""
    if isinstance(metric, EvalMetric):
        return metric
    if isinstance(metric, list):
        return CompositeEvalMetric(metric)
    if callable(metric) and not isinstance(metric, type):
        return CustomMetric(metric, *args, **kwargs)
    return metric(*args, **kwargs) if isinstance(metric, type) else _registry.create(metric, *args, **kwargs)


def check_label_shapes(labels, preds, wrap=False, shape=False):
    a, b = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if a != b:
        raise ValueError("shape of labels %s does not match shape of predictions %s" % (a, b))
    return (_list(labels), _list(preds)) if wrap else (labels, preds)


def _classes():
    made = {}
    for name, aliases, settings, doc in entries("metric"):
        if name != "Composite":
            made[name] = type(name, (_OfUpdates if name in ("MAE", "MSE", "RMSE") else _Registered,), {"_name": name, "_settings": settings, "__doc__": doc, "__module__": __name__})
            register(made[name], name, *aliases)
    register(CompositeEvalMetric, "CompositeEvalMetric", "composite")
    register(CustomMetric)
    return made


globals().update(_classes())
# MXNet's words for them
for _short, _name in (("top_k_accuracy", "TopKAccuracy"), ("acc", "Accuracy"), ("cross-entropy", "CrossEntropy"), ("nll-loss", "NegativeLogLikelihood")):
    register(globals()[_name], _short)
