"""The last net of a command: whatever nobody caught becomes one message, without rows of data.

What went wrong in full goes to a file that its owner alone may read, as it may hold values of cases.
"""

from __future__ import annotations

import errno
import os
import platform
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grouper
from grouper.base.errors import EXIT_DATA, EXIT_INTERNAL, EXIT_USAGE
from grouper.base.version import VERSION

# What DuckDB raises because of a file, its content or the machine; all else is a fault of this software.
_DATABASE = {
    "OutOfMemoryException": (
        "数据库内存不足；请用 --memory 提高上限，或为临时文件腾出磁盘空间",
        "the database has too little memory; allow more with --memory, or make room for temporary files",
    ),
    "IOException": (
        "数据库无法读写文件；输入可能损坏、被移走，或磁盘已满",
        "the database cannot read or write a file; an input may be torn or gone, or the disk is full",
    ),
    "BinderException": (
        "输入缺少所需的列，或列的类型不符；请确认各输入文件出自哪一步",
        "an input lacks a column that is needed, or its type does not fit; check which step made each file",
    ),
}
_NAMED = 8  # files of the call that a message names
_CONTENT = (
    "输入中有无法处理的值或损坏的数据；请检查输入文件",
    "an input holds values that cannot be used, or is damaged; check the input files",
)
_DATABASE |= dict.fromkeys(
    ("ConversionException", "OutOfRangeException", "InvalidInputException", "TypeMismatchException",
     "SerializationException", "ConstraintException", "DataError", "InvalidTypeException"),
    _CONTENT,
)  # fmt: skip
_SYSTEM = {
    errno.ENOENT: ("没有这个文件或目录", "there is no such file or folder"),
    errno.EACCES: ("没有权限", "permission denied"),
    errno.EPERM: ("没有权限", "permission denied"),
    errno.EROFS: ("只读文件系统", "the file system is read-only"),
    errno.ENOSPC: ("磁盘已满", "no space left on the disk"),
    errno.EDQUOT: ("超出磁盘配额", "the disk quota is used up"),
    errno.EFBIG: ("文件过大", "the file is too large"),
    errno.EIO: ("读写出错", "the device failed"),
    errno.EISDIR: ("是目录而不是文件", "is a folder, not a file"),
    errno.ENOTDIR: ("路径中有一段不是目录", "a part of the path is no folder"),
    errno.ENAMETOOLONG: ("文件名过长", "the name is too long"),
    errno.EMFILE: ("打开的文件过多", "too many open files"),
}


@dataclass(frozen=True)
class Caught:
    """What the user is told: the message in both languages, and the exit code."""

    zh: str
    en: str
    exit_code: int


def caught(error: BaseException) -> Caught:
    """What to say of an error that is none of the software's own; its details are written to a file."""
    zh, en, code = _words(error)
    kept = _details(error)
    if kept is None:
        return Caught(f"{zh}（{type(error).__name__}；详情无处可写）",
                      f"{en} ({type(error).__name__}; the details could not be written)", code)  # fmt: skip
    return Caught(
        f"{zh}。详情见 {kept}（仅本人可读；可能含病例数据，转交前请检查）",
        f"{en}. Details are in {kept} (readable by you alone; it may hold data of cases, so check it before "
        "passing it on)",
        code,
    )


def interrupted(error: BaseException) -> bool:
    """Whether an error only says that the user stopped the command."""
    if isinstance(error, RuntimeError) and str(error) == "Query interrupted":  # DuckDB's own way to say it
        return True
    return isinstance(error, KeyboardInterrupt) or type(error).__name__ == "InterruptException"


def stop_as_by_hand() -> None:
    """A process that is told to end ends as by Ctrl-C, so that nothing unfinished stays behind."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):  # the latter is not on every system
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)


def _words(error: BaseException) -> tuple[str, str, int]:
    if _is(error, "duckdb", "Error") and (known := _DATABASE.get(type(error).__name__)):
        return *_about_inputs(*known), EXIT_DATA
    if _is(error, "pyarrow", "ArrowException") and not isinstance(error, NotImplementedError | KeyError):
        return *_about_inputs(*_CONTENT), EXIT_DATA
    if isinstance(error, OSError) and error.errno in _SYSTEM:
        zh, en = _SYSTEM[error.errno]
        name = f"{error.filename}" if error.filename is not None else ""
        return f"{name}{'：' if name else ''}{zh}", f"{name}{': ' if name else ''}{en}", EXIT_USAGE
    if isinstance(error, MemoryError):
        return "内存不足", "out of memory", EXIT_INTERNAL
    where = _place(error)
    return (
        f"程序内部出错（{type(error).__name__}{where}），这是软件的缺陷，结果没有写出或不完整",
        f"an internal error ({type(error).__name__}{where}): a fault of this software; the result was not "
        "written or is not whole",
        EXIT_INTERNAL,
    )


def _about_inputs(zh: str, en: str) -> tuple[str, str]:
    """The words, with the files of the call that are there: one of them is meant."""
    names = [word for word in sys.argv[1:] if len(word) < 300 and Path(word).is_file()][:_NAMED]
    return (f"{zh}（{'、'.join(names)}）", f"{en} ({', '.join(names)})") if names else (zh, en)


def _is(error: BaseException, module: str, name: str) -> bool:
    """Whether an error is of a library's class; a library that was never loaded raised nothing."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(error, getattr(loaded, name))


def _place(error: BaseException) -> str:
    """The last line of this package that the error came through."""
    own = Path(grouper.__file__).parent
    skipped = own / "commands" / "options"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(own) and not path.is_relative_to(skipped):
            return f", {path.relative_to(own).as_posix()}:{frame.lineno}"
    return ""


def _details(error: BaseException) -> str | None:
    """The path of a new private file with all that is known of an error; None where none can be written."""
    try:
        handle, path = tempfile.mkstemp(prefix="grouper-error-", suffix=".txt")  # of mode 0600
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"grouper {VERSION}, Python {platform.python_version()}, {platform.platform()}\n")
            file.write(f"{sys.argv!r}\n\n")
            file.writelines(traceback.format_exception(error))
        return path
    except (OSError, MemoryError):
        return None
