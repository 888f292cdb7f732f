# SPDX-License-Identifier: Apache-2.0
"""mx.util: MXNet's switches of shapes. Here a size of 0 is a size, and names are MXNet's older ones."""
import os


def is_np_shape():
    return False


def is_np_array():
    return False


def makedirs(d):
    os.makedirs(os.path.expanduser(d), exist_ok=True)


def get_gpu_count():
    from .context import num_gpus
    return num_gpus()
