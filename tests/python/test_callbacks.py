# SPDX-License-Identifier: Apache-2.0
"""Code of the user's own in callbacks, functions, metrics and sources of batches: it runs on the thread that called, and what it raises comes out with its own traceback."""
import pickle
import subprocess
import sys
import threading
import traceback

import numpy as np
import pytest

import flexor as fx
from flexor import autograd, nd, nn

X, Y = fx.datasets.iris()


class Mine(Exception):
    """Raised by the user's code."""


def mlp(*more):
    return nn.Sequential(*more, nn.Dense(8, activation="relu"), nn.Dense(3))


def classifier(net=None, **params):
    return fx.Classifier(net or mlp(), **{"epochs": 3, "optimizer": fx.Adam(0.01), "seed": 1, **params})


def blows_up(*_):
    raise Mine("the user's own")


def raised_by(call):
    """The exception, which must carry the frame of `blows_up`."""
    with pytest.raises(Mine, match="the user's own") as e:
        call()
    assert any(frame.name == "blows_up" for frame in traceback.extract_tb(e.value.__traceback__))
    return e.value


@autograd.operator
def clip01(x: np.ndarray) -> np.ndarray:
    threads.add(threading.get_ident())
    return x.clip(0, 1)


@clip01.gradient
def _(dy, x, y):
    threads.add(threading.get_ident())
    return dy * ((x > 0) & (x < 1))


threads = set()


class Clip(nn.Layer):
    """A layer of that operation."""

    def forward(self, x):
        return clip01(x)


