"""What a reader could not foresee becomes one error that names the file and shows nothing of its content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from grouper.base.arrow import sound
from grouper.base.errors import DataError

# What libraries raise for content that is torn, cut off or says more than it holds.
DAMAGE = (OSError, pa.ArrowException, ValueError, OverflowError)


def whole_batches(batches: Iterator[pa.RecordBatch], label: str) -> Iterator[pa.RecordBatch]:
    """The batches of a file as they come, each sound (see :func:`grouper.base.arrow.sound`).

    Raises DataError where the file is damaged or cut off.
    """
    rows = 0
    while True:
        try:
            batch = next(batches, None)
        except DAMAGE as error:
            raise torn(label, rows) from error
        if batch is None:
            return
        yield sound(batch, label)
        rows += batch.num_rows


def torn(label: str, rows: int) -> DataError:
    """The error for a file that cannot be read on after so many rows."""
    return DataError(
        zh=f"{label} 在第 {rows} 行之后无法读取：文件损坏或不完整；请重新导出或重新传送",
        en=f"{label} cannot be read after row {rows}: it is damaged or cut off; export or send it again",
    )


def unreadable(label: str, kind: str) -> DataError:
    """The error for a file that is not what it should be from its beginning on."""
    return DataError(
        zh=f"{label}：不是有效的 {kind} 文件，或已损坏；请重新导出或重新传送",
        en=f"{label}: not a valid {kind} file, or a damaged one; export or send it again",
    )


@contextmanager
def readable(column: str, field: str, type_: pa.DataType | None, label: str = "") -> Iterator[None]:
    """Raise DataError for a column whose type, or values beyond it, no field can be made of.

    ``column``: the source of ``field`` ("" where it is made of others); ``label``: its file.
    """
    try:
        yield
    except (pa.ArrowException, ValueError, TypeError) as error:
        where, where_en = (f"{label}：", f"{label}: ") if label else ("", "")
        named = f"列 {column!r}（{field}）" if column else field
        named_en = f"column {column!r} ({field})" if column else field
        raise DataError(
            zh=f"{where}{named}的类型 {type_} 无法读取；请以文本重新导出，或用 --columns 指明来源列",
            en=f"{where_en}{named_en} has the type {type_}, which cannot be read; export it again as text "
            "or name its source with --columns",
        ) from error
