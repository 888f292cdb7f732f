# SPDX-License-Identifier: Apache-2.0
"""mx.engine: bulking is the library's own business; these words are accepted."""
import contextlib


def set_bulk_size(size):
    return size


@contextlib.contextmanager
def bulk(size):
    yield
