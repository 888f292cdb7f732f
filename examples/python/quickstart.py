# SPDX-License-Identifier: Apache-2.0
"""LeNet with batch normalization on handwritten digits: train, look at the learning curve, save, load in a new process, predict.

    python quickstart.py [--epochs 10] [--seed 1] [--out FOLDER]
    python quickstart.py --predict FOLDER/lenet.flx

The network, data and seed are those of examples/cpp/lenet.cc, and so are the numbers. Ten epochs take about half a minute on two cores; the last one recognises at least 98 % of
2,000 scans that the network did not see in training.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import flexor as fx
from flexor import nn


def network():
    """A convolutional network for one channel of 28 x 28."""
    return nn.Sequential(
        nn.Conv2D(20, 5), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2),
        nn.Conv2D(50, 5), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2),
        nn.Flatten(), nn.Dense(500, activation="relu"), nn.Dropout(0.5), nn.Dense(10))


def train(out, epochs, seed):
    """Trains, prints progress and the learning curve, and writes out/lenet.flx; returns the path and the accuracy on scans not seen."""
    images, labels = fx.datasets.digits()  # (10000, 1, 28, 28) and 10000 digits: 8,000 to train on, 2,000 to test
    net = network()
    print(net.summary((None, 1, 28, 28)))
    adam = fx.Adam(0.001, schedule=fx.schedule.Cosine())  # down to 0 at the last step
    clf = fx.Classifier(net, epochs=epochs, batch_size=64, optimizer=adam, seed=seed)
    for event in clf.fit_iter(images[:8000], labels[:8000], validation=(images[8000:], labels[8000:])):
        print(event, flush=True)
    print()
    clf.history.plot()
    try:
        import matplotlib.pyplot as plt
        plt.savefig(os.path.join(out, "learning_curve.png"))
    except ImportError:
        pass
    path = os.path.join(out, "lenet.flx")
    clf.save(path)
    print(f"\nmodel written to {path}")
    return path, clf.history["valid.accuracy"][-1]


def draw(scan):
    """A scan as text, two pixels of height to a character."""
    ink = scan.reshape(28, 28)[4:24, 4:24] > 0.4
    return ["".join(" ▀▄█"[top + 2 * bottom] for top, bottom in zip(ink[y], ink[y + 1])) for y in range(0, 20, 2)]


def predict(path):
    """Loads the model and classifies the first scans of the test set."""
    clf = fx.load(path)
    images, labels = fx.datasets.digits()
    scans, truth = images[8000:8010], labels[8000:8010]
    digits, chance = clf.predict(scans), clf.predict_proba(scans).max(1)
    for first in range(0, 10, 5):
        print("\n".join("   ".join(rows) for rows in zip(*(draw(s) for s in scans[first:first + 5]))))
        print("   ".join(f"{d} ({100 * c:.1f} %)".ljust(20) for d, c in zip(digits[first:first + 5], chance[first:first + 5])) + "\n")
    print(f"{(digits == truth).sum()} of {len(truth)} scans recognised")


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="where the model is written; a temporary folder if it is not given")
    parser.add_argument("--predict", metavar="MODEL", help="only load this model and classify ten scans")
    given = parser.parse_args()
    if given.predict:
        return predict(given.predict)
    with tempfile.TemporaryDirectory() as scratch:
        out = given.out or scratch
        os.makedirs(out, exist_ok=True)
        path, accuracy = train(out, given.epochs, given.seed)
        print("\nin a new process:\n", flush=True)
        subprocess.run([sys.executable, os.path.abspath(__file__), "--predict", path], check=True)
    print(f"test accuracy {100 * accuracy:.2f} %")


if __name__ == "__main__":
    main()
