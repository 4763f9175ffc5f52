"""What the footer of a Parquet file says of its column chunks, read without the library.

The library ends the process at some damaged footers (what its getter of a chunk throws is caught by nobody).
So the few numbers that choose how a column is read are taken from the bytes here: Thrift's compact protocol,
with every length checked. What cannot be read here chooses nothing; the library then says what is wrong.

Source: the Apache Parquet format, parquet.thrift (FileMetaData, RowGroup, ColumnChunk, ColumnMetaData,
Statistics).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

_MAGIC = b"PAR1"
_TAIL = 8  # length of the footer, and the magic
_LARGEST = 64 << 20
_DEEPEST = 16
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)
# Numbers of fields in parquet.thrift.
_ROW_GROUPS, _COLUMNS, _ROWS, _META = 4, 1, 3, 3
_PATH, _VALUES, _UNCOMPRESSED, _DICTIONARY, _STATISTICS, _NULLS = 3, 5, 6, 11, 12, 3


class Chunk(NamedTuple):
    """A column of a row group. ``nulls``: None where the file does not say."""

    path: str
    rows: int
    values: int
    uncompressed: int
    dictionary: bool
    nulls: int | None


def chunks(path: Path) -> list[Chunk]:
    """The column chunks of all row groups; none when the footer cannot be read."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(end - _TAIL, 0))
            tail = file.read(_TAIL)
            size = int.from_bytes(tail[:4], "little")
            if tail[4:] != _MAGIC or not 0 < size <= min(end - _TAIL, _LARGEST):
                return []
            file.seek(end - _TAIL - size)
            footer = _Compact(file.read(size)).struct()
        return [
            _chunk(column[_META], group[_ROWS]) for group in footer[_ROW_GROUPS] for column in group[_COLUMNS]
        ]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return []


def _chunk(meta: dict[int, Any], rows: int) -> Chunk:
    path = ".".join(part.decode() for part in meta[_PATH])
    nulls = meta.get(_STATISTICS, {}).get(_NULLS)
    return Chunk(path, rows, meta[_VALUES], meta[_UNCOMPRESSED], _DICTIONARY in meta, nulls)


class _Compact:
    """Thrift's compact protocol: structs as field number -> value. Raises ValueError or IndexError."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._depth = data, 0, 0

    def struct(self) -> dict[int, Any]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("too deep")
        found: dict[int, Any] = {}
        field = 0
        while header := self._byte():
            step, kind = header >> 4, header & 15
            field = field + step if step else self._integer()
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind)
        self._depth -= 1
        return found

    def _value(self, kind: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind == _STRUCT:
            return self.struct()
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            return self._list()
        if kind in (_BYTE, _TRUE, _FALSE):
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        raise ValueError("a kind of value that no footer has")

    def _list(self) -> list[Any]:
        header = self._byte()
        size = header >> 4 if header >> 4 < 15 else self._varint()
        if size > len(self._data) - self._at:
            raise ValueError("a list longer than the footer")
        return [self._value(header & 15) for _ in range(size)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise ValueError("a text longer than the footer")
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        number = 0
        for place in range(0, 70, 7):
            byte = self._byte()
            number |= (byte & 127) << place
            if byte < 128:
                return number
        raise ValueError("a number without an end")

    def _integer(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)
