"""Workbooks before they are read: what would fill the memory is refused by what the file says of itself.

A sheet is read as a rectangle from its first to its last cell. One stray cell at XFD1048576 (a format
far down is enough) makes that 17 billion cells: half a terabyte, and the end of the process.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from grouper.base.errors import GrouperError, UsageError
from grouper.base.paths import need_plain

WIDEST, LONGEST = 16_384, 1_048_576  # columns and rows of a sheet
_ROOM = 20_000_000  # cells that a sheet may span, however few of them are filled
_FILLED = 20  # of so many cells at least one is filled, beyond that
_UNPACKED = 64 << 20  # bytes of a part that may be packed however well
_PACKED = 100  # times at most beyond that; deflate makes 1,032 of nothing but zeros
_CHUNK = 1 << 20
_OVERLAP = 64  # longest reference with its name
# As every program writes them; what is written in another way is found by the slower ones.
_COLUMN, _ROW, _FAR = (
    re.compile(rb' r="([A-Z]+)'), re.compile(rb'<row r="(\d+)'), re.compile(rb' r="[A-Z]+(\d{5,})"')
)  # fmt: skip
_ANY_COLUMN = re.compile(rb"\sr\s*=\s*[\"']\$?([A-Za-z]+)\$?\d")
_ANY_ROW = re.compile(rb"\sr\s*=\s*[\"'][$A-Za-z]*(\d+)")
_SHEET = re.compile(r"xl/worksheets/[^/]*\.xml|xl/worksheets/[^/]*\.bin", re.IGNORECASE)


def check_book(path: str | Path, told: str, kind: type[GrouperError] = UsageError) -> None:
    """Raise ``kind`` for a workbook that is far larger in memory than as a file, or that is damaged.

    Refused are a sheet whose cells lie far apart, and a part that is packed beyond what tables are. ``told``:
    what errors call the file. Workbooks that are no archives (.xls) are small by their format.
    """
    need_plain(path, kind, told)
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as book:
            for part in book.infolist():
                _check_part(book, part, told, kind)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise kind(
            zh=f"{told} 不是可读的 Excel 工作簿（文件损坏或加密）",
            en=f"{told} is no workbook that can be read (it is damaged or encrypted)",
        ) from error


def _check_part(book: zipfile.ZipFile, part: zipfile.ZipInfo, told: str, kind: type[GrouperError]) -> None:
    if part.file_size > _UNPACKED and part.file_size > _PACKED * part.compress_size:
        raise kind(
            zh=f"{told}：{part.filename} 展开为 {part.file_size >> 20} MiB，超过压缩后的 {_PACKED} 倍；"
            "请重新导出",
            en=f"{told}: {part.filename} in it unpacks to {part.file_size >> 20} MiB, over {_PACKED} times "
            "its packed size; export it again",
        )
    if not _SHEET.fullmatch(part.filename):
        return
    chunks = _chunks(book, part)
    rows, columns, cells = (
        _extent_of_xml(chunks) if part.filename.endswith("l") else _extent_of_binary(chunks)
    )
    if rows > LONGEST or columns > WIDEST or (rows * columns > max(_ROOM, _FILLED * cells)):
        raise kind(
            zh=f"{told}：工作表（{part.filename}）的单元格相距太远：{cells} 个有内容或格式的单元格铺开为 "
            f"{rows} 行 × {columns} 列；请删去远处的单元格（选中数据后复制到新工作簿），或另存为 CSV",
            en=f"{told}: the cells of a sheet ({part.filename}) lie too far apart: {cells} cells span {rows} "
            f"rows x {columns} columns; delete the far ones (copy the data to a new workbook)",
        )


def _chunks(book: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    with book.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _extent_of_xml(chunks: Iterator[bytes]) -> tuple[int, int, int]:
    """The last row and the last column of a sheet in XML, and its number of cells."""
    letters: set[bytes] = set()
    rows, cells, tail = 0, 0, b""
    for chunk in chunks:
        text = tail + chunk
        named, number = _COLUMN.findall(text), text.count(b"<c ") or text.count(b":c ")
        numbers = [*_ROW.findall(text), *_FAR.findall(text)]
        if len(named) < number or b"<row>" in text or not numbers:
            named, numbers = _ANY_COLUMN.findall(text), _ANY_ROW.findall(text)
        letters.update(named)
        rows = max(rows, max(map(int, numbers), default=0))
        cells += number
        tail = text[-_OVERLAP:]
    return rows, max(map(_column, letters), default=0), cells


def _column(letters: bytes) -> int:
    """The number of a column from its letters, A being 1."""
    number = 0
    for letter in letters[:5].upper():
        number = number * 26 + letter - 64
    return number


def _extent_of_binary(chunks: Iterator[bytes]) -> tuple[int, int, int]:
    """The same of a sheet in binary records: row headers (kind 0) and cells (kinds 1 to 11)."""
    rows = columns = cells = 0
    for kind, content in _records(chunks):
        if kind == 0 and len(content) >= 4:
            rows = max(rows, int.from_bytes(content[:4], "little") + 1)
        elif 1 <= kind <= 11 and len(content) >= 4:
            columns, cells = max(columns, int.from_bytes(content[:4], "little") + 1), cells + 1
    return rows, columns, cells


def _records(chunks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """The records of a binary part, each with the first bytes of its content."""
    data, at = b"".join(chunks), 0
    while at < len(data):
        kind, at = _varying(data, at, 2)
        size, at = _varying(data, at, 4)
        yield kind, data[at : at + 4]
        at += size


def _varying(data: bytes, at: int, most: int) -> tuple[int, int]:
    """A number of up to ``most`` bytes of seven bits each, and where it ends."""
    number = 0
    for place in range(most):
        byte = data[at + place] if at + place < len(data) else 0
        number |= (byte & 127) << (7 * place)
        if byte < 128:
            return number, at + place + 1
    return number, at + most
