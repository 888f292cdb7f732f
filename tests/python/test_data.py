# SPDX-License-Identifier: Apache-2.0
"""Data: datasets, splits, loaders with and without workers, the core's sources of batches."""
import os
import pickle
import signal
import time

import numpy as np
import pytest

import flexor as fx
from flexor import data, nd
from flexor.data import transforms


class Squares(data.Dataset):
    """Samples (i, i * i); made to fail at one."""

    def __init__(self, n, bad=None, slow=0.0):
        self.n, self.bad, self.slow = n, bad, slow

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if i == self.bad:
            raise LookupError(f"sample {i} is torn")
        time.sleep(self.slow)
        return np.float32([i, 0]), i * i


class Killer(Squares):
    """Its worker dies."""

    def __getitem__(self, i):
        os.kill(os.getpid(), signal.SIGKILL)


class Random(Squares):
    """Draws by NumPy's old generator."""

    def __getitem__(self, i):
        return np.random.random(2).astype(np.float32), i


def order(loader):
    return [int(v) for batch in loader for v in batch[-1].asnumpy().ravel()]


def test_packaged_data():
    x, y = fx.datasets.iris()
    assert x.shape == (150, 4) and x.dtype == np.float32 and sorted(set(y)) == ["setosa", "versicolor", "virginica"] and x[0].tolist() == [np.float32(v) for v in (5.1, 3.5, 1.4, 0.2)]
    np.testing.assert_allclose(x.mean(0), [5.8433, 3.0573, 3.758, 1.1993], atol=1e-4)
    images, labels = fx.datasets.digits()
    assert images.shape == (10000, 1, 28, 28) and images.dtype == np.float32 and 0 <= images.min() and images.max() < 1 and set(labels) == set(range(10))
    assert fx.datasets.digits(flat=True)[0].shape == (10000, 784)


def test_the_digits_are_mnist_iters_bits():
    images, labels = fx.datasets.digits()
    folder = fx.datasets.digits_folder()
    source = data.MNISTIter(f"{folder}/test-images-idx3-ubyte.gz", f"{folder}/test-labels-idx1-ubyte.gz", batch_size=100, shuffle=False, silent=True)
    assert source.size == 2000
    x, y = next(iter(source))
    np.testing.assert_array_equal(x.asnumpy(), images[8000:8100])
    np.testing.assert_array_equal(y.asnumpy(), labels[8000:8100])
    assert source.names == ["data", "label"]


def test_split():
    train, test = fx.split(150, 0.7, seed=1)
    assert len(train) == 105 and len(test) == 45 and sorted(np.concatenate([train, test])) == list(range(150))
    np.testing.assert_array_equal(train, fx.split(150, 0.7, seed=1)[0])
    assert (train != fx.split(150, 0.7, seed=2)[0]).any()
    assert [len(p) for p in fx.split(10, 0.5, 2)] == [5, 2, 3]
    y = fx.datasets.iris()[1]
    for part in fx.split(len(y), 0.6, 0.2, seed=3, stratify=y):
        counts = np.unique(y[part], return_counts=True)[1]
        assert counts.max() - counts.min() <= 2, counts
    for wrong in ((5, 1.5), (5, 0.9, 0.9), (5, -1)):
        with pytest.raises(ValueError, match="split"):
            fx.split(*wrong)


def test_array_loader():
    x, y = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10)
    loader = data.DataLoader(x, y, batch_size=4)
    batches = list(loader)
    assert len(loader) == 3 and [len(b[0]) for b in batches] == [4, 4, 2] and isinstance(batches[0][0], nd.NDArray if hasattr(nd, "NDArray") else fx.NDArray)
    np.testing.assert_array_equal(np.concatenate([b[0].asnumpy() for b in batches]), x)
    assert [len(b[0]) for b in data.DataLoader(x, y, batch_size=4, last="drop")] == [4, 4]
    assert [len(b) for b in data.DataLoader(x, batch_size=4)] == [4, 4, 2]
    with pytest.raises(ValueError, match="equal length"):
        data.DataLoader(x, y[:3])
    with pytest.raises(fx.Error):
        data.DataLoader(x, y, last="sometimes")
    with pytest.raises(ValueError):
        data.DataLoader()
    with pytest.raises(TypeError):
        data.DataLoader(iter([1]))


def test_orders_follow_from_seed_and_epoch_alone():
    y = np.arange(50)
    arrays = data.DataLoader(y.astype(np.float32), y, batch_size=8, shuffle=True, seed=3)
    samples = data.DataLoader(Squares(50), batch_size=8, shuffle=True, seed=3)
    core = data.ArrayIter(y, y, batch_size=8, shuffle=True, seed=3)
    first, second = order(arrays), order(arrays)
    assert sorted(first) == list(range(50)) and first != second
    assert [i * i for i in first] == order(samples) and [i * i for i in second] == order(samples)
    assert first == order(core) and second == order(core)
    assert order(data.DataLoader(y, y, batch_size=8, shuffle=True, seed=4)) != first
    # an epoch that was left half-way counts; two at once have orders of their own
    loader = data.DataLoader(y, y, batch_size=8, shuffle=True, seed=3)
    for _ in loader:
        break
    assert order(loader) == second
    loader = pickle.loads(pickle.dumps(data.DataLoader(y, y, batch_size=8, shuffle=True, seed=3)))
    a, b = iter(loader), None
    head = next(a)
    b = iter(loader)
    assert [int(v) for v in head[1].asnumpy()] + [int(v) for batch in a for v in batch[1].asnumpy()] == first and order(b) == second


