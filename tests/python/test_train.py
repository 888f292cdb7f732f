# SPDX-License-Identifier: Apache-2.0
"""Training loops of one's own: optimizers, schedules, initializers, metrics, the Trainer."""
import copy
import pickle

import numpy as np
import pytest

import flexor as fx
from flexor import autograd, nd, nn


def loop(trainer, net, x, y, steps=5, batch_size=None):
    loss_fn = nn.L2Loss()
    for _ in range(steps):
        with autograd.record():
            loss = loss_fn(net(x), y)
            loss = loss.mean() if batch_size is None else loss.sum()
        loss.backward()
        trainer.step(batch_size)
    return loss.item()


def problem():
    random = np.random.RandomState(0)
    x = random.standard_normal((32, 4)).astype(np.float32)
    return nd.array(x), nd.array(x @ random.standard_normal((4, 1)).astype(np.float32))


def network(seed=1):
    return nn.Sequential(nn.Dense(1)).initialize(input_shape=(None, 4), seed=seed)


@pytest.mark.parametrize("name", fx.optimizer._made.__all__)
def test_every_optimizer_lowers_the_loss(name):
    x, y = problem()
    net = network()
    first = loop(fx.Trainer(net.parameters(), name), net, x, y, 1)
    assert loop(fx.Trainer(net.parameters(), name), net, x, y, 60) < first


def test_top_level_names_and_descriptions():
    adam = fx.Adam(0.01, beta1=0.8)
    assert repr(adam) == "Adam(learning_rate=0.01, beta1=0.8)" and adam == fx.optimizer.Adam(0.01, beta1=0.8) and adam != fx.Adam(0.01)
    assert copy.deepcopy(adam) == adam and pickle.loads(pickle.dumps(adam)) == adam and fx.optimizer.get("ADAM") == fx.Adam()
    with pytest.raises(fx.UnknownNameError, match="Adam"):
        fx.optimizer.get("Adm")
    with pytest.raises(fx.ArgumentError, match="learning_rate"):
        fx.Adam(-1)
    with pytest.raises(TypeError):
        fx.Adam(0.1, momentum=1)


def test_sgd_by_hand():
    x, y = problem()
    net = network()
    w = net.parameters()["0.weight"].asnumpy().copy()
    a, b = x.asnumpy(), y.asnumpy()
    gradient = ((a @ w.T - b) * a).mean(0)
    loop(fx.Trainer(net.parameters(), fx.SGD(0.1)), net, x, y, 1)
    np.testing.assert_allclose(net.parameters()["0.weight"].asnumpy()[0], w[0] - 0.1 * gradient, rtol=1e-5)


def test_batch_size_divides_a_sum():
    x, y = problem()
    one, other = network(), network()
    loop(fx.Trainer(one.parameters(), fx.SGD(0.1, momentum=0.9)), one, x, y, 4)
    loop(fx.Trainer(other.parameters(), fx.SGD(0.1, momentum=0.9)), other, x, y, 4, batch_size=32)
    np.testing.assert_allclose(one.parameters()["0.weight"].asnumpy(), other.parameters()["0.weight"].asnumpy(), rtol=1e-5)
    with pytest.raises(ValueError):
        fx.Trainer(one.parameters(), "sgd").step(0)


def test_stale_gradients_and_plain_arrays():
    w = nd.array(np.array([1.0, 2.0], np.float32))
    trainer = fx.Trainer({"w": w}, fx.SGD(0.5))
    with autograd.record():
        loss = (w * w).sum()
    loss.backward()
    trainer.step()
    np.testing.assert_allclose(w.asnumpy(), [0, 0])
    with pytest.raises(fx.StateError, match="not renewed"):
        trainer.step()
    assert fx.Trainer([w], "sgd").learning_rate == 0.01


def test_learning_rate_and_schedule():
    x, y = problem()
    net = network()
    trainer = fx.Trainer(net.parameters(), fx.SGD(0.1, schedule=fx.schedule.Factor(step=2, factor=0.5)))
    rates = []
    for _ in range(6):
        rates.append(trainer.learning_rate)
        loop(trainer, net, x, y, 1)
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025, 0.025]) or rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.025])
    trainer = fx.Trainer(net.parameters(), "sgd")
    trainer.learning_rate = 0.25
    assert trainer.learning_rate == 0.25
    trainer.set("0.bias.lr_mult", 0)
    before = net.parameters()["0.bias"].asnumpy().copy()
    loop(trainer, net, x, y, 2)
    np.testing.assert_array_equal(net.parameters()["0.bias"].asnumpy(), before)
    assert fx.schedule.Poly(base_lr=0.1, max_update=10)(0) == pytest.approx(0.1)
    with pytest.raises(TypeError):
        fx.SGD(0.1, schedule=0.5)


