"""Grouped files as they are read: CSV or Parquet, one after the other, each row with its place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grouper.base.errors import UsageError
from grouper.base.sql import literal, parquet_schema, rows_of, scan
from grouper.payment.price.inputs import PLACE
from grouper.payment.price.texts import TEXTS, load_texts

if TYPE_CHECKING:
    import duckdb


def scan_of(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> str:
    """SQL that reads the grouped files: CSV files, or Parquet files and folders of them."""
    for path in paths:
        if not Path(path).exists():
            raise UsageError(zh=f"没有文件 {path}", en=f"there is no file {path}")
    if are_texts(paths):
        texts = [load_texts(connection, path, f"grouped_{number}") for number, path in enumerate(paths)]
        return _placed_texts(connection, texts)
    files = parquet_files(paths)
    for file in files:
        parquet_schema(
            file,
            hint_zh="；分组结果应为 Parquet 或 CSV（grouper group … -o 分组.parquet）",
            hint_en="; grouped files are Parquet or CSV (grouper group … -o grouped.parquet)",
        )
    return _placed(files)


def are_texts(paths: Sequence[str]) -> bool:
    kinds = {Path(path).suffix.lower() for path in paths if Path(path).is_file()}
    return bool(kinds) and kinds <= TEXTS


def headers(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> dict[str, list[str]]:
    """The columns of each file."""
    if not are_texts(paths):
        return {str(file): parquet_schema(file).names for file in parquet_files(paths)}
    return {
        path: connection.sql(f"SELECT * FROM grouped_{number} LIMIT 0").columns
        for number, path in enumerate(paths)
    }


def sizes(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> list[int]:
    """The rows of each path, in the order of the places of ``scan_of``."""
    if not are_texts(paths):
        return [sum(rows_of(file) for file in _expanded(path)) for path in paths]
    tables = (f"grouped_{number}" for number in range(len(paths)))
    return [connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in tables]


def parquet_files(paths: Sequence[str]) -> list[Path]:
    return [file for path in paths for file in _expanded(path)]


def row_in(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], place: int) -> tuple[str, int]:
    """The file of the row at ``place`` (PLACE) of all files, and its number there from 1 on."""
    texts = are_texts(paths)
    files = list(paths) if texts else parquet_files(paths)
    for file, rows in zip(files, sizes(connection, paths) if texts else map(rows_of, files), strict=True):
        if place < rows:
            return str(file), place + 1
        place -= rows
    raise IndexError("a row of none of the files")


def _placed_texts(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> str:
    """SQL of tables one after the other, with the place of each row."""
    parts, before = [], 0
    for table in tables:
        parts.append(f"SELECT *, rowid + {before} AS {PLACE} FROM {table}")
        before += connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    return f"({' UNION ALL BY NAME '.join(parts)})"


def _placed(files: Sequence[Path]) -> str:
    """SQL of Parquet files one after the other, with the place of each row."""
    if len(files) == 1:
        inside = f"SELECT * EXCLUDE (file_row_number), file_row_number AS {PLACE}"
        return f"({inside} FROM {scan(*files, numbered=True)})"
    whens, before = [], 0
    for file in files:
        whens.append(f"WHEN {literal(Path(os.path.abspath(file)).as_posix())} THEN {before}")
        before += rows_of(file)
    start = f"CASE file_of_row {' '.join(whens)} ELSE error('file?') END"
    return (
        f"(SELECT * EXCLUDE (file_row_number, file_of_row), file_row_number + {start} AS {PLACE} "
        f"FROM {scan(*files, numbered=True, named='file_of_row')})"
    )


def _expanded(path: str) -> list[Path]:
    """The Parquet files of a folder, or the file. Raises UsageError for a folder without any."""
    place = Path(path)
    if not place.is_dir():
        return [place]
    inside = sorted(place.rglob("*.parquet"))
    if not inside:
        raise UsageError(zh=f"{path} 中没有 Parquet 文件", en=f"{path} holds no Parquet file")
    return inside
