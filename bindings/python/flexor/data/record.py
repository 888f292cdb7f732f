# SPDX-License-Identifier: Apache-2.0
"""RecordIO files."""
from __future__ import annotations

from typing import Any, Iterator, Optional

from .._core import f


class RecordFile:
    """A RecordIO file: a sequence of byte strings. `access` is read, write or append. A context manager; iterating reads what is left.

        with flexor.data.RecordFile("a.rec", "write") as file:
            file.write(b"...")
    """

    def __init__(self, path: str, access: str = "read") -> None:
        self.path, self.access = str(path), access
        self._handle: Any = f.flx_record_open(self.path, access)

    def read(self) -> Optional[bytes]:
        """The next record; None at the end."""
        return f.flx_record_read(self._handle)

    def write(self, data: bytes) -> int:
        """Appends a record; where it begins, for `seek`."""
        return f.flx_record_write(self._handle, data)

    def seek(self, offset: int) -> None:
        """Lets the next read begin at an offset that `write` or `tell` gave."""
        f.flx_record_seek(self._handle, offset)

    def tell(self) -> int:
        """Where the file stands, bytes from its beginning."""
        return f.flx_record_tell(self._handle)

    def close(self) -> None:
        """Closes the file; what was written is whole then."""
        handle, self._handle = self._handle, None
        if handle is not None:
            f.flx_free(handle)

    def __iter__(self) -> Iterator[bytes]:
        record = self.read()
        while record is not None:
            yield record
            record = self.read()

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
