"""Paths to the letter; the shipped tables: inside an installed package, or beside it in a source tree."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from grouper.base.errors import TableError


def local_path(path: str | Path) -> str:
    """A path as pyarrow takes it to the letter: of a relative one, ``s3:x.parquet`` is an address to it."""
    return os.path.abspath(path)


@cache
def tables_dir() -> Path:
    """The folder ``tables/`` of this installation.

    Raises TableError when the installation lacks it.
    """
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "tables", package.parent / "tables"):
        if (candidate / "manifest.json").is_file() or (candidate / "icd").is_dir():
            return candidate
    raise TableError(
        zh="安装不完整：找不到 tables 目录",
        en="the installation is incomplete: there is no tables folder",
    )
