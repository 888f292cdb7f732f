# SPDX-License-Identifier: Apache-2.0
"""Files of models: `flexor.save(thing, path)` and `flexor.load(path)`. One .flx file serves every language; MXNet's files load, too."""
from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional, Union

import numpy as np

from . import _core
from ._core import f
from ._settings import Optimizer
from .errors import ArgumentError, FormatError, UnsupportedError
from .nn.layer import Layer, from_core
from .nn.parameters import Parameters

__all__ = ["load", "save"]

# Parameters of an estimator that are kept beside its network: those that are plain values.
_NOT_KEPT = ("network", "callbacks", "loss", "metrics", "initializer", "checkpoint", "resume", "store", "update_on_store", "store_checkpoint", "device")


def save(thing: Any, path: Union[str, "os.PathLike[str]"]) -> None:
    """Writes a fitted estimator, a network with its parameters, or parameters alone (nn.Parameters, dict of NDArray) to a file.

    A network or estimator gives one .flx file, which every language reads. Parameters go to .safetensors, or MXNet's .params, by the extension."""
    path = os.fspath(path)
    if isinstance(thing, Layer):
        return thing.save(path)
    if isinstance(thing, Parameters):
        return thing.save(path)
    if isinstance(thing, dict):
        return Parameters(thing).save(path)
    from .estimator import _Estimator
    if not isinstance(thing, _Estimator):
        raise TypeError(f"save: expected an estimator, a layer or parameters, given {type(thing).__name__}")
    f.flx_model_save(to_model(thing), path, -1)


def to_model(estimator: Any) -> Any:
    """A fitted estimator as a model handle of the core, with its metadata."""
    from ._sklearn import not_fitted
    if not estimator.__sklearn_is_fitted__():
        raise not_fitted(estimator)
    model = estimator.network_._model()
    classifier = estimator._estimator_type == "classifier"
    kept: Dict[str, Any] = {k: v for k, v in estimator.get_params().items() if k not in _NOT_KEPT and isinstance(v, (int, float, str, bool, type(None)))}
    if isinstance(estimator.optimizer, Optimizer):
        rule, schedule = estimator.optimizer, estimator.optimizer.schedule
        kept["optimizer"] = [rule.kind, rule.settings(), None if schedule is None else [schedule.kind, schedule.settings()]]
    kept["loss"] = None if estimator.loss is None else f.flx_layer_to_json(estimator.loss._core())
    meta = {"task": "classification" if classifier else "regression", "python.params": json.dumps(kept, sort_keys=True),
            "python.features": json.dumps({"n": estimator.n_features_in_, "names": [str(n) for n in getattr(estimator, "feature_names_in_", ())]})}
    if classifier:
        meta["classes"] = json.dumps([_label(c) for c in estimator.classes_.tolist()], ensure_ascii=False)
        meta["python.classes"] = estimator.classes_.dtype.str if estimator.classes_.dtype.kind != "O" else _kind_of_objects(estimator.classes_)
    else:
        meta["python.target"] = json.dumps({"one": estimator._one_, "dtype": estimator._dtype_})
    for key, value in meta.items():
        f.flx_model_meta_set(model, key, value)
    return model


def _label(value: Any) -> str:
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) and not value.is_integer() else str(int(value)) if isinstance(value, float) else str(value)


def _kind_of_objects(classes: Any) -> str:
    """A dtype for labels that were Python objects."""
    return "O" if all(isinstance(c, str) for c in classes.tolist()) else np.asarray(classes.tolist()).dtype.str


