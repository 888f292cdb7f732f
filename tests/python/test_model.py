# SPDX-License-Identifier: Apache-2.0
"""Files: models of Flexor and of MXNet, parameters alone, metadata; what a file that is none says."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import flexor as fx
from flexor import nd, nn

X, Y = fx.datasets.iris()
MODELS = Path(__file__).parents[1] / "golden" / "files" / "models"


def fitted(**params):
    return fx.Classifier(nn.Sequential(nn.Dense(8, activation="relu"), nn.BatchNorm(), nn.Dense(3)), **{"epochs": 2, "seed": 1, **params}).fit(X, Y)


def metadata(path):
    data = Path(path).read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])["__metadata__"]


def test_an_estimator_comes_back_in_a_new_process(tmp_path):
    clf = fitted(optimizer=fx.Adam(0.01, schedule=fx.schedule.Cosine(warmup_steps=2)), batch_size=16, loss=nn.SoftmaxCrossEntropyLoss(weight=2))
    clf.save(tmp_path / "m.flx")
    np.save(tmp_path / "p.npy", clf.predict_proba(X))
    code = ("import sys, numpy as np, flexor as fx\nx, y = fx.datasets.iris()\nclf = fx.load(sys.argv[1] + '/m.flx')\n"
            "assert type(clf) is fx.Classifier and clf.batch_size == 16 and clf.loss.kind == 'SoftmaxCrossEntropyLoss' and clf.n_features_in_ == 4\n"
            "assert clf.optimizer == fx.Adam(0.01, schedule=fx.schedule.Cosine(warmup_steps=2))\n"
            "assert (clf.predict_proba(x) == np.load(sys.argv[1] + '/p.npy')).all() and clf.score(x, y) >= 0\n"
            "assert clf.set_params(epochs=1).fit(x, y).history.epochs == 1")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_metadata_is_the_languages_common_one(tmp_path):
    fitted().save(tmp_path / "m.flx")
    found = metadata(tmp_path / "m.flx")
    assert json.loads(found["meta.classes"]) == ["setosa", "versicolor", "virginica"] and found["meta.task"] == "classification"
    assert {k for k in found if not k.startswith("meta.python.")} == {"flexor", "layer", "meta.classes", "meta.task"}
    fx.Regressor(epochs=1).fit(X, X[:, 0]).save(tmp_path / "r.flx")
    assert metadata(tmp_path / "r.flx")["meta.task"] == "regression" and isinstance(fx.load(tmp_path / "r.flx"), fx.Regressor)


def test_a_model_of_another_language(tmp_path):
    """One that has the common metadata alone."""
    from flexor import model
    from flexor._core import f
    made = model.to_model(fitted())
    for key in [f.flx_model_meta_key(made, i) for i in range(f.flx_model_meta_count(made))]:
        if key.startswith("python."):
            f.flx_model_meta_set(made, key, None)
    f.flx_model_meta_set(made, "classes", '["1","2","30"]')
    f.flx_model_save(made, str(tmp_path / "m.flx"), -1)
    clf = fx.load(tmp_path / "m.flx")
    assert clf.classes_.tolist() == [1, 2, 30] and set(clf.predict(X)) <= {1, 2, 30} and clf.n_features_in_ == 4


def test_networks_and_parameters(tmp_path):
    net = nn.Sequential(nn.Dense(4, name="first"), nn.Concurrent(nn.Dense(2), nn.Identity(), axis=1)).initialize(input_shape=(None, 3), seed=1)
    fx.save(net, tmp_path / "n.flx")
    same = fx.load(tmp_path / "n.flx")
    x = nd.array(np.ones((2, 3), np.float32))
    assert isinstance(same, nn.Sequential) and repr(same) == repr(net) and same[0]._name == "first"
    np.testing.assert_array_equal(same(x).asnumpy(), net(x).asnumpy())
    fx.save(net.parameters(), tmp_path / "p.safetensors")
    loaded = fx.load(tmp_path / "p.safetensors")
    assert list(loaded) == list(net.parameters()) and (loaded["0.weight"].asnumpy() == net.parameters()["0.weight"].asnumpy()).all()
    fx.save({"a": x}, tmp_path / "a.params")
    assert fx.load(tmp_path / "a.params")["a"].shape == (2, 3)
    with pytest.raises(TypeError, match="expected an estimator"):
        fx.save(3, tmp_path / "x.flx")


def test_files_that_are_none(tmp_path):
    with pytest.raises(fx.FileError, match="none.flx"):
        fx.load(tmp_path / "none.flx")
    with pytest.raises(fx.UnsupportedError, match="ONNX"):
        fx.load("model.onnx")
    (tmp_path / "bad.flx").write_bytes(b"not a model at all")
    with pytest.raises(fx.FormatError):
        fx.load(tmp_path / "bad.flx")
    with pytest.raises(ValueError, match="not fitted"):
        fx.save(fx.Classifier(), tmp_path / "x.flx")
    with pytest.raises(fx.StateError):
        nn.Dense(2).save(tmp_path / "x.flx")
    assert not os.path.exists(tmp_path / "x.flx")


@pytest.mark.parametrize("name,shape", [("lenet_bn_01", (1, 10, 10)), ("mlp_01", None), ("zoo_resnet_v1_01", None), ("gluon_mlp_01", None), ("legacy_json_01", None)])
def test_models_that_mxnet_saved(name, shape, tmp_path):
    symbol = fx.sym.load(str(MODELS / f"{name}-symbol.json"))
    net = fx.load(MODELS / f"{name}-symbol.json", MODELS / f"{name}-0000.params")
    assert isinstance(net, nn.Symbol) and set(net.parameters()) <= set(symbol.list_arguments()) | set(symbol.list_auxiliary_states())
    by_prefix = fx.load(MODELS / name, 0)
    for key, array in net.parameters().items():
        np.testing.assert_array_equal(by_prefix.parameters()[key].asnumpy(), array.asnumpy())
    if shape is not None:
        x = np.random.RandomState(1).rand(3, *shape).astype(np.float32)
        y = net(x).asnumpy()
        assert y.shape == (3, 5) and np.allclose(y.sum(1), 1, atol=1e-5)
        net.save(tmp_path / "again.flx")
        np.testing.assert_array_equal(fx.load(tmp_path / "again.flx")(x).asnumpy(), y)


def test_a_symbol_alone_is_to_be_initialized():
    net = fx.load(MODELS / "lenet_bn_01-symbol.json")
    assert net.initialize(input_shape=(None, 1, 10, 10), seed=1)(np.ones((2, 1, 10, 10), np.float32)).shape == (2, 5)