@pytest.mark.parametrize("context", ["forkserver", "spawn", "fork"])
def test_workers_give_the_pinned_order(context):
    want = order(data.DataLoader(Squares(40), batch_size=8, shuffle=True, seed=3))
    with data.DataLoader(Squares(40), batch_size=8, shuffle=True, seed=3, workers=2, context=context) as loader:
        assert order(loader) == want
        assert order(loader) != want  # the same workers, the next epoch
    assert order(data.DataLoader(Squares(40), batch_size=8, shuffle=True, seed=3)) == want


def test_what_a_worker_raises_comes_out_with_its_traceback():
    with data.DataLoader(Squares(40, bad=13), batch_size=8, workers=1) as loader:
        with pytest.raises(LookupError, match="sample 13 is torn") as e:
            list(loader)
        assert "__getitem__" in str(e.value.__cause__)
        loader.dataset.bad = None
    plain = data.DataLoader(Squares(40, bad=13), batch_size=8)
    with pytest.raises(LookupError, match="torn"):
        list(plain)


def test_a_killed_worker_is_an_error_and_no_hang():
    from concurrent.futures.process import BrokenProcessPool
    with data.DataLoader(Killer(8), batch_size=4, workers=1) as loader:
        with pytest.raises(BrokenProcessPool):
            list(loader)
        loader.dataset = Squares(8)
        assert order(loader) == [i * i for i in range(8)]


def test_random_transforms_do_not_depend_on_the_number_of_workers():
    def drawn(workers):
        with data.DataLoader(Random(12), batch_size=4, seed=5, workers=workers) as loader:
            return np.concatenate([x.asnumpy() for x, _ in loader])

    np.testing.assert_array_equal(drawn(1), drawn(2))


def test_leaving_a_loop_early_ends_cleanly():
    loader = data.DataLoader(Squares(400, slow=0.001), batch_size=2, workers=2)
    for _ in loader:
        break
    started = time.monotonic()
    loader.close()
    assert time.monotonic() - started < 60
    assert len(order(loader)) == 400
    loader.close()


def test_collate_and_transforms():
    ragged = [np.ones(n, np.float32) for n in (1, 3, 2)]
    with pytest.raises(ValueError, match="one shape"):
        list(data.DataLoader(ragged_set := _List(ragged), batch_size=3))
    padded = data.DataLoader(ragged_set, batch_size=3, collate=lambda samples: [np.stack([np.pad(s, (0, 3 - len(s))) for s in samples])])
    assert next(iter(padded)).shape == (3, 3)
    image = (np.arange(48).reshape(4, 4, 3) * 5).astype(np.uint8)
    both = transforms.Compose(transforms.ToTensor(), transforms.Normalize([0.5, 0.5, 0.5], 0.25))
    made = data.ArrayDataset(image[None], np.array([1])).transform_first(both)[0]
    np.testing.assert_allclose(made[0], (np.moveaxis(image, -1, 0) / 255 - 0.5) / 0.25, rtol=1e-5)
    assert made[1] == 1 and transforms.RandomShift(1)(np.ones((1, 5, 5))).shape == (1, 5, 5)
    np.testing.assert_array_equal(transforms.RandomFlip(1)(np.arange(3)), [2, 1, 0])
    assert len(data.ArrayDataset(np.arange(10)).take(3)) == 3 and data.ArrayDataset(np.arange(10)).take([7])[0] == 7
    assert data.ArrayDataset(np.arange(3), np.arange(3)).transform(lambda a, b: a + b)[2] == 4
    with pytest.raises(ValueError):
        data.ArrayDataset(np.arange(3), np.arange(4))
    with pytest.raises(ValueError):
        transforms.Normalize(0, 0)


class _List(data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def test_csv_and_records(tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n3,4\n5,6\n")
    (tmp_path / "y.csv").write_text("0\n1\n0\n")
    source = data.CSVIter(str(tmp_path / "x.csv"), (2,), label_csv=str(tmp_path / "y.csv"), batch_size=3)
    x, y = next(iter(source))
    assert x.asnumpy().tolist() == [[1, 2], [3, 4], [5, 6]] and y.asnumpy().ravel().tolist() == [0, 1, 0]
    with pytest.raises(fx.FileError):
        data.CSVIter(str(tmp_path / "none.csv"), (2,))
    with data.RecordFile(tmp_path / "a.rec", "write") as file:
        places = [file.write(bytes([i]) * (i + 1)) for i in range(5)]
    with data.RecordFile(tmp_path / "a.rec") as file:
        assert [len(r) for r in file] == [1, 2, 3, 4, 5] and file.read() is None
        file.seek(places[3])
        assert file.read() == b"\x03" * 4