def load(path: Union[str, "os.PathLike[str]"], params: Union[str, int, "os.PathLike[str]", None] = None, device: Optional[str] = None) -> Any:
    """Reads what `save`, another language, or MXNet wrote.

    - load("model.flx"): a Classifier or Regressor if the file says that it is one, else the network.
    - load("net-symbol.json", "net-0010.params"), or load("net", 10): MXNet's files, as a network (its free variables that the parameters do not have are its inputs; a label's
      variable is no input). Also "net-symbol.json" alone, whose network is to be initialized.
    - load("net.params"), load("net.safetensors"): nn.Parameters.

    `device`, as "gpu(0)", is where the parameters go, and so where they compute; None: the CPU. Files know no device.
    """
    path, device = os.fspath(path), None if device is None else str(device)
    if isinstance(params, int):
        symbol, values = f.flx_checkpoint_load(path, params)
        f.flx_params_move(values, device)
        return _from_symbol(symbol, values)
    if params is not None:
        return _from_symbol(f.flx_symbol_load(path), f.flx_params_load(os.fspath(params), device))
    if path.endswith(".onnx"):
        raise UnsupportedError(f"[load] {path}: ONNX models are not read yet. MXNet's and Flexor's are.")
    if path.endswith(".json"):
        return _from_symbol(f.flx_symbol_load(path), None)
    try:
        model = f.flx_model_load(path, device)
    except FormatError:
        if path.endswith(".flx"):
            raise
        return Parameters.load(path, device)
    made = from_model(model)
    if device is not None and not isinstance(made, Layer):
        made.device = device  # where a further fit goes
    return made


def from_model(model: Any) -> Any:
    """The estimator or network of a model handle."""
    network = from_core(f.flx_model_layer(model), f.flx_model_params(model))
    keys = [f.flx_model_meta_key(model, i) for i in range(f.flx_model_meta_count(model))]
    meta: Dict[str, str] = {k: f.flx_model_meta_get(model, k) for k in keys}
    if meta.get("task") not in ("classification", "regression"):
        return network
    from . import estimator
    made: Any = (estimator.Classifier if meta["task"] == "classification" else estimator.Regressor)(network)
    for name, value in json.loads(meta.get("python.params", "{}")).items():
        if name == "loss":
            value = None if value is None else from_core(f.flx_layer_from_json(value))
        if name == "optimizer" and isinstance(value, list):
            value = _optimizer(*value)
        if name in made.get_params():
            setattr(made, name, value)
    made.network_ = network
    about = json.loads(meta.get("python.features", "{}"))
    made.n_features_in_ = about.get("n") or _features(network)
    if about.get("names"):
        made.feature_names_in_ = np.asarray(about["names"], dtype=object)
    if isinstance(made, estimator.Classifier):
        made.classes_ = _classes(json.loads(meta.get("classes", "null")), meta.get("python.classes"))
        if made.classes_ is None:
            raise FormatError("[load] the model is a classifier, and its metadata has no `classes`.")
    else:
        about = json.loads(meta.get("python.target", "{}"))
        made._one_, made._dtype_ = about.get("one", True), about.get("dtype", "float32")
    return made


def _optimizer(kind: str, settings: Dict[str, str], schedule: Any) -> Optimizer:
    from . import optimizer as optimizers, schedule as schedules
    made = getattr(optimizers, kind)(schedule=None if schedule is None else getattr(schedules, schedule[0])(**schedule[1]), **settings)
    assert isinstance(made, Optimizer)
    return made


def _classes(texts: Any, dtype: Optional[str]) -> Any:
    if texts is None:
        return None
    if dtype is None:  # another language wrote it: numbers if all are whole numbers
        try:
            return np.array([int(t) for t in texts])
        except ValueError:
            return np.array(texts)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.array([t == "True" for t in texts])
    return np.array([int(t) for t in texts] if kind.kind in "iu" else [float(t) for t in texts] if kind.kind == "f" else texts, dtype=kind)


def _features(network: Layer) -> int:
    """The size of axis 1 of the input, by the first parameter that tells."""
    for name, array in (network._values or {}).items():
        if name.endswith("weight") and len(array.shape) >= 2:
            return int(array.shape[1])
        if name.endswith(("mean", "deviation", "gamma")):
            return int(array.shape[0])
    return 0


