# SPDX-License-Identifier: Apache-2.0
"""Stores of one process: their calls, and fits with them."""
import copy
import pickle

import numpy as np
import pytest

import flexor as fx
from flexor import nd, nn

X = np.random.RandomState(3).standard_normal((60, 4)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(int)


def of(*values):
    return nd.array(np.array(values, np.float32))


def test_arrays_by_key():
    store = fx.Store()
    assert (store.kind, store.role, store.rank, store.workers) == ("local", "worker", 0, 1)
    store.init("w", of(1, 2))
    store.init(["w", 7], [of(9, 9), of(0)])  # w keeps its own
    a, b, seven = of(0, 0), of(0, 0), of(1)
    assert store.pull("w", out=a) is a and a.asnumpy().tolist() == [1, 2]
    store.push("w", [of(1, 1), of(2, 3)])
    store.pull(["w", 7], out=[[a, b], seven])
    assert a.asnumpy().tolist() == b.asnumpy().tolist() == [3, 4] and seven.item() == 0
    store.push(["7", "w"], [of(5), of(6, 6)], samples=3, priority=-1)
    assert store.pull(7, out=seven).item() == 5
    grad = of(2, 2)
    assert store.push_pull("w", grad) is grad and grad.asnumpy().tolist() == [2, 2]
    store.push_pull("w", [of(1, 1), of(1, 1)], out=a)
    assert a.asnumpy().tolist() == [2, 2]
    assert store.stats()["keys"] == 2 and "2 keys" in store.view
    assert repr(store) == "Store('local', rank=0, workers=1)"


def test_optimizers_and_their_states(tmp_path):
    store = fx.Store("device")
    store.init("w", of(1, 2))
    with pytest.raises(fx.StateError, match="no optimizer"):
        store.set("wd", 0)
    store.set_optimizer(fx.SGD(0.5, momentum=0.9))
    store.push("w", of(1, 0))
    w = store.pull("w", out=of(0, 0))
    assert w.asnumpy().tolist() == [0.5, 2]
    store.save_states(str(tmp_path / "states"))
    other = fx.Store()
    other.init("w", w)
    other.set_optimizer(fx.SGD(0.5, momentum=0.9))
    other.load_states(str(tmp_path / "states"))
    for s in (store, other):
        s.set("learning_rate", 1)
        s.push("w", of(1, 1))
    np.testing.assert_array_equal(store.pull("w", out=of(0, 0)).asnumpy(), other.pull("w", out=of(0, 0)).asnumpy())
    assert store.recover() == -1 and store.stats()["checkpoint"] == 0
    with pytest.raises(fx.UnsupportedError, match="no job"):
        store.checkpoint()
    store.barrier()
    store.finish()
    with pytest.raises(fx.StateError, match="never initialized"):
        store.pull("w", out=w)


def test_what_does_not_fit():
    store = fx.Store()
    store.init("fc1_weight", of(1, 2))
    with pytest.raises(fx.StateError, match="Did you mean `fc1_weight`"):
        store.push("fc1_weigth", of(1, 2))
    with pytest.raises(fx.ShapeError):
        store.push("fc1_weight", of(1))
    with pytest.raises(fx.DTypeError):
        store.pull("fc1_weight", out=of(1, 2).astype("float64"))
    with pytest.raises(fx.ArgumentError, match="2 keys"):
        store.init(["a", "b"], [of(1)])
    with pytest.raises(TypeError, match="NDArray"):
        store.push("fc1_weight", np.zeros(2, np.float32))
    with pytest.raises(fx.UnknownNameError, match="Did you mean `local`"):
        fx.Store("locl")
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(store)
    store.close()
    with pytest.raises(fx.HandleError):
        store.barrier()


def test_shares_are_all_samples_once():
    class Of(fx.Store):
        rank, workers = 0, 4

        def __init__(self, rank):
            self.rank = rank

    shares = [np.arange(10)[fx.Store.shard(Of(r), 10)].tolist() for r in range(4)]
    assert shares == [[0, 4, 8], [1, 5, 9], [2, 6], [3, 7]]
    assert Y[fx.Store().shard(len(Y))].tolist() == Y.tolist()


def test_fits_give_the_bits_of_a_fit_without_one():
    def fit(**more):
        clf = fx.Classifier(nn.Sequential(nn.Dense(8, activation="relu"), nn.Dense(2)), epochs=4, optimizer=fx.Adam(0.05), seed=2, **more)
        return clf.fit(X, Y)

    want = fit().predict_proba(X)
    store = fx.Store("local")
    clf = fit(store=store)
    for made in (clf, fit(store=store, update_on_store=True), copy.deepcopy(clf), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(made.predict_proba(X), want)
    assert clf.store is store and copy.deepcopy(store) is store and pickle.loads(pickle.dumps(clf)).store is None  # a store belongs to its process
    with pytest.raises(ValueError, match="no store"):
        fit(update_on_store=True)
    with pytest.raises(ValueError, match="store_checkpoint: there is no store"):
        fit(store_checkpoint=5)
    with pytest.raises(fx.ArgumentError, match="store_checkpoint needs a dist store"):
        fit(store=fx.Store(), store_checkpoint=5)
    with pytest.raises(fx.ArgumentError):
        fit(store=store, update_on_store=True, clip_gradient=1.0)
