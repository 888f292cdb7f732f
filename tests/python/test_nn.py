# SPDX-License-Identifier: Apache-2.0
"""Layers: those of the core, one's own, and both together; parameters, names, copies, files, pictures."""
import copy
import pickle

import numpy as np
import pytest

import flexor as fx
from flexor import autograd, nd, nn, sym


class ScaleShift(nn.Layer):
    """A layer of one's own."""

    def parameters_for(self, input_shape):
        return {"scale": nn.Param(input_shape[1:], "ones"), "shift": nn.Param(input_shape[1:], fx.init.Constant(0.5))}

    def forward(self, x, scale, shift):
        return x * scale + shift


class Body(nn.Layer):
    """One that holds others, and runs one of them twice."""

    def __init__(self, units):
        self.first = nn.Dense(units, activation="relu")
        self.own = ScaleShift()
        self.rest = nn.Sequential(nn.Dense(units), ScaleShift())

    def forward(self, x):
        return self.rest(self.own(self.first(x))) + self.first(x)


def values(net):
    return {name: array.asnumpy() for name, array in net.parameters().items()}


def data(*shape, seed=0):
    return nd.array(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def test_every_registered_layer_is_a_documented_class():
    from flexor import _core
    f = _core.f
    for i in range(f.flx_registry_count("layer")):
        name = f.flx_entry_text(f.flx_registry_at("layer", i), "name")
        cls = getattr(nn, name)
        assert issubclass(cls, nn.Layer) and cls.kind == name and cls.__doc__.strip()


def test_settings_of_the_core():
    net = nn.Dense(16, activation="relu", weight_initializer=fx.init.Xavier(magnitude=2))
    assert repr(net) == "Dense(activation=relu, units=16, weight_initializer=Xavier(magnitude=2))"
    with pytest.raises(fx.ArgumentError, match="units"):
        nn.Dense(0)
    with pytest.raises(fx.Error, match="relu"):
        nn.Dense(3, activation="rleu")
    with pytest.raises(TypeError):
        nn.Dense()
    assert nn.Linear is nn.Dense


def test_names_values_and_shapes_of_parameters():
    net = nn.Sequential(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Flatten(), nn.Sequential(nn.Dense(5), nn.Dense(2)))
    net.initialize(input_shape=(None, 1, 8, 8), seed=1)
    assert list(net.parameters()) == ["0.weight", "0.bias", "1.gamma", "1.beta", "1.running_mean", "1.running_var", "3.0.weight", "3.0.bias", "3.1.weight", "3.1.bias"]
    assert net.parameters()["0.weight"].shape == (4, 1, 3, 3) and net[3].parameters()["0.weight"].shape == (5, 144)
    again = copy.deepcopy(net).initialize(seed=1)
    other = copy.deepcopy(net).initialize(seed=2)
    assert all((a == b).all() for a, b in zip(values(net).values(), values(again).values()))
    assert (values(net)["0.weight"] != values(other)["0.weight"]).any()
    # what a child has is the network's own
    net[3][0].parameters()["bias"][:] = 7
    assert (values(net)["3.0.bias"] == 7).all()
    with pytest.raises(fx.UnknownNameError, match="0.wieght"):
        net.parameters()["0.wieght"]
    with pytest.raises(fx.StateError, match="initialize"):
        nn.Dense(3).parameters()
    with pytest.raises(fx.StateError, match="missing"):
        nn.Dense(3)(data(2, 2))
    with pytest.raises(fx.ArgumentError, match="input_shape"):
        nn.Dense(3).initialize()


def test_running_means_are_no_parameters_to_train():
    net = nn.Sequential(nn.BatchNorm()).initialize(input_shape=(None, 3))
    assert [n for n, a in net.parameters().items() if a.grad is not None] == ["0.gamma", "0.beta"]
    for made in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert [n for n, a in made.parameters().items() if a.grad is not None] == ["0.gamma", "0.beta"]


def test_layers_of_ones_own_eager_traced_and_hybrid_agree():
    net = nn.Sequential(nn.Dense(4), ScaleShift(), Body(5), nn.Residual(ScaleShift()), nn.Concurrent(nn.Identity(), ScaleShift()), nn.Dense(2))
    net.initialize(input_shape=(None, 3), seed=1)
    assert list(net.parameters()) == [
        "0.weight", "0.bias", "1.scale", "1.shift", "2.first.weight", "2.first.bias", "2.own.scale", "2.own.shift", "2.rest.0.weight", "2.rest.0.bias", "2.rest.1.scale",
        "2.rest.1.shift", "3.0.scale", "3.0.shift", "4.1.scale", "4.1.shift", "5.weight", "5.bias"]
    x = data(6, 3)

    def loss_and_gradients():
        with autograd.record():
            y = net(x)
            loss = (y * y).mean()
        loss.backward()
        return y.asnumpy(), {n: a.grad.asnumpy() for n, a in net.parameters().items()}

    eager, gradients = loss_and_gradients()
    net.hybridize()
    hybrid, hybrid_gradients = loss_and_gradients()
    np.testing.assert_allclose(hybrid, eager, rtol=1e-5, atol=1e-6)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(hybrid_gradients[name], gradient, rtol=1e-4, atol=1e-6, err_msg=name)
        assert np.abs(gradient).max() > 0, name
    for batch in (1, 9):  # traced once for all sizes of the batch
        assert net(data(batch, 3)).shape == (batch, 2)
    net.hybridize(False)
    np.testing.assert_array_equal(net(x).asnumpy(), eager)


def test_a_layer_run_twice_shares_its_parameters():
    class Twice(nn.Layer):
        def __init__(self):
            self.layer = nn.Dense(3, use_bias=False)

        def forward(self, x):
            return self.layer(self.layer(x))

    net = Twice().initialize(input_shape=(None, 3), seed=1)
    assert list(net.parameters()) == ["layer.weight"]
    w = values(net)["layer.weight"]
    x = data(2, 3)
    np.testing.assert_allclose(net(x).asnumpy(), x.asnumpy() @ w.T @ w.T, rtol=1e-5, atol=1e-6)
    net.hybridize()
    np.testing.assert_allclose(net(x).asnumpy(), x.asnumpy() @ w.T @ w.T, rtol=1e-5, atol=1e-6)


def test_several_inputs_and_outputs():
    class Both(nn.Layer):
        def __init__(self):
            self.left, self.right = nn.Dense(2), nn.Dense(2)

        def forward(self, x, y):
            total = self.left(x) + self.right(y)
            return total, x

    net = Both().initialize(input_shape=[(None, 3), (None, 4)], seed=1)
    assert net.parameters()["right.weight"].shape == (2, 4)
    a, b = data(5, 3), data(5, 4)
    total, x = net(a, b)
    net.hybridize()
    again, _ = net(a, b)
    assert total.shape == (5, 2) and x.shape == (5, 3)
    np.testing.assert_allclose(again.asnumpy(), total.asnumpy(), rtol=1e-6)
    out, state = nn.GRU(4, return_state=True).initialize(input_shape=(None, 6, 3))(data(2, 6, 3))
    assert out.shape == (2, 6, 4) and state.shape[-1] == 4


def test_what_cannot_be_traced_says_so():
    class Batch(nn.Layer):
        def forward(self, x):
            return x.reshape((x.shape[0], -1))

    class Numpy(nn.Layer):
        def forward(self, x):
            return np.ones(3)

    class Loose(nn.Layer):
        def __init__(self):
            self.layers = [nn.Dense(2)]

        def forward(self, x):
            return self.layers[0](x)

    class Wrong(nn.Layer):
        def __init__(self):
            self.layer = nn.Dense(2, in_units=7)

        def forward(self, x):
            return self.layer(x)

    with pytest.raises(fx.ArgumentError, match="size of the batch"):
        Batch().initialize(input_shape=(None, 2, 3))
    with pytest.raises(fx.UnsupportedError, match="Symbols"):
        Numpy().initialize(input_shape=(None, 3))
    with pytest.raises(fx.StateError, match="child"):
        Loose().initialize(input_shape=(None, 3))
    with pytest.raises(fx.ShapeError, match="Wrong"):
        Wrong().initialize(input_shape=(None, 3))
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Layer()(data(2, 2))
    with pytest.raises(fx.ShapeError, match="must be known"):
        nn.Param((None, 3))


def test_what_a_container_takes():
    with pytest.raises(fx.ArgumentError, match="object of it"):
        nn.Sequential(nn.Dense)
    with pytest.raises(fx.ArgumentError, match="loss"):
        nn.Sequential(nn.L2Loss())
    with pytest.raises(fx.UnsupportedError, match="children"):
        nn.Dense(2).add(nn.Dense(3))
    same = nn.Dense(3)
    with pytest.raises(fx.ArgumentError, match="share"):
        nn.Sequential(same, same).initialize(input_shape=(None, 3))
    act = nn.Activation("relu")
    assert len(nn.Sequential(nn.Dense(3), act, nn.Dense(3), act).initialize(input_shape=(None, 2)).parameters()) == 4
    net = nn.Sequential()
    net.add(nn.Dense(2), [nn.Dense(3)])
    assert len(net) == 2 and net and [type(c).__name__ for c in net] == ["Dense", "Dense"]
    net.initialize(input_shape=(None, 4))
    with pytest.raises(fx.StateError, match="before"):
        net.add(nn.Dense(1))
    with pytest.raises(fx.ArgumentError):
        nn.Sequential(lambda x: x)


def test_losses():
    loss = nn.SoftmaxCrossEntropyLoss()
    scores, labels = data(4, 3), nd.array(np.array([0, 2, 1, 1]))
    p = np.exp(scores.asnumpy()) / np.exp(scores.asnumpy()).sum(1, keepdims=True)
    one_each = loss(scores, labels)
    np.testing.assert_allclose(one_each.asnumpy(), -np.log(p[range(4), [0, 2, 1, 1]]), rtol=1e-5)
    assert loss(scores, labels).mean().shape == () and loss(scores, np.array([0, 2, 1, 1])).shape == (4,)
    with pytest.raises(fx.Error):
        loss(scores)


def test_symbols_as_inputs():
    net = nn.Sequential(nn.Dense(3), ScaleShift())
    out = net(sym.var("x", shape=(2, 4)))
    assert set(out.list_arguments()) == {"x", "0.weight", "0.bias", "1.scale", "1.shift"}


def test_summary_and_drawing():
    net = nn.Sequential(nn.Dense(16, activation="relu", name="hidden"), ScaleShift(), nn.Dense(3))
    text = net.summary((None, 4))
    assert "hidden" in text and "ScaleShift" in text and "(None, 3)" in text and f"parameters {16 * 4 + 16 + 32 + 16 * 3 + 3}" in text
    inside = nn.Sequential(Body(4)).summary((None, 3))  # parameters of a layer of one's own have dots in their names
    assert inside.split("Body")[1].split()[2] == str(3 * 4 + 4 + 8 + 4 * 4 + 4 + 8), inside
    picture = net.draw((None, 4))
    assert picture.startswith("<svg") and picture._repr_svg_() == str(picture)
    assert net.draw((None, 4), format="dot").startswith("digraph")
    with pytest.raises(fx.ArgumentError, match="shape"):
        nn.Sequential(nn.Dense(2)).summary()


def test_copies_and_pickles(tmp_path):
    net = nn.Sequential(nn.Dense(4), Body(4), nn.BatchNorm()).initialize(input_shape=(None, 3), seed=3)
    net[1].note = "kept"
    x = data(5, 3)
    want = net(x).asnumpy()
    for made in (copy.deepcopy(net), copy.copy(net), pickle.loads(pickle.dumps(net))):
        assert made is not net and made[1].note == "kept" and made[1].own is made[1].children()["own"]
        np.testing.assert_array_equal(made(x).asnumpy(), want)
        made[0].parameters()["bias"][:] = 100
        np.testing.assert_array_equal(net(x).asnumpy(), want)
    for part in (net[0], net[1], net[1].own, net[1].rest):  # a part alone
        y = data(2, 3) if part is net[0] else data(2, 4)
        np.testing.assert_array_equal(copy.deepcopy(part)(y).asnumpy(), part(y).asnumpy())
    assert net[1].own._inputs == [(None, 4)]
    fresh = pickle.loads(pickle.dumps(nn.Sequential(nn.Dense(2), ScaleShift())))
    assert fresh.initialize(input_shape=(None, 3))(x).shape == (5, 2)
    net.save(tmp_path / "net.flx")
    loaded = fx.load(tmp_path / "net.flx")
    np.testing.assert_allclose(loaded(x).asnumpy(), want, rtol=1e-5, atol=1e-6)
    assert list(loaded.parameters()) == list(net.parameters())
    net.save_parameters(str(tmp_path / "p.params"))
    other = copy.deepcopy(net).initialize(seed=9).load_parameters(str(tmp_path / "p.params"))
    np.testing.assert_array_equal(other(x).asnumpy(), want)
    with pytest.raises(fx.StateError, match="names differ"):
        nn.Dense(3).initialize(input_shape=(None, 3)).load_parameters(str(tmp_path / "p.params"))


def test_numpy_as_input_and_modes():
    net = nn.Sequential(nn.Dropout(0.5)).initialize(input_shape=(None, 100))
    x = np.ones((4, 100), np.float32)
    np.testing.assert_array_equal(net(x).asnumpy(), x)
    with autograd.train_mode():
        assert 0.3 < (net(x).asnumpy() == 0).mean() < 0.7


def test_plans_of_hybrid_layers():
    net = nn.Sequential(nn.Dense(4, activation="relu"), nn.Dense(2)).initialize(input_shape=(None, 3)).hybridize()
    net(data(2, 3))
    assert net.plan("graph")
    with pytest.raises(fx.Error):
        net.hybridize(passes="no such pass")
