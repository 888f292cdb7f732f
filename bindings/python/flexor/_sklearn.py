# SPDX-License-Identifier: Apache-2.0
"""The manners of scikit-learn's estimators: parameters, tags, checks of data, in its words, without importing it. Only where scikit-learn itself calls (`__sklearn_tags__`) or is
loaded already (its classes of errors and warnings) is it looked at."""
from __future__ import annotations

import inspect
import sys
import warnings
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from .ndarray import NDArray


class NotFittedError(ValueError, AttributeError):
    """The estimator was not fitted yet."""


def _theirs(name: str) -> Any:
    """A class of sklearn.exceptions, if scikit-learn is loaded."""
    return getattr(sys.modules.get("sklearn.exceptions"), name, None)


def not_fitted(estimator: Any) -> Exception:
    """The error to raise: a flexor.estimator.NotFittedError, which is scikit-learn's too where that is loaded."""
    theirs = _theirs("NotFittedError")
    cls = NotFittedError if theirs is None else type("NotFittedError", (NotFittedError, theirs), {"__module__": "flexor.estimator"})
    return cls(f"This {type(estimator).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments before using this estimator.")


def warn_conversion(message: str) -> None:
    """Warns that data was converted, in scikit-learn's class where it is loaded."""
    warnings.warn(message, _theirs("DataConversionWarning") or UserWarning, stacklevel=4)


class Parameterized:
    """get_params, set_params, repr and tags, from the constructor's signature."""
    _estimator_type = ""
    seed: Optional[int]

    @classmethod
    def _parameters(cls) -> Dict[str, Any]:
        return {n: p.default for n, p in inspect.signature(cls.__init__).parameters.items() if n != "self"}

    @classmethod
    def _get_param_names(cls) -> List[str]:
        return sorted(cls._parameters())

    def get_params(self, deep: bool = True) -> Dict[str, Any]:
        """The constructor's parameters by name."""
        return {n: getattr(self, n) for n in self._get_param_names()}

    def set_params(self, **params: Any) -> Any:
        """Sets constructor's parameters; returns the estimator."""
        known = self._parameters()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for estimator {self!r}. Valid parameters are: {sorted(known)!r}.")
            setattr(self, name, value)
        return self

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        given = []
        for name, default in self._parameters().items():
            value = getattr(self, name, default)
            if value is not default and not (type(value) is type(default) and value == default):
                given.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(given)})"

    def _more_tags(self) -> Dict[str, Any]:  # scikit-learn 1.0 to 1.5
        return {"non_deterministic": self.seed is None, "X_types": ["2darray"], "requires_y": True, "multioutput": self._estimator_type == "regressor"}

    def __sklearn_tags__(self) -> Any:  # from 1.6 on; scikit-learn calls it
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags
        classifier = self._estimator_type == "classifier"
        return Tags(estimator_type=self._estimator_type, target_tags=TargetTags(required=True, multi_output=not classifier, single_output=True), transformer_tags=None,
                    classifier_tags=ClassifierTags() if classifier else None, regressor_tags=None if classifier else RegressorTags(), non_deterministic=self.seed is None,
                    input_tags=InputTags(two_d_array=True, three_d_array=True))


def features(x: Any, estimator: Any, fitting: bool) -> np.ndarray:
    """`x` as float32 of two axes or more, checked; its names and number of features kept, or compared with those of the fit."""
    if hasattr(x, "toarray") or type(x).__module__.startswith("scipy.sparse"):
        raise TypeError("Sparse data was passed for X, but dense data is required. Use '.toarray()' to convert to a dense numpy array.")
    names = _names(x)
    data = x.asnumpy() if isinstance(x, NDArray) else np.asarray(x)
    if data.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{data}\n")
    if data.ndim == 0:
        raise ValueError(f"Expected 2D array, got scalar array instead:\narray={data}.\nReshape your data either using array.reshape(-1, 1) if your data has a single feature "
                         "or array.reshape(1, -1) if it contains a single sample.")
    if data.ndim == 1:
        raise ValueError(f"Expected 2D array, got 1D array instead:\narray={data}.\nReshape your data either using array.reshape(-1, 1) if your data has a single feature "
                         "or array.reshape(1, -1) if it contains a single sample.")
    if data.dtype.kind in "OUSV":
        try:
            data = data.astype(np.float64)
        except TypeError as e:
            raise TypeError(f"X: argument must be a string or a real number: {e}") from e
        except ValueError as e:
            raise ValueError(f"X must hold numbers: {e}") from e
    if data.shape[0] == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={data.shape}) while a minimum of 1 is required by {type(estimator).__name__}.")
    if 0 in data.shape[1:]:
        raise ValueError(f"Found array with 0 feature(s) (shape={data.shape}) while a minimum of 1 is required by {type(estimator).__name__}.")
    with np.errstate(over="ignore"):
        made = np.ascontiguousarray(data, np.float32)
    if data.dtype.kind == "f" and not np.isfinite(made).all():
        if np.isnan(made).any():
            raise ValueError(f"Input X contains NaN.\n{type(estimator).__name__} does not accept missing values encoded as NaN natively.")
        raise ValueError("Input X contains infinity or a value too large for dtype('float32').")
    if fitting:
        estimator.n_features_in_ = int(data.shape[1])
        if names is not None:
            estimator.feature_names_in_ = names
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    else:
        _compare_names(names, estimator)
        if data.shape[1] != estimator.n_features_in_:
            raise ValueError(f"X has {data.shape[1]} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} features as input.")
    return made


