# SPDX-License-Identifier: Apache-2.0
"""Estimators: networks with scikit-learn's manners. They work in its pipelines and searches, and do not need it.

    clf = flexor.Classifier(net, epochs=60, optimizer=flexor.Adam(0.01), seed=1).fit(x, y)
    clf.predict(x_new), clf.predict_proba(x_new), clf.score(x_test, y_test)
"""
from __future__ import annotations

import copy
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from . import _core, _events, _sklearn, metric, optimizer as optimizers
from ._core import f
from ._settings import setting_text
from ._sklearn import NotFittedError
from .errors import ArgumentError
from .history import History
from .ndarray import NDArray
from .nn.layer import Layer
from .nn.parameters import Parameters
from .nn.tracing import out_shapes

__all__ = ["Classifier", "NotFittedError", "Regressor"]

_PARAMETERS = """
    Parameters
    ----------
    network : nn.Layer, optional
        The network; None: Standardize, Dense(64, relu) and a Dense layer of the outputs that the data asks for. It is copied, not changed; parameters that it has already are
        what the fit begins with.
    epochs : int
        How often to go through the training data.
    batch_size : int
    optimizer : flexor.optimizer object or its name
    loss : nn loss, optional
        {loss}
    metrics : sequence, or None
        Columns of the history beside the loss: names ("accuracy"), flexor.metric objects, functions (y_true, y_pred) -> number of NumPy arrays. {metrics}
    seed : int or None
        Decides initial values, the order of samples and dropout; the same seed gives the same bits in every language. None: other ones in each fit.
    shuffle : bool
        Whether each epoch takes the samples in an order of its own.
    patience : int, optional
        Stop when the validation loss (without validation data: the training loss) was not better for so many epochs.
    checkpoint : str, optional
        A path: after each epoch the model is written there, and all that is needed to go on to the same path with `.state` at its end.
    resume : bool
        Go on from the checkpoint, if there is one.
    clip_gradient : float, optional
        Scale the gradients of a step so that their common norm is not above this.
    initializer : flexor.init object or its name, optional
        For parameters whose layer says nothing; None: Xavier.
    device : str, optional
        Where to compute, as "gpu(0)": the fitted network's parameters are there then. None: where the parameters are; the CPU, for new ones.
    hybridize : bool
        Run each step as one planned operation.
    passes : str
        Which passes improve the plan: empty for the defaults, "none", names, or names with a sign ("-fuse").
    callbacks : sequence of callables
        Each is called with every event of the fit, on the thread that fits: `event.kind`, `event.epoch`, `event.loss`, `event.valid.loss` ...; `event.stop()` ends the fit. What it
        raises comes out of `fit`.
    report_every : int
        Report after so many batches, too.
    store : flexor.Store, optional
        The fit is one worker of the store's: X and y are its share of the data (`store.shard`), and each step is that of all workers' batches together.
    update_on_store : bool, optional
        True: the store updates the weights; False: each worker its own, from the gradients of all. None: what suits the store (docs/fit.md).
    store_checkpoint : int
        Of a job that updates the weights: after so many batches its servers write a checkpoint, to which it can go back (docs/distributed.md). 0: never.
    warm_start : bool
        Let another `fit` go on with the network as it is.
    verbose : int
        0: silent; 1: a bar (where tqdm is installed and there is a terminal) or a line an epoch.

    Attributes
    ----------
    network_ : nn.Layer
        The fitted network.
    history : History
        A row for each epoch.
    n_features_in_, feature_names_in_
        As scikit-learn has them.{attributes}
    """


