"""Several grouped files are read by one map: each has every column that one of them is read by."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from grouper.base.errors import UsageError
from grouper.records.stays import FIELDS


def check_columns(
    headers: Mapping[str, Collection[str]], sources: Mapping[str, str], wanted: Collection[str]
) -> None:
    """``headers``: columns of each file; ``sources``: canonical names to columns; ``wanted``: what is asked.

    A column that only some files have would be empty in the others: an amount that nobody paid, a refund that
    nobody sees. Raises UsageError that names file and column, and what to do.
    """
    if len(headers) < 2:
        return
    there = {column: path for path, header in headers.items() for column in header}
    for name in dict.fromkeys((*wanted, *FIELDS)):
        column = sources.get(name, "")
        lacking = next((path for path, header in headers.items() if column not in header), None)
        if column in there and lacking is not None:
            other = there[column]
            raise UsageError(
                zh=f"{lacking} 没有列 {column!r}（{name}），而 {other} 有；一起计价的文件须有相同的列。"
                "请各用各的 --columns 分别计价，或用 grouper settle --inputs 逐个写明列映射",
                en=f"{lacking} has no column {column!r} ({name}), but {other} has; files that are priced "
                "together have the same columns. Price each alone with its own --columns, or give each its "
                "map by grouper settle --inputs",
            )
