"""Where the shipped tables are: inside an installed package, or beside it in a source tree."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from grouper.base.errors import TableError


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
