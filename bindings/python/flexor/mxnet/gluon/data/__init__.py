# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.data: datasets, samplers, loaders."""
from .dataloader import DataLoader
from .dataset import ArrayDataset, Dataset, RecordFileDataset, SimpleDataset
from .sampler import BatchSampler, FilterSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["ArrayDataset", "BatchSampler", "DataLoader", "Dataset", "FilterSampler", "RandomSampler", "RecordFileDataset", "Sampler", "SequentialSampler", "SimpleDataset"]


def __getattr__(name):
    if name == "vision":
        import importlib
        return importlib.import_module("." + name, __name__)
    raise AttributeError(name)
