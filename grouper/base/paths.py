"""Paths to the letter, plain files, and the shipped tables: inside an installed package, or beside it in a
source tree."""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path

from grouper.base.errors import GrouperError, TableError, UsageError


def local_path(path: str | Path) -> str:
    """A path as pyarrow takes it to the letter: of a relative one, ``s3:x.parquet`` is an address to it."""
    return os.path.abspath(path)


def is_there(path: str | Path) -> bool:
    """Whether a text names a file or folder that is there; not for one that no file can have as its name."""
    try:
        os.stat(path)
    except (OSError, ValueError):
        return False
    return True


def need_plain(path: str | Path, kind: type[GrouperError] = UsageError, told: str = "") -> None:
    """Raise ``kind`` for a pipe, a socket or a device: it would be read twice, without an end, or not at all.

    What is not there, or may not be looked at, is left to whoever opens it. ``told``: what errors call it.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise kind(
            zh=f"{told or path} 是管道或设备，不是文件；请先存成文件（病案数据也可用 - 从标准输入读取）",
            en=f"{told or path} is a pipe or a device, not a file; save it as a file first (records may also "
            "be read from standard input, as -)",
        )


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