def _names(x: Any) -> Optional[np.ndarray]:
    columns = getattr(x, "columns", None)
    if columns is None or callable(columns):
        return None
    names = np.asarray(list(columns), dtype=object)
    strings = [isinstance(n, str) for n in names]
    if all(strings) and len(names):
        return names
    if any(strings):
        raise TypeError("Feature names are only supported if all input features have string names, but your input has "
                        f"{sorted({type(n).__name__ for n in names})} as feature name / column name types. If you want feature names to be stored and validated, you must convert them "
                        "all to strings, by using X.columns = X.columns.astype(str) for example. Otherwise you can remove feature / column names from your input data, or convert them "
                        "all to a non-string data type.")
    return None


def _compare_names(names: Optional[np.ndarray], estimator: Any) -> None:
    fitted = getattr(estimator, "feature_names_in_", None)
    who = type(estimator).__name__
    if names is None and fitted is None:
        return
    if fitted is None:
        warnings.warn(f"X has feature names, but {who} was fitted without feature names", UserWarning, stacklevel=4)
        return
    if names is None:
        warnings.warn(f"X does not have valid feature names, but {who} was fitted with feature names", UserWarning, stacklevel=4)
        return
    if len(names) == len(fitted) and (names == fitted).all():
        return
    unseen, missing = sorted(set(names) - set(fitted)), sorted(set(fitted) - set(names))
    message = "The feature names should match those that were passed during fit.\n"
    for title, which in (("Feature names unseen at fit time:\n", unseen), ("Feature names seen at fit time, yet now missing:\n", missing)):
        if which:
            message += title + "".join(f"- {n}\n" for n in which[:5]) + ("- ...\n" if len(which) > 5 else "")
    if not unseen and not missing:
        message += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(message)


def target(y: Any, rows: int, estimator: Any) -> np.ndarray:
    """`y` as an array with a row for each sample, checked."""
    if y is None:
        raise ValueError(f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None.")
    if hasattr(y, "toarray"):
        raise TypeError("Sparse data was passed for y, but dense data is required. Use '.toarray()' to convert to a dense numpy array.")
    made = y.asnumpy() if isinstance(y, NDArray) else np.asarray(y)
    if made.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{made}\n")
    if made.ndim == 0 or len(made) != rows:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: [{rows}, {len(made) if made.ndim else 1}]")
    if made.dtype.kind == "O" and any(v is None or isinstance(v, float) and np.isnan(v) for v in made.ravel()):
        raise ValueError("Input y contains NaN.")
    if made.dtype.kind == "f" and not np.isfinite(made).all():
        raise ValueError("Input y contains NaN." if np.isnan(made).any() else "Input y contains infinity or a value too large for dtype('float32').")
    return made


def weights_of(weights: Any, rows: int) -> np.ndarray:
    """Weights of samples as float32, checked."""
    made = np.ascontiguousarray(weights, np.float32)
    if made.shape != (rows,):
        raise ValueError(f"weights: expected one number for each of {rows} samples, given shape {made.shape}")
    if not np.isfinite(made).all() or (made < 0).any():
        raise ValueError("weights: expected finite numbers of 0 or more")
    return made


def classes_of(y: np.ndarray, estimator: Any) -> Tuple[np.ndarray, np.ndarray]:
    """The labels in rising order, and the index of each sample's label."""
    if y.ndim == 2 and y.shape[1] == 1:
        warn_conversion("A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,), for example using ravel().")
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"y should be a 1d array of class labels, got an array of shape {y.shape} instead.")
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        raise ValueError(f"Unknown label type: continuous. {type(estimator).__name__} takes class labels; Regressor is for numbers.")
    if y.dtype.kind == "O" and len({str if isinstance(v, str) else float for v in y}) > 1:
        raise TypeError("Labels must be uniformly strings or numbers. Got both.")
    if y.dtype.kind == "O" and not all(isinstance(v, (str, int, float, bool, np.generic)) for v in y):
        raise ValueError("Unknown label type: unknown. Labels must be strings, numbers or booleans.")
    classes, index = np.unique(y, return_inverse=True)
    return classes, index.reshape(-1)
