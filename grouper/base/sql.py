"""Texts and names as SQL; files as relations that nothing is guessed of."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from grouper.base.errors import UsageError
from grouper.base.paths import local_path, need_plain

_WILD = "*?["


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def quote(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def rows_of(*paths: Path | str) -> int:
    """The rows of files, by what they say of themselves."""
    return sum(pq.read_metadata(local_path(path)).num_rows for path in paths)


def scan(*paths: Path | str, numbered: bool = False, named: str | None = None) -> str:
    """SQL that reads Parquet files: these and no others, with their own columns and no others.

    A path is taken to the letter: ``*``, ``?`` and ``[`` are no patterns, ``~`` and ``s3:`` nothing special,
    and a folder named ``total_cost=1.00`` gives no column. ``numbered``: with file_row_number, from 0.
    ``named``: a column of this name with the path of each row's file. Raises UsageError for a path that
    cannot be said to DuckDB.
    """
    listed = ", ".join(literal(_one_file(path)) for path in paths)
    more = ", file_row_number = true" if numbered else ""
    more += f", filename = {literal(named)}" if named else ""
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false{more})"


def _one_file(path: Path | str) -> str:
    """A path as DuckDB's pattern that fits this path alone."""
    text = Path(os.path.abspath(path)).as_posix()
    wild = any(sign in text for sign in _WILD)
    if wild and "\\" in text:
        raise UsageError(
            zh=f"{path}：文件路径中同时有 \\ 和 *、?、[，无法读取；请改名",
            en=f"{path}: a path with both \\ and one of * ? [ cannot be read; rename it",
        )
    return "".join(f"[{sign}]" if sign in _WILD else sign for sign in text)


def parquet_schema(path: Path | str, *, hint_zh: str = "", hint_en: str = "") -> pa.Schema:
    """The columns and the metadata of a Parquet file.

    Raises UsageError for a file that is not there, no Parquet file or torn; the hints say what to do.
    """
    need_plain(path)
    try:
        return pq.read_schema(local_path(path))
    except FileNotFoundError as error:
        raise UsageError(zh=f"没有文件 {path}", en=f"there is no file {path}") from error
    except pa.ArrowException as error:
        raise UsageError(
            zh=f"{path} 不是（完整的）Parquet 文件{hint_zh}", en=f"{path} is no (whole) Parquet file{hint_en}"
        ) from error
    except OSError as error:
        why = error.strerror or ("内容损坏", "the content is damaged")
        zh, en = (why, why) if isinstance(why, str) else why
        raise UsageError(zh=f"无法读取 {path}：{zh}", en=f"cannot read {path}: {en}") from error