def _from_symbol(symbol: Any, values: Any) -> Layer:
    """A network of MXNet's symbol and parameters."""
    free = [f.flx_symbol_name(symbol, f.FLX_ARGUMENT, i) for i in range(f.flx_symbol_count(symbol, f.FLX_ARGUMENT))]
    known = set(_core.names(f.flx_params_count, f.flx_params_name, values)) if values is not None else set()
    if values is not None:
        inputs = [n for n in free if n not in known]
    else:  # the usual words for what is no parameter
        inputs = [n for n in free if n == "data" or n.endswith("data") or n.endswith("label")] or free[:1]
    labels = [n for n in inputs if n.endswith("label")]
    data = [n for n in inputs if n not in labels]
    if not data:
        raise ArgumentError(f"[load] every variable of the symbol ({', '.join(free[:10])}) is among the parameters, so nothing is left to be its input.")
    handle = f.flx_layer_from_symbol(_without_labels(symbol, labels) if labels else symbol, None, data)
    return from_core(handle, _only(handle, values) if values is not None else None)


def _without_labels(symbol: Any, labels: Any) -> Any:
    """The symbol without its labels: an output layer (SoftmaxOutput ...) computes the same without one, given zeros of the right shape."""
    count = f.flx_symbol_count(symbol, f.FLX_OUTPUT)
    made = []
    for i in range(count):
        out = f.flx_symbol_at(symbol, f.FLX_OUTPUT, i) if count > 1 else symbol
        made.append(_prediction(out, labels))
    return made[0] if len(made) == 1 else f.flx_symbol_group(made)


def _prediction(symbol: Any, labels: Any) -> Any:
    """What an output layer computes in prediction, from its data alone."""
    nodes = json.loads(f.flx_symbol_to_json(symbol))
    heads = [nodes["nodes"][h[0]] for h in nodes["heads"]]
    simple = {"SoftmaxOutput": ("softmax", {"axis": "1"}), "Softmax": ("softmax", {"axis": "1"}), "LinearRegressionOutput": ("identity", {}), "MAERegressionOutput": ("identity", {}),
              "LogisticRegressionOutput": ("sigmoid", {}), "SVMOutput": ("identity", {})}
    head = heads[0]
    if head["op"] not in simple:
        raise ArgumentError(f"[load] the symbol wants the label{'s' if len(labels) > 1 else ''} {', '.join(labels)} in {head['op']}, so it cannot predict without. Take an internal output, as "
                            "flexor.sym does, and make a layer of it.")
    op, attrs = simple[head["op"]]
    source = nodes["nodes"][head["inputs"][0][0]]
    names = [f.flx_symbol_name(symbol, f.FLX_INTERNAL, i) for i in range(f.flx_symbol_count(symbol, f.FLX_INTERNAL))]
    wanted = [i for i, n in enumerate(names) if n in (source["name"], f"{source['name']}_output", f"{source['name']}_output{head['inputs'][0][1]}")]
    data = f.flx_symbol_at(symbol, f.FLX_INTERNAL, wanted[-1])
    if head.get("attrs", {}).get("multi_output") not in ("True", "1", "true") and op == "softmax":
        attrs = {"axis": "-1"}
    return f.flx_symbol_compose(op, head["name"], [data], [], attrs)


def _only(layer: Any, values: Any) -> Any:
    """The arrays of `values` that the layer has."""
    text = f.flx_layer_text(layer, "symbol")
    used = {n["name"] for n in json.loads(text)["nodes"] if n["op"] == "null"}
    extra = [n for n in _core.names(f.flx_params_count, f.flx_params_name, values) if n not in used]
    if not extra:
        return values
    made = f.flx_params_create()
    for name in _core.names(f.flx_params_count, f.flx_params_name, values):
        if name in used:
            f.flx_params_set(made, name, f.flx_params_get(values, name))
    return made
