# SPDX-License-Identifier: Apache-2.0
"""Classifier and Regressor: what they learn, what they take and refuse, and scikit-learn's own checks where it is installed."""
import copy
import gc
import pickle
import subprocess
import sys
import threading
import types
import warnings

import numpy as np
import pytest

import flexor as fx
from flexor import nn

X, Y = fx.datasets.iris()


def mlp(units=3):
    return nn.Sequential(nn.Standardize(), nn.Dense(16, activation="relu"), nn.Dense(8, activation="relu"), nn.Dense(units))


def fitted(**params):
    return fx.Classifier(mlp(), **{"epochs": 30, "optimizer": fx.Adam(0.01), "seed": 1, **params}).fit(X, Y)


def test_iris():
    train, test = fx.split(len(Y), 0.7, seed=1)
    clf = fx.Classifier(mlp(), epochs=60, optimizer=fx.Adam(0.01), seed=1).fit(X[train], Y[train])
    assert clf.score(X[test], Y[test]) > 0.9 and clf.score(X[train], Y[train]) > 0.95
    chance = clf.predict_proba(X[test])
    assert chance.shape == (45, 3) and chance.dtype == np.float32 and np.allclose(chance.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(clf.predict(X[test]), clf.classes_[chance.argmax(1)])
    assert clf.classes_.tolist() == ["setosa", "versicolor", "virginica"] and clf.n_features_in_ == 4
    assert list(clf.history) == ["epoch", "loss", "accuracy", "seconds"] and clf.history.epochs == 60 and clf.history["loss"][-1] < clf.history["loss"][0]
    assert clf.evaluate(X[test], Y[test]) == {"accuracy": pytest.approx(clf.score(X[test], Y[test]))}
    both = clf.evaluate(X[test], Y[test], ["accuracy", fx.metric.TopKAccuracy(top_k=2)])
    assert set(both) == {"accuracy", "top_k_accuracy_2"} and both["top_k_accuracy_2"] >= both["accuracy"]


def test_the_network_given_is_not_changed():
    net = mlp()
    clf = fx.Classifier(net, epochs=1).fit(X, Y)
    assert clf.network is net and net._values is None and clf.network_ is not net and len(clf.network_.parameters())
    with pytest.raises(fx.StateError):
        net.parameters()


def test_the_same_seed_gives_the_same_bits():
    one, other = fitted(), fitted()
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert (fitted(seed=2).predict_proba(X) != one.predict_proba(X)).any()
    assert (fitted(seed=None, epochs=1).predict_proba(X) != fitted(seed=None, epochs=1).predict_proba(X)).any()


def test_parameters_that_a_network_has_are_the_beginning():
    net = mlp().initialize(input_shape=(None, 4), seed=5)
    clf = fx.Classifier(net, epochs=1, optimizer=fx.SGD(1e-12)).fit(X, Y)
    np.testing.assert_allclose(clf.network_.parameters()["1.weight"].asnumpy(), net.parameters()["1.weight"].asnumpy(), rtol=1e-6)
    warm = fx.Classifier(mlp(), epochs=20, optimizer=fx.Adam(0.01), warm_start=True).fit(X, Y)
    before = warm.history["loss"][-1]
    assert warm.fit(X, Y).history["loss"][0] < 2 * before


@pytest.mark.parametrize("labels", [np.repeat([10, -3, 7], 50), np.repeat(["a", "b", "ü"], 50), np.repeat([True, False], 75), np.repeat([1.0, 2.0, 5.0], 50),
                                    np.repeat(np.array(["x", "y"], object), 75), np.repeat(np.array([0, 200, 255], np.uint8), 50)], ids=lambda y: y.dtype.str)
def test_labels_of_any_dtype(labels, tmp_path):
    clf = fx.Classifier(epochs=2).fit(X, labels)
    assert clf.predict(X).dtype == labels.dtype and set(clf.predict(X)) <= set(labels) and clf.classes_.tolist() == sorted(set(labels.tolist()))
    clf.save(tmp_path / "m.flx")
    same = fx.load(tmp_path / "m.flx")
    assert same.classes_.dtype == clf.classes_.dtype and same.classes_.tolist() == clf.classes_.tolist()
    np.testing.assert_array_equal(same.predict(X), clf.predict(X))


def test_two_classes_with_one_output():
    y = np.where(Y == "setosa", "yes", "no")
    clf = fx.Classifier(nn.Sequential(nn.Standardize(), nn.Dense(8, activation="relu"), nn.Dense(1)), epochs=20, optimizer=fx.Adam(0.02), metrics=()).fit(X, y)
    assert clf.score(X, y) > 0.97 and clf.predict_proba(X).shape == (150, 2) and list(clf.history) == ["epoch", "loss", "seconds"]


def test_regressor():
    reg = fx.Regressor(epochs=40, optimizer=fx.Adam(0.01)).fit(X[:, :3], X[:, 3])
    assert reg.score(X[:, :3], X[:, 3]) > 0.9 and reg.predict(X[:, :3]).shape == (150,) and reg.predict(X[:, :3]).dtype == np.float32
    two = fx.Regressor(epochs=40, optimizer=fx.Adam(0.01), loss=nn.HuberLoss()).fit(X[:, :2], X[:, 2:].astype(np.float64))
    assert two.predict(X[:, :2]).shape == (150, 2) and two.predict(X[:, :2]).dtype == np.float64 and two.score(X[:, :2], X[:, 2:]) > 0.5
    assert list(two.history) == ["epoch", "loss", "mse", "seconds"]
    with pytest.raises(ValueError, match="Classifier is for labels"):
        fx.Regressor().fit(X, Y)


def test_events_validation_and_stopping():
    clf = fx.Classifier(mlp(), epochs=10, seed=1, batch_size=32)
    seen = []
    for event in clf.fit_iter(X, Y, validation=0.2, report_every=2):
        seen.append(event.kind)
        assert event.epochs == 10 and event.batches == 4 and event.loss > 0
        if event.kind == "epoch":
            assert 0 <= event.valid.accuracy <= 1 and event["loss"] == event.loss and f"epoch {event.epoch}/10" in str(event)
            if event.epoch == 3:
                break
        else:
            with pytest.raises(AttributeError, match="accuracy"):
                event.valid.accuracy
    assert seen == ["batch", "batch", "epoch"] * 3 and clf.history.epochs == 3
    assert clf.predict(X).shape == (150,)
    calls = []
    clf = fx.Classifier(mlp(), epochs=10, callbacks=[calls.append, lambda event: event.epoch == 2 and event.stop()]).fit(X, Y, validation=(X[:30], Y[:30]))
    assert len(calls) == 2 and clf.history.epochs == 2 and "valid.loss" in clf.history
    with pytest.raises(ValueError, match="share"):
        clf.fit(X, Y, validation=1.5)
    with pytest.raises(ValueError, match="none of the fit's"):
        clf.fit(X, Y, validation=(X[:1], ["rose"]))


def test_weights():
    def fit(rate, x, y, **given):
        return fx.Regressor(nn.Dense(1), epochs=20, batch_size=150, optimizer=fx.SGD(rate), seed=1).fit(x, y, **given).predict(X[:, :3])
    some = np.arange(150) >= 50  # a step on all, some of no weight, is a shorter step on the others
    np.testing.assert_allclose(fit(0.003, X[:, :3], X[:, 3], weights=some), fit(0.002, X[some, :3], X[some, 3]), rtol=1e-3)
    assert np.abs(fit(0.003, X[:, :3], X[:, 3], weights=some) - fit(0.003, X[:, :3], X[:, 3])).max() > 0.01
    np.testing.assert_array_equal(fitted(epochs=2).predict_proba(X), fx.Classifier(mlp(), epochs=2, optimizer=fx.Adam(0.01), seed=1).fit(X, Y, weights=np.ones(150)).predict_proba(X))
    for wrong in (np.ones(3), -np.ones(150), np.full(150, np.nan)):
        with pytest.raises(ValueError, match="weights"):
            fx.Classifier().fit(X, Y, weights=wrong)


def test_patience_and_checkpoint(tmp_path):
    clf = fx.Classifier(mlp(), epochs=50, patience=2, optimizer=fx.SGD(0.0)).fit(X, Y, validation=0.2)
    assert clf.history.epochs == 3
    path = str(tmp_path / "checkpoint.flx")
    whole = fx.Classifier(mlp(), epochs=6, seed=1).fit(X, Y)
    fx.Classifier(mlp(), epochs=3, seed=1, checkpoint=path).fit(X, Y)
    rest = fx.Classifier(mlp(), epochs=6, seed=1, checkpoint=path, resume=True).fit(X, Y)
    np.testing.assert_array_equal(rest.predict_proba(X), whole.predict_proba(X))


def test_verbose_prints_a_line_an_epoch(capsys):
    fx.Classifier(mlp(), epochs=2, verbose=1).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch 2/2  loss ")


def test_verbose_on_a_terminal_is_a_bar(monkeypatch, capsys):
    class Bar:
        made, written = [], []

        def __init__(self, **given):
            self.total, self.n, self.closed = given["total"], 0, False
            Bar.made.append(self)

        def set_description(self, text, refresh):
            self.text = text

        def set_postfix_str(self, text, refresh):
            assert text.startswith("loss ")

        def update(self, by):
            self.n += by

        def close(self):
            self.closed = True

        write = staticmethod(lambda text, file: Bar.written.append(text))

    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fx.Classifier(mlp(), epochs=2, batch_size=2, verbose=1).fit(X, Y)
    assert [(b.total, b.n, b.closed, b.text) for b in Bar.made] == [(75, 75, True, "epoch 1/2"), (75, 75, True, "epoch 2/2")]
    assert len(Bar.written) == 2 and Bar.written[1].startswith("epoch 2/2  loss ") and not capsys.readouterr().out


def test_history_prints_and_plots(capsys):
    clf = fitted(epochs=5)
    assert len(str(clf.history).splitlines()) == 6 and pickle.loads(pickle.dumps(clf.history)) == clf.history
    text = clf.history.text_plot()
    assert "* loss" in text and "* accuracy" in text and text.count("*") > 8
    with pytest.raises(KeyError, match="accuracy"):
        clf.history["acuracy"]
    try:
        import matplotlib
        matplotlib.use("Agg")
        assert len(clf.history.plot()) == 2
    except ImportError:
        assert clf.history.plot() == text and "accuracy" in capsys.readouterr().out
    with pytest.raises(ValueError, match="fit first"):
        fx.Classifier().history.plot()


REFUSED = [
    (lambda: (X.astype(complex), Y), ValueError, "Complex data not supported"),
    (lambda: (X[0], Y[:1]), ValueError, "Reshape your data"),
    (lambda: (np.where(X > 7, np.nan, X), Y), ValueError, "Input X contains NaN"),
    (lambda: (X.astype(np.float64) * 1e300, Y), ValueError, "infinity or a value too large"),
    (lambda: (X[:0], Y[:0]), ValueError, "0 sample"),
    (lambda: (X[:, :0], Y), ValueError, "0 feature"),
    (lambda: (X, Y[:-1]), ValueError, "inconsistent numbers of samples"),
    (lambda: (X, None), ValueError, "requires y to be passed"),
    (lambda: (X, X[:, 0]), ValueError, "Unknown label type: continuous"),
    (lambda: (X, X), ValueError, "1d array"),
    (lambda: (type("csr_matrix", (), {"toarray": None})(), Y), TypeError, "[Ss]parse"),
    (lambda: ([["a", "b"]] * 150, Y), ValueError, "numbers"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_is_refused(case):
    make, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        fx.Classifier(epochs=1).fit(*make())


def test_more_that_is_refused():
    clf = fitted(epochs=1)
    with pytest.raises(ValueError, match="expecting 4 features"):
        clf.predict(X[:, :3])
    with pytest.raises(ValueError, match="not fitted") as e:
        fx.Classifier().predict(X)
    assert isinstance(e.value, AttributeError)
    with pytest.raises(fx.ArgumentError, match="gives 2 scores.*3 classes"):
        fx.Classifier(mlp(2), epochs=1).fit(X, Y)
    with pytest.raises(fx.ShapeError):
        fx.Classifier(nn.Sequential(nn.Conv2D(3, 3), nn.Flatten(), nn.Dense(3)), epochs=1).fit(X, Y)
    with pytest.raises(TypeError, match="loss"):
        fx.Classifier(mlp(), loss="softmax").fit(X, Y)
    with pytest.raises(fx.Error, match="epochs"):
        fx.Classifier(mlp(), epochs=0).fit(X, Y)
    with pytest.raises(TypeError):
        fx.Classifier(mlp(), epoch=3)
    with pytest.raises(fx.UnknownNameError, match="Adam"):
        fx.Classifier(mlp(), optimizer="Adamm").fit(X, Y)


def test_options_of_the_core_are_parameters():
    from flexor import _core
    f = _core.f
    entry = f.flx_registry_find("options", "fit")
    known = {f.flx_entry_attr_text(entry, i, "name") for i in range(f.flx_entry_attr_count(entry))}
    assert known <= set(fx.Classifier().get_params()), known - set(fx.Classifier().get_params())


def test_parameters_copies_and_pickles():
    clf = fitted()
    assert clf.get_params()["epochs"] == 30 and clf.set_params(epochs=31).epochs == 31
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        clf.set_params(epoch=3)
    assert repr(fx.Classifier(epochs=3, optimizer=fx.Adam(0.1))) == "Classifier(epochs=3, optimizer=Adam(learning_rate=0.1))"
    for made in (copy.deepcopy(clf), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(made.predict_proba(X), clf.predict_proba(X))
        assert made.history == clf.history


def test_nothing_is_left_behind(tmp_path):
    live = fx._core.f.flx_handle_live

    def work():
        clf = fitted(epochs=2)
        clf.save(tmp_path / "m.flx")
        for made in (pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf), fx.load(tmp_path / "m.flx")):
            made.predict(X)
        for event in clf.fit_iter(X, Y):
            break
        with pytest.raises(ZeroDivisionError):
            fx.Classifier(mlp(), epochs=2, callbacks=[lambda event: 1 / 0]).fit(X, Y)

    for _ in range(2):
        work()
    gc.collect()
    before = live(None)
    for _ in range(3):
        work()
    gc.collect()
    assert live(None) == before


def test_fits_in_several_threads_at_once():
    want = fitted().predict_proba(X)
    made = [None] * 4

    def work(i):
        made[i] = fitted().predict_proba(X)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got in made:
        np.testing.assert_array_equal(got, want)


def test_data_frames_keep_their_names():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    clf = fx.Classifier(epochs=1).fit(frame, pandas.Series(Y))
    assert clf.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="should match"):
        clf.predict(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="valid feature names"):
        clf.predict(X)


def test_scikit_learn_is_not_imported():
    code = ("import sys, numpy, flexor as fx\nx, y = fx.datasets.iris()\nfx.Classifier(epochs=1).fit(x, y).predict(x)\n"
            "sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules or 'pandas' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("estimator", [fx.Classifier(), fx.Regressor()], ids=lambda e: type(e).__name__)
def test_scikit_learns_own_checks(estimator):
    checks = pytest.importorskip("sklearn.utils.estimator_checks", reason="scikit-learn is not installed here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks.check_estimator(estimator)


def test_pipelines_and_searches():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed here")
    from sklearn.base import clone, is_classifier, is_regressor
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    clf = fx.Classifier(mlp(), epochs=20, optimizer=fx.Adam(0.01), seed=1)
    assert is_classifier(clf) and is_regressor(fx.Regressor()) and clone(clf).get_params()["optimizer"] == fx.Adam(0.01)
    pipe = make_pipeline(StandardScaler(), clf)
    assert cross_val_score(pipe, X, Y, cv=3).mean() > 0.85
    search = GridSearchCV(pipe, {"classifier__epochs": [1, 20], "classifier__optimizer": [fx.Adam(0.01), fx.SGD(1e-9)]}, cv=3).fit(X, Y)
    assert search.best_params_["classifier__epochs"] == 20 and search.best_params_["classifier__optimizer"] == fx.Adam(0.01) and search.score(X, Y) > 0.9
    twin = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(twin.predict(X), search.predict(X))
