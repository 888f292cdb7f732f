# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C during a long fit: it ends at the next batch, the model stays usable, and Python goes on. Twenty times, at any moment."""
import random
import signal
import statistics
import threading
import time

import numpy as np
import pytest

import flexor as fx
from flexor import nn

IMAGES, LABELS = fx.datasets.digits()
IMAGES, LABELS = IMAGES[:2000], LABELS[:2000]


def network():
    return nn.Sequential(nn.Conv2D(20, 5, activation="relu"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(128, activation="relu"), nn.Dense(10))


def interrupt_after(seconds):
    """Sends this process Ctrl-C after a while; when it was sent is in the list returned."""
    sent = []

    def wait_and_send():
        time.sleep(seconds)
        sent.append(time.monotonic())
        signal.raise_signal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    thread = threading.Thread(target=wait_and_send, daemon=True)
    thread.start()
    return sent, thread


@pytest.fixture(autouse=True)
def python_own_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(call, seconds):
    """How long it took from Ctrl-C until KeyboardInterrupt came out."""
    sent, thread = interrupt_after(seconds)
    with pytest.raises(KeyboardInterrupt):
        call()
        time.sleep(10)  # Ctrl-C comes here, if the call was over: that fails below
    delay = time.monotonic() - sent[0]
    thread.join()
    return delay


def test_twenty_interrupts_of_a_fit(capsys):
    chance, delays = random.Random(1), []
    for i in range(20):
        clf = fx.Classifier(network(), epochs=10000, batch_size=64, seed=i)
        delays.append(interrupted(lambda: clf.fit(IMAGES, LABELS), 0.05 + 0.3 * chance.random()))
        if clf.__sklearn_is_fitted__():
            assert clf.predict(IMAGES[:5]).shape == (5,)
            assert np.isfinite(clf.predict_proba(IMAGES[:5])).all()
    with capsys.disabled():
        print(f"\nCtrl-C to KeyboardInterrupt: median {1000 * statistics.median(delays):.0f} ms, longest {1000 * max(delays):.0f} ms of 20")
    assert max(delays) < 30  # no hang; the delay itself is a benchmark's
    assert fx.Classifier(network(), epochs=1, seed=1).fit(IMAGES, LABELS).history.epochs == 1


def test_interrupted_in_the_middle_it_goes_on_from_there():
    clf = fx.Classifier(network(), epochs=10000, batch_size=64, seed=1, warm_start=True)
    for event in clf.fit_iter(IMAGES[:640], LABELS[:640]):
        if event.epoch == 3:
            break
    loss = clf.history["loss"][-1]
    interrupted(lambda: clf.fit(IMAGES[:640], LABELS[:640]), 0.4)
    assert clf.set_params(epochs=1).fit(IMAGES[:640], LABELS[:640]).history["loss"][0] < loss


def test_interrupted_elsewhere():
    clf = fx.Classifier(network(), epochs=1, batch_size=64, seed=1).fit(IMAGES, LABELS)

    def predict_for_ever():
        while True:
            clf.predict(IMAGES)
    assert interrupted(predict_for_ever, 0.2) < 30

    def slow(y_true, y_pred):
        time.sleep(0.01)
        return 0.0
    assert interrupted(lambda: fx.Classifier(network(), epochs=10000, metrics=[slow]).fit(IMAGES, LABELS), 0.3) < 30
    assert interrupted(lambda: [None for _ in iter(lambda: list(fx.data.DataLoader(IMAGES, LABELS, batch_size=8)), None)], 0.2) < 30
    assert clf.score(IMAGES, LABELS) > 0.5


def test_what_fails_after_a_while_is_told():
    x = np.zeros((400_000, 4), np.float32)
    x[-1, 2] = np.nan
    source = fx.data.ArrayIter(x, np.zeros(len(x), np.float32), batch_size=16)  # the first pass finds it, after more than one slice of waiting
    with pytest.raises(fx.Error, match="NaN"):
        fx.Classifier(nn.Sequential(nn.Standardize(), nn.Dense(2)), epochs=1).fit(source)