class _Estimator(_sklearn.Parameterized):
    _estimator_type = ""

    def __init__(self, network: Optional[Layer] = None, *, epochs: int = 20, batch_size: int = 32, optimizer: Any = "adam", loss: Any = None, metrics: Any = None,
                 seed: Optional[int] = 0, shuffle: bool = True, patience: Optional[int] = None, checkpoint: Optional[str] = None, resume: bool = False,
                 clip_gradient: Optional[float] = None, initializer: Any = None, device: Any = None, hybridize: bool = True, passes: str = "", callbacks: Sequence[Callable[[Any], Any]] = (),
                 report_every: int = 0, store: Any = None, update_on_store: Optional[bool] = None, store_checkpoint: int = 0, warm_start: bool = False,
                 verbose: int = 0) -> None:
        self.network = network
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.loss = loss
        self.metrics = metrics
        self.seed = seed
        self.shuffle = shuffle
        self.patience = patience
        self.checkpoint = checkpoint
        self.resume = resume
        self.clip_gradient = clip_gradient
        self.initializer = initializer
        self.device = device
        self.hybridize = hybridize
        self.passes = passes
        self.callbacks = callbacks
        self.report_every = report_every
        self.store = store
        self.update_on_store = update_on_store
        self.store_checkpoint = store_checkpoint
        self.warm_start = warm_start
        self.verbose = verbose

    # ---- fitting ----------------------------------------------------------------------------------------------------------------------------
    def fit(self, X: Any, y: Any = None, validation: Any = None, weights: Any = None) -> Any:
        """Fits the network to X and y; returns the estimator.

        Parameters
        ----------
        X : array-like of shape (samples, features) or (samples, ...), or a source of batches
            Cast to float32. A source of batches is a DataLoader, a flexor.data iterator, or any iterable of (data, label) batches; then y is left out.
        y : array-like
            Labels of any kind (Classifier) or numbers (Regressor).
        validation : (X, y), a share such as 0.2, or a source of batches, optional
            What to measure after each epoch; a share is taken from the training data.
        weights : array-like of one number a sample, optional
            What each sample's loss is multiplied by; the loss of a batch is the mean of these products.

        Ctrl-C ends it after the batch at work, leaves the network usable, and raises KeyboardInterrupt."""
        progress = _events.Progress() if self.verbose else None
        every = int(self.report_every) or (20 if progress is not None and progress.tqdm is not None else 0)
        try:
            for event in self._fit(X, y, validation, every, weights):
                if progress is not None:
                    progress(event)
        finally:
            if progress is not None:
                progress.close()
        return self

    def fit_iter(self, X: Any, y: Any = None, validation: Any = None, weights: Any = None, report_every: Optional[int] = None) -> Iterator[_events.Event]:
        """Fits as `fit` does, giving its events one by one: after each epoch, and after every `report_every` batches. Leaving the loop ends the fit in good order."""
        return self._fit(X, y, validation, int(self.report_every if report_every is None else report_every), weights)

    def _fit(self, x: Any, y: Any, validation: Any, report_every: int, weights: Any) -> Iterator[_events.Event]:
        go_on = self.warm_start and hasattr(self, "network_")
        arrays: List[np.ndarray] = []
        held_out: Optional[List[np.ndarray]] = None
        if y is None and _events.is_source(x):
            if weights is not None:
                raise ValueError("weights: a source of batches has none")
            train, shapes, outputs = self._source(x, go_on)
        else:
            data = _sklearn.features(x, self, True)
            target, outputs = self._encode(_sklearn.target(y, len(data), self), go_on)
            arrays, shapes = [data, target], [(None, *data.shape[1:])]
            if weights is not None:
                arrays.append(_sklearn.weights_of(weights, len(data)))
            if isinstance(validation, float):
                arrays, held_out = self._hold_out(arrays, validation)
        valid = self._valid(validation, held_out)
        network, handle, found = self._network(shapes, outputs, go_on)
        loss = self._loss_for(found, outputs)
        if arrays:
            if weights is not None:  # of the predictions' rank, so that each sample has its own
                arrays[2] = arrays[2].reshape(-1, *[1] * (len(found[0]) - 1))
            train = self._batches(arrays, True)
        if self.device is not None and network._values is not None:
            network.to(str(self.device))
        model = f.flx_model_create(handle, None if network._values is None else network._values.handle)
        network._set_values(Parameters(handle=f.flx_model_params(model)), shapes)
        self.history_ = History()
        options = _core.texts(
            epochs=self.epochs, metrics=metric.task_text(self._metrics(loss)), patience=self.patience, checkpoint=self.checkpoint or "", resume=bool(self.resume),
            clip_gradient=self.clip_gradient, seed=self._seed(), initializer="" if self.initializer is None else setting_text(self.initializer), device=str(self.device or ""), hybridize=bool(self.hybridize),
            passes=self.passes, report_every=report_every, update_on_store=self.update_on_store, store_checkpoint=int(self.store_checkpoint))
        task = f.flx_fit_start(model, loss._core(), optimizers.get(self.optimizer).create(), train, valid, options)
        if self.store is not None:
            f.flx_fit_store(task, self.store.handle)
        elif self.update_on_store or self.store_checkpoint:
            raise ValueError(f"{'update_on_store' if self.update_on_store else 'store_checkpoint'}: there is no store; give one (store=flexor.Store(...))")
        return self._events_of(task)

    def _network(self, shapes: Sequence[Any], outputs: int, go_on: bool) -> Tuple[Layer, Any, Sequence[Any]]:
        """The network to fit, the layer of the core that it is, and its output shapes."""
        if not go_on:
            self.network_ = copy.deepcopy(self.network) if self.network is not None else self._default_network(shapes, outputs)
        if not isinstance(self.network_, Layer):
            raise TypeError(f"network: expected a layer of flexor.nn, given {type(self.network_).__name__}")
        handle = self.network_._core(shapes)
        return self.network_, handle, out_shapes(handle, shapes)

    def _valid(self, validation: Any, held_out: Optional[Sequence[np.ndarray]]) -> Any:
        """The batches to validate on; None if there are none."""
        if held_out is not None:
            return self._batches(held_out[:2], False)
        if validation is None:
            return None
        if isinstance(validation, (tuple, list)) and len(validation) == 2:
            data = _sklearn.features(validation[0], self, False)
            return self._batches([data, self._known(_sklearn.target(validation[1], len(data), self))], False)
        if not _events.is_source(validation):
            raise ValueError(f"validation: expected (X, y), a share such as 0.2, or a source of batches, given {type(validation).__name__}")
        return self._iter_of(validation)

    def _events_of(self, task: Any) -> Iterator[_events.Event]:
        for event in _events.events(task, self.history_):
            for callback in self.callbacks or ():
                callback(event)
            yield event

    def _seed(self) -> int:
        return int(np.random.randint(0, 2**31 - 1)) if self.seed is None else int(self.seed)

    def _batches(self, arrays: Sequence[np.ndarray], train: bool) -> Any:
        from . import nd
        options = _core.texts(batch_size=self.batch_size, shuffle=bool(self.shuffle), seed=self._seed()) if train else _core.texts(batch_size=self.batch_size)
        return f.flx_iter_from_arrays([nd.array(a) for a in arrays], ["data", "label", "label_weight"][:len(arrays)], options)

    def _hold_out(self, arrays: Sequence[np.ndarray], share: float) -> Tuple[List[np.ndarray], List[np.ndarray]]:
        from .data import split
        if not 0 < share < 1:
            raise ValueError(f"validation: expected a share between 0 and 1, given {share}")
        train, valid = split(len(arrays[0]), 1 - share, seed=self.seed or 0, stratify=arrays[1] if self._estimator_type == "classifier" else None)
        if not len(train) or not len(valid):
            raise ValueError(f"validation: a share of {share} of {len(arrays[0])} samples leaves nothing to {'validate' if len(train) else 'train'} on")
        return [a[train] for a in arrays], [a[valid] for a in arrays]

    def _iter_of(self, source: Any) -> Any:
        from .data import BatchIter, DataLoader
        if isinstance(source, DataLoader):
            source = source.source() or source
        if isinstance(source, BatchIter):
            return source._create()
        return _events.HostSource(source, self._convert).handle()

    def _source(self, source: Any, go_on: bool) -> Tuple[Any, List[Any], int]:
        """A source of the core, the shapes of its data, and how many outputs the network must have (0: whatever it has)."""
        from .data import BatchIter, DataLoader
        outputs = self._begin_source(go_on)
        if isinstance(source, DataLoader):
            source = source.source() or source
        if isinstance(source, BatchIter):
            handle, probe = source._create(), source._create()  # the fit's own, so that epochs begin with the first, and the source given stays where it is
            if f.flx_iter_next(probe, -1) != f.FLX_BATCH:
                raise ArgumentError("[fit] the source of batches gave no batch.")
            first = list(f.flx_iter_arrays(probe))
        else:
            host = _events.HostSource(source, self._convert)
            first, handle = host.first, host.handle()
        if len(first) < 2:
            raise ArgumentError("[fit] expected batches of data and label, given one array alone.")
        self.n_features_in_ = int(first[0].shape[1]) if len(first[0].shape) > 1 else 1
        return handle, [(None, *a.shape[1:]) for a in first[:-1]], outputs

    def _convert(self, batch: Sequence[Any]) -> List[Any]:
        from . import nd
        if len(batch) < 2:
            raise ArgumentError("[fit] expected batches of data and label, given one array alone.")
        data = [a if isinstance(a, NDArray) else nd.array(np.asarray(a, np.float32)) for a in batch[:-1]]
        label = batch[-1].asnumpy() if isinstance(batch[-1], NDArray) else np.asarray(batch[-1])
        return data + [nd.array(self._known(label))]

    # ---- after the fit ------------------------------------------------------------------------------------------------------------------------
    @property
    def history(self) -> History:
        """The history of the last fit."""
        return getattr(self, "history_", None) or History()

    def __sklearn_is_fitted__(self) -> bool:
        network = getattr(self, "network_", None)
        return network is not None and network._values is not None and len(network._values) > 0

    def _outputs(self, x: Any) -> np.ndarray:
        if not self.__sklearn_is_fitted__():
            raise _sklearn.not_fitted(self)
        from . import nd
        data = _sklearn.features(x, self, False)
        batches = f.flx_iter_from_arrays([nd.array(data)], ["data"], _core.texts(batch_size=self.batch_size))
        task = f.flx_predict_start(self.network_._model(), batches)
        _core.run_task(task)
        return f.flx_task_arrays(task)[0].asnumpy()

    def evaluate(self, X: Any, y: Any, metrics: Any = None) -> Dict[str, float]:
        """The values of metrics on X and y, by name; by default those of the fit."""
        if not self.__sklearn_is_fitted__():
            raise _sklearn.not_fitted(self)
        data = _sklearn.features(X, self, False)
        batches = self._batches([data, self._known(_sklearn.target(y, len(data), self))], False)
        wanted = metric.task_text(self._metrics(None) if metrics is None else [metrics] if isinstance(metrics, str) or callable(metrics) else metrics)
        task = f.flx_evaluate_start(self.network_._model(), batches, [wanted])
        _core.run_task(task)
        return {n: f.flx_task_number(task, n) for n in _core.names(f.flx_task_column_count, f.flx_task_column_name, task)}

    def save(self, path: str) -> None:
        """Writes the fitted model to one file (.flx) that every language reads; flexor.load gives the estimator back."""
        from . import model
        model.save(self, path)

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "store": None, "update_on_store": None, "store_checkpoint": 0}  # a store belongs to its process

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)

    # ---- what the two differ in ---------------------------------------------------------------------------------------------------------------
    def _encode(self, y: np.ndarray, go_on: bool) -> Tuple[np.ndarray, int]:
        raise NotImplementedError

    def _known(self, y: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _begin_source(self, go_on: bool) -> int:
        raise NotImplementedError

    def _loss_for(self, found: Sequence[Any], outputs: int) -> Layer:
        raise NotImplementedError

    def _metrics(self, loss: Optional[Layer]) -> Sequence[Any]:
        given = self.metrics
        if given is None:
            return self._default_metrics(loss)
        return [given] if isinstance(given, str) or callable(given) else list(given)

    def _default_metrics(self, loss: Optional[Layer]) -> Sequence[Any]:
        raise NotImplementedError

    def _default_network(self, shapes: Sequence[Any], outputs: int) -> Layer:
        from . import nn
        if not outputs:
            raise ValueError("network: a source of batches needs a network, or `classes`, since its labels are not known beforehand")
        first = [nn.Standardize()] if hasattr(nn, "Standardize") else []
        return nn.Sequential(*first, nn.Dense(64, activation="relu"), nn.Dense(outputs))


class Classifier(_Estimator):
    __doc__ = "A network that tells classes apart.\n" + _PARAMETERS.format(
        loss="Of the scores and the class index; None: SoftmaxCrossEntropyLoss, or SigmoidBinaryCrossEntropyLoss for a network of one output.",
        metrics='None: ("accuracy",).', attributes="\n    classes_ : array\n        The labels in rising order; column i of predict_proba is classes_[i].")
    _estimator_type = "classifier"
    classes_: np.ndarray

    def _encode(self, y: np.ndarray, go_on: bool) -> Tuple[np.ndarray, int]:
        if go_on and hasattr(self, "classes_"):
            return self._known(y), len(self.classes_)
        self.classes_, index = _sklearn.classes_of(y, self)
        return index.astype(np.float32), len(self.classes_)

    def _known(self, y: np.ndarray) -> np.ndarray:
        if not hasattr(self, "classes_"):  # a source of batches: the labels are indices
            return np.asarray(y, np.float32)
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        at = np.searchsorted(self.classes_, y).clip(0, len(self.classes_) - 1)
        wrong = self.classes_[at] != y
        if np.any(wrong):
            raise ValueError(f"y has the label {np.asarray(y)[wrong][0]!r}, which is none of the fit's: {', '.join(map(repr, self.classes_[:10].tolist()))}{' ...' if len(self.classes_) > 10 else ''}")
        return at.astype(np.float32)

    def _begin_source(self, go_on: bool) -> int:
        if not go_on and hasattr(self, "classes_"):
            del self.classes_
        return 0

    def _loss_for(self, found: Sequence[Any], outputs: int) -> Layer:
        from . import nn
        size = found[0][-1] if len(found[0]) > 1 else 1
        if not outputs:
            outputs = 2 if size == 1 else int(size or 0)
            if not hasattr(self, "classes_"):
                self.classes_ = np.arange(outputs)
        if size is not None and size != outputs and not (size == 1 and outputs == 2):
            raise ArgumentError(f"[Classifier] the network gives {size} scores a sample, and the labels have {outputs} classes. Let the last layer have {outputs} units.")
        if self.loss is not None:
            if not isinstance(self.loss, Layer) or not self.loss._loss:
                raise TypeError(f"loss: expected a loss of flexor.nn, given {type(self.loss).__name__}")
            return self.loss
        return nn.SigmoidBinaryCrossEntropyLoss() if size == 1 and outputs == 2 else nn.SoftmaxCrossEntropyLoss()

    def _default_metrics(self, loss: Optional[Layer]) -> Sequence[Any]:
        if loss is not None and loss.kind == "SigmoidBinaryCrossEntropyLoss":
            return [metric.Custom(_binary_accuracy, "accuracy")]
        return ["accuracy"]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class: float32 (samples, classes), in the order of classes_."""
        scores = self._outputs(X).astype(np.float64)
        if self.loss is not None and self.loss._settings().get("from_logits") == "True":
            chance = np.exp(scores)
        elif self.loss is not None and self.loss._settings().get("from_sigmoid") == "True":
            chance = scores
        elif scores.ndim == 1 or scores.shape[1] == 1:
            chance = 1 / (1 + np.exp(-scores))
        else:
            chance = np.exp(scores - scores.max(1, keepdims=True))
            chance /= chance.sum(1, keepdims=True)
        if chance.ndim == 1 or chance.shape[1] == 1 and len(self.classes_) == 2:
            chance = chance.reshape(len(chance), 1)
            chance = np.concatenate([1 - chance, chance], 1)
        return chance.astype(np.float32)

    def predict(self, X: Any) -> np.ndarray:
        """The label of each sample: the class with the highest score."""
        scores = self._outputs(X)
        if scores.ndim == 1 or scores.shape[1] == 1 and len(self.classes_) == 2:
            threshold = 0.5 if self.loss is not None and self.loss._settings().get("from_sigmoid") == "True" else 0
            return self.classes_[(scores.reshape(-1) > threshold).astype(int)]
        return self.classes_[scores.argmax(1)]

    def score(self, X: Any, y: Any) -> float:
        """The share of samples whose label is predicted."""
        predicted = self.predict(X)
        y = np.asarray(y.asnumpy() if isinstance(y, NDArray) else y).reshape(-1)
        if len(y) != len(predicted):
            raise ValueError(f"Found input variables with inconsistent numbers of samples: [{len(predicted)}, {len(y)}]")
        return float(np.mean(predicted == y))


def _binary_accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    return float(np.mean((y_pred.reshape(-1) > 0) == (y_true.reshape(-1) > 0.5)))


class Regressor(_Estimator):
    __doc__ = "A network that predicts numbers.\n" + _PARAMETERS.format(
        loss="Of the predictions and y; None: L2Loss, half the square of the difference.", metrics='None: ("mse",).', attributes="")
    _estimator_type = "regressor"

    def _encode(self, y: np.ndarray, go_on: bool) -> Tuple[np.ndarray, int]:
        made = self._known(y)
        if y.ndim == 2 and y.shape[1] == 1:
            _sklearn.warn_conversion("A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,), for example using ravel().")
            made = made.reshape(-1)
        self._one_, self._dtype_ = made.ndim == 1, "float64" if y.dtype == np.float64 else "float32"
        return made, 1 if made.ndim == 1 else int(np.prod(made.shape[1:]))

    def _known(self, y: np.ndarray) -> np.ndarray:
        try:
            return np.ascontiguousarray(y, np.float32)
        except (TypeError, ValueError) as e:
            raise ValueError(f"y must hold numbers: {e}. Classifier is for labels.") from e

    def _begin_source(self, go_on: bool) -> int:
        self._one_, self._dtype_ = True, "float32"
        return 0

    def _loss_for(self, found: Sequence[Any], outputs: int) -> Layer:
        from . import nn
        size = int(np.prod([n for n in found[0][1:] if n is not None])) if len(found[0]) > 1 else 1
        if outputs and size != outputs:
            raise ArgumentError(f"[Regressor] the network gives {size} numbers a sample, and y has {outputs}. Let the last layer have {outputs} units.")
        self._one_ = self._one_ and size == 1
        if self.loss is not None:
            if not isinstance(self.loss, Layer) or not self.loss._loss:
                raise TypeError(f"loss: expected a loss of flexor.nn, given {type(self.loss).__name__}")
            return self.loss
        return nn.L2Loss()

    def _default_metrics(self, loss: Optional[Layer]) -> Sequence[Any]:
        return ["mse"]

    def predict(self, X: Any) -> np.ndarray:
        """The predicted numbers: (samples,) if y had one number a sample, else (samples, numbers); float64 if y was so, else float32."""
        y = self._outputs(X).astype(self._dtype_)
        return y.reshape(-1) if self._one_ else y

    def score(self, X: Any, y: Any) -> float:
        """The coefficient of determination R²: 1 - (squared errors) / (squared deviations from the mean), the mean over several numbers a sample."""
        predicted = self.predict(X).astype(np.float64)
        y = np.asarray(y.asnumpy() if isinstance(y, NDArray) else y, np.float64).reshape(predicted.shape)
        wrong, spread = ((y - predicted) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
        if len(y) < 2:
            return float("nan")
        return float(np.mean(np.where(spread > 0, 1 - wrong / np.where(spread > 0, spread, 1), np.where(wrong > 0, 0.0, 1.0))))