def test_trainer_state_goes_on_exactly(tmp_path):
    x, y = problem()
    straight, resumed = network(), network()
    loop(fx.Trainer(straight.parameters(), fx.Adam(0.05)), straight, x, y, 6)
    trainer = fx.Trainer(resumed.parameters(), fx.Adam(0.05))
    loop(trainer, resumed, x, y, 3)
    trainer.save_states(tmp_path / "state")
    fresh = fx.Trainer(resumed.parameters(), fx.Adam(0.05))
    fresh.load_states(tmp_path / "state")
    loop(fresh, resumed, x, y, 3)
    np.testing.assert_array_equal(straight.parameters()["0.weight"].asnumpy(), resumed.parameters()["0.weight"].asnumpy())
    copied = pickle.loads(pickle.dumps(fresh))
    assert copied.get("step") == 6 and copied.optimizer == fx.Adam(0.05)


def test_initializers():
    array = nd.zeros((50, 40))
    assert abs(fx.init.Normal(0.5).fill(array, seed=1).asnumpy().std() - 0.5) < 0.05
    first = array.asnumpy().copy()
    np.testing.assert_array_equal(fx.init.Normal(0.5).fill(nd.zeros((50, 40)), seed=1).asnumpy(), first)
    assert (fx.init.Constant(3)(nd.zeros((2,))).asnumpy() == 3).all()
    net = nn.Dense(3).initialize("ones", input_shape=(None, 2))
    assert (net.parameters()["weight"].asnumpy() == 1).all() and (net.parameters()["bias"].asnumpy() == 0).all()
    assert str(fx.init.Xavier(magnitude=2)) == "Xavier(magnitude=2)" and fx.init.get("xavier") == fx.init.Xavier()
    with pytest.raises(fx.Error):
        nn.Dense(3).initialize("xavir", input_shape=(None, 2))


def test_metrics():
    scores, labels = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], np.float32), np.array([1, 0, 0])
    accuracy = fx.metric.Accuracy()
    assert accuracy.update(scores, labels).value == pytest.approx(2 / 3) and accuracy.name == "accuracy"
    accuracy.update(nd.array(scores), nd.array(labels))
    assert accuracy.value == pytest.approx(2 / 3)
    accuracy.reset()
    assert np.isnan(accuracy.value)
    assert fx.metric.TopKAccuracy(top_k=2)(scores, labels) == 1.0
    own = fx.metric.Custom(lambda y, p: float((p.argmax(1) == y).mean()), "mine")
    assert own.update(scores, labels).value == pytest.approx(2 / 3) and own.name == "mine"
    assert fx.metric.get(lambda y, p: 0.0).name == "lambda" and fx.metric.get("acc") == fx.metric.Accuracy()
    assert pickle.loads(pickle.dumps(fx.metric.TopKAccuracy(top_k=2))) == fx.metric.TopKAccuracy(top_k=2)
    assert fx.metric.Composite("accuracy, CrossEntropy").names == ["accuracy", "cross-entropy"]


def test_the_targets_loop():
    images, labels = fx.datasets.digits()
    net = nn.Sequential(nn.Conv2D(4, 5, activation="tanh"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(10)).initialize(fx.init.Xavier(), input_shape=(None, 1, 28, 28), seed=1)
    loss_fn, trainer = nn.SoftmaxCrossEntropyLoss(), fx.Trainer(net.parameters(), fx.SGD(0.05, momentum=0.9))
    net.hybridize()
    means = []
    for epoch in (1, 2):
        total = nd.zeros(())
        loader = fx.data.DataLoader(images[:1024], labels[:1024], batch_size=64, shuffle=True, seed=epoch)
        for x, y in loader:
            with autograd.record():
                loss = loss_fn(net(x), y).mean()
            loss.backward()
            trainer.step()
            total += loss
        means.append(total.item() / len(loader))
    assert means[1] < 0.7 * means[0]