class Batches:
    """A source of batches."""

    def __init__(self, x, y, bad=None):
        self.x, self.y, self.bad, self.begun = x, y, bad, 0

    def __iter__(self):
        self.begun += 1
        for i in range(0, len(self.x), 30):
            threads.add(threading.get_ident())
            if self.bad == (self.begun, i // 30):
                blows_up()
            yield self.x[i:i + 30], self.y[i:i + 30]


LABELS = np.unique(Y, return_inverse=True)[1]


def test_callbacks_raise():
    clf = classifier(callbacks=[blows_up])
    raised_by(lambda: clf.fit(X, Y))
    assert clf.history.epochs == 1 and clf.predict(X).shape == (150,)  # usable
    assert clf.set_params(callbacks=()).fit(X, Y).history.epochs == 3


def test_callbacks_run_on_the_calling_thread():
    seen = set()
    classifier(callbacks=[lambda event: seen.add(threading.get_ident())]).fit(X, Y)
    assert seen == {threading.get_ident()}
    thread = threading.Thread(target=lambda: classifier(callbacks=[lambda event: seen.add(threading.get_ident())]).fit(X, Y))
    thread.start()
    thread.join()
    assert seen == {threading.get_ident(), thread.ident}


def test_operators_raise():
    bad = autograd.operator(blows_up)
    raised_by(lambda: bad(nd.ones((2,))))
    bad_gradient = autograd.operator(lambda x: x * 2)
    bad_gradient.gradient(blows_up)
    x = nd.ones((2,))
    x.attach_grad()
    with autograd.record():
        y = bad_gradient(x).sum()
    raised_by(y.backward)
    with autograd.record():
        y = (x * 3).sum()
    y.backward()
    assert x.grad.asnumpy().tolist() == [3, 3]


def test_operators_in_a_fit():
    threads.clear()
    with_host = classifier(mlp(Clip()), epochs=5).fit(X / 8, Y)
    assert threads == {threading.get_ident()}
    plain = classifier(mlp(Clamp()), epochs=5).fit(X / 8, Y)
    np.testing.assert_allclose(with_host.predict_proba(X / 8), plain.predict_proba(X / 8), atol=1e-5)

    class Bad(nn.Layer):
        def forward(self, x):
            return bad(x)
    bad = autograd.operator(blows_up)
    clf = classifier(mlp(Bad()))
    raised_by(lambda: clf.fit(X, Y))


class Clamp(nn.Layer):
    """The same by an operator of the core."""

    def forward(self, x):
        return x.clip(0, 1)


def test_metrics_of_ones_own():
    seen = []

    def share_right(y_true, y_pred):
        seen.append((threading.get_ident(), y_true.shape, y_pred.shape))
        return (y_pred.argmax(1) == y_true).mean()

    clf = classifier(metrics=["accuracy", share_right, fx.metric.Custom(lambda y, p: 7, "seven")]).fit(X, Y, validation=(X[:50], Y[:50]))
    assert {t for t, *_ in seen} == {threading.get_ident()} and (share_right, seen[0][2][1]) == (share_right, 3)
    np.testing.assert_allclose(clf.history["share_right"], clf.history["accuracy"], rtol=1e-6)
    np.testing.assert_allclose(clf.history["valid.share_right"], clf.history["valid.accuracy"], rtol=1e-6)
    assert set(clf.history["seven"]) == {7.0}
    got = clf.evaluate(X, Y, ["accuracy", share_right])
    assert got["share_right"] == pytest.approx(got["accuracy"])
    bad = classifier(metrics=[blows_up])
    raised_by(lambda: bad.fit(X, Y))
    assert bad.predict(X).shape == (150,)
    raised_by(lambda: clf.evaluate(X, Y, [blows_up]))


def test_sources_of_batches():
    threads.clear()
    own = classifier(shuffle=False, batch_size=30).fit(Batches(X, LABELS))
    arrays = classifier(shuffle=False, batch_size=30).fit(X, LABELS)
    assert threads == {threading.get_ident()} and own.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(own.predict_proba(X), arrays.predict_proba(X))
    np.testing.assert_allclose(own.history["loss"], arrays.history["loss"], rtol=1e-6)
    both = classifier(shuffle=False).fit(Batches(X, LABELS), validation=Batches(X[:60], LABELS[:60]))
    assert len(both.history["valid.accuracy"]) == 3
    assert fx.Regressor(nn.Dense(1), epochs=2).fit(Batches(X[:, :3], X[:, 3])).predict(X[:, :3]).shape == (150,)


def test_sources_raise():
    for when in ((1, 0), (1, 3), (2, 0), (3, 4)):
        clf = classifier()
        raised_by(lambda: clf.fit(Batches(X, LABELS, when)))
        if when[0] > 1:
            assert clf.history.epochs == when[0] - 1 and clf.predict(X).shape == (150,)


def test_sources_that_are_wrong():
    with pytest.raises(fx.ArgumentError, match="one epoch"):
        classifier().fit(iter(Batches(X, LABELS)))
    assert classifier(epochs=1).fit(iter(Batches(X, LABELS))).history.epochs == 1
    with pytest.raises(fx.ArgumentError, match="no batch"):
        classifier().fit(iter([]))
    with pytest.raises(fx.ArgumentError, match="data and label"):
        classifier().fit(iter([[X]]))
    with pytest.raises(fx.Error, match="rows"):
        classifier().fit(Batches(X, LABELS[:-1]))
    with pytest.raises(ValueError, match="network"):
        fx.Classifier().fit(Batches(X, LABELS))


def test_loaders_and_iterators_of_the_core():
    loader = fx.data.DataLoader(X, LABELS, batch_size=30, shuffle=True, seed=1)
    by_loader = classifier(batch_size=30).fit(loader)
    by_arrays = classifier(batch_size=30).fit(X, LABELS)
    np.testing.assert_array_equal(by_loader.predict_proba(X), by_arrays.predict_proba(X))
    by_iter = classifier(batch_size=30).fit(fx.data.ArrayIter(X, LABELS, batch_size=30, shuffle=True, seed=1))
    np.testing.assert_array_equal(by_iter.predict_proba(X), by_arrays.predict_proba(X))
    samples = fx.data.DataLoader(fx.data.ArrayDataset(X, LABELS).transform_first(lambda x: x), batch_size=30, shuffle=True, seed=1)
    by_samples = classifier(batch_size=30).fit(samples)
    np.testing.assert_array_equal(by_samples.predict_proba(X), by_arrays.predict_proba(X))


def test_in_the_loop_of_fit_iter():
    clf = classifier(epochs=5)
    with pytest.raises(Mine):
        for _ in clf.fit_iter(X, Y):
            blows_up()
    assert clf.history.epochs == 1 and clf.predict(X).shape == (150,)


def test_a_file_that_needs_a_function_of_python(tmp_path):
    clf = classifier(mlp(Clip())).fit(X / 8, Y)
    twin = pickle.loads(pickle.dumps(clf))  # by its class: the function is found again
    np.testing.assert_array_equal(twin.predict_proba(X / 8), clf.predict_proba(X / 8))
    clf.save(tmp_path / "m.flx")
    code = "import sys, flexor as fx\nx, _ = fx.datasets.iris()\nclf = fx.load(sys.argv[1])\ntry:\n  clf.predict(x)\nexcept fx.Error as e:\n  print(e)"
    told = subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.flx")], capture_output=True, text=True, check=True).stdout
    assert "clip01" in told, told
