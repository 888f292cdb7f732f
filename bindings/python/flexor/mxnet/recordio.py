# SPDX-License-Identifier: Apache-2.0
"""mx.recordio: files of records, and the header of images in them."""
import os
import struct
from collections import namedtuple

import numpy as np

from .base import f

IRHeader = namedtuple("HEADER", ["flag", "label", "id", "id2"])
_IR = "<IfQQ"


class MXRecordIO:
    """Records one after the other; flag is r or w."""

    def __init__(self, uri, flag):
        if flag not in ("r", "w"):
            raise ValueError("flag must be r or w, given %r" % (flag,))
        self.uri, self.flag, self.writable, self.is_open = uri, flag, flag == "w", False
        self.open()

    def open(self):
        self.record, self.is_open = f.flx_record_open(self.uri, "write" if self.writable else "read"), True

    def close(self):
        if self.is_open:
            f.flx_free(self.record)
            self.is_open = False

    def reset(self):
        """A file that is read begins again; one that is written begins anew, empty."""
        self.close()
        self.open()

    def __del__(self):
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __getstate__(self):
        if self.writable:
            raise ValueError("a file that is written cannot be sent to another process")
        return {k: v for k, v in self.__dict__.items() if k != "record"}

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.is_open:
            self.open()

    def write(self, buf):
        f.flx_record_write(self.record, buf)

    def read(self):
        """The next record, None at the end."""
        return f.flx_record_read(self.record)

    def tell(self):
        return f.flx_record_tell(self.record)


class MXIndexedRecordIO(MXRecordIO):
    """Records by key, with the file of keys and places beside them."""

    def __init__(self, idx_path, uri, flag, key_type=int):
        self.idx_path, self.idx, self.keys, self.key_type, self.fidx = idx_path, {}, [], key_type, None
        super().__init__(uri, flag)

    def open(self):
        super().open()
        self.idx, self.keys = {}, []
        if self.writable:
            self.fidx = open(self.idx_path, "w", encoding="utf-8")
        elif os.path.exists(self.idx_path):
            with open(self.idx_path, encoding="utf-8") as rows:
                for row in rows:
                    key, place = row.strip().split("\t")
                    self.idx[self.key_type(key)] = int(place)
                    self.keys.append(self.key_type(key))

    def close(self):
        if self.is_open and self.fidx is not None:
            self.fidx.close()
            self.fidx = None
        super().close()

    def __getstate__(self):
        state = super().__getstate__()
        state["fidx"] = None
        return state

    def seek(self, idx):
        f.flx_record_seek(self.record, self.idx[idx])

    def read_idx(self, idx):
        self.seek(idx)
        return self.read()

    def write_idx(self, idx, buf):
        key, place = self.key_type(idx), f.flx_record_write(self.record, buf)
        self.fidx.write("%s\t%d\n" % (key, place))
        self.idx[key] = place
        self.keys.append(key)


def pack(header, s):
    """A header and bytes as one record: a label that is an array stands behind the header, `flag` being its length."""
    header = IRHeader(*header)
    if isinstance(header.label, (int, float, np.number)):
        return struct.pack(_IR, 0, float(header.label), header.id, header.id2) + s
    label = np.asarray(header.label, dtype=np.float32)
    return struct.pack(_IR, label.size, 0.0, header.id, header.id2) + label.tobytes() + s


def unpack(s):
    """(header, bytes) of a record."""
    size = struct.calcsize(_IR)
    header, s = IRHeader(*struct.unpack(_IR, s[:size])), s[size:]
    if header.flag > 0:
        header = header._replace(label=np.frombuffer(s, np.float32, header.flag))
        s = s[header.flag * 4:]
    return header, s


__all__ = ["IRHeader", "MXIndexedRecordIO", "MXRecordIO", "pack", "unpack"]
