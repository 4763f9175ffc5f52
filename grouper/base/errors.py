"""Errors that a user can act on, each in Chinese and English with its exit code."""

from __future__ import annotations

import errno
import os
import re
from typing import Any

EXIT_OK = 0
EXIT_USAGE = 1
EXIT_DATA = 2
EXIT_RECONCILIATION = 3
EXIT_INTERNAL = 70  # as sysexits has it: a fault of the software
EXIT_INTERRUPTED = 130

# What each exit code means, in Chinese and English, for the reference of the command line.
EXIT_CODES: dict[int, tuple[str, str]] = {
    EXIT_OK: ("成功", "done"),
    EXIT_USAGE: (
        "调用、规则表或系统不允许：选项、文件、权限、磁盘空间；没有写出结果",
        "the call, a table or the system does not allow it: options, files, permissions, room; no result",
    ),
    EXIT_DATA: (
        "输入数据无法读取或被整体退回；没有写出结果",
        "the data cannot be read, or are rejected as a whole; no result",
    ),
    EXIT_RECONCILIATION: (
        "合计对不上，没有写出结果；或核查发现不符",
        "sums do not add up, no result; or a check found a difference",
    ),
    EXIT_INTERNAL: (
        "软件缺陷；一行说明，详情在仅本人可读的文件中",
        "a fault of the software: one line, with the details in a file that only its owner may read",
    ),
    EXIT_INTERRUPTED: ("被用户中断", "stopped by the user"),
}  # fmt: skip


# A value between quotes, and a run without a blank that is no path, longer than anybody reads.
_LONG = re.compile(r"'[^'\n]{201,}'|[!-.0-\[\]-~]{401,}")
_SHOWN = 60


def shortened(text: str) -> str:
    """A message with what it quotes cut where that is absurdly long: its begin, its end, its length."""

    def cut(found: re.Match[str]) -> str:
        long = found[0]
        return f"{long[:_SHOWN]}…{long[-_SHOWN // 3 :]} ({len(long):,})"

    return _LONG.sub(cut, text)


# What the system says of a file, in Chinese.
_OF_SYSTEM = {
    os.strerror(number): zh
    for number, zh in (
        (errno.ENOENT, "没有这个文件或目录"), (errno.EACCES, "没有权限"), (errno.EPERM, "不允许这样操作"),
        (errno.EISDIR, "这是一个目录"), (errno.ENOTDIR, "路径中有一段不是目录"), (errno.EEXIST, "已经存在"),
        (errno.ENOSPC, "磁盘已满"), (errno.EDQUOT, "超出磁盘配额"), (errno.EFBIG, "文件过大"),
        (errno.EROFS, "磁盘只读"), (errno.EIO, "磁盘读写出错"), (errno.EMFILE, "打开的文件过多"),
        (errno.ENAMETOOLONG, "文件名过长"), (errno.ELOOP, "链接成环"), (errno.EBUSY, "正被占用"),
        (errno.ENOTEMPTY, "目录不是空的"), (errno.ENODEV, "没有这个设备"), (errno.ENXIO, "没有这个设备"),
    )
}  # fmt: skip


def in_chinese(text: str) -> str:
    """A Chinese message whose reason is the system's own, with that in Chinese too."""
    for said, zh in _OF_SYSTEM.items():
        text = text.replace(said, zh)
    return text


# Options that are arguments of the Python calls, as those write them; {} is the value, where one is named.
_ARGUMENTS = {
    "allow-missing": "allow_missing=[{}]",
    "columns": "columns=grouper.records.load_map({})",
    "prefix": "prefix={}",
    "stay": "stay={}",
    "age-days-unit": "age_days_unit={}",
    "encoding": "encoding={}",
    "sheet": "sheet={}",
    "as-of": "as_of={}",
    "hospitals": "hospitals={}",
    "decisions": "decisions={}",
    "scheme-differs": "scheme_differs=True",
    "repair-codes": "repair_codes=True",
}
_VALUE = r"[a-z_]+"
_OPTION = re.compile(
    rf"--(allow-missing) ({_VALUE}(?: --allow-missing {_VALUE})*)"
    r"|--(prefix|columns|stay|age-days-unit) (new_|map\.toml|nights|days|months|given)\b"
    rf"|--({'|'.join(_ARGUMENTS)})(?![\w-])"
)


def as_arguments(text: str) -> str:
    """A message that speaks of options of the command line, in words of a Python call."""

    def said(found: re.Match[str]) -> str:
        several, fields, one, value, bare = found.groups()
        if several:
            listed = fields.split(" --allow-missing ")
            return _ARGUMENTS[several].format(", ".join(f'"{name}"' for name in listed))
        if one:
            return _ARGUMENTS[one].format(f'"{value}"')
        argument = _ARGUMENTS[bare]
        return f"{argument.partition('=')[0]}=" if "{}" in argument else argument

    return _OPTION.sub(said, text)


class GrouperError(Exception):
    """Base of all errors that are shown to the user as one message.

    ``zh`` and ``en`` say the same, with the options of the command line that mend it; ``str(error)`` is the
    English text as a Python call says it, with its arguments.
    """

    exit_code = EXIT_USAGE

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__(shortened(en))
        self.zh = shortened(in_chinese(zh))
        self.en = shortened(en)

    def __str__(self) -> str:
        return as_arguments(self.en)

    def __reduce__(self) -> tuple[Any, ...]:
        """An error crosses to another process with both of its texts."""
        return _again, (type(self), self.__dict__)

    def text(self, lang: str) -> str:
        """The message in ``lang`` ("zh" or "en")."""
        return self.en if lang == "en" else self.zh


def _again(kind: type[GrouperError], state: dict[str, Any]) -> GrouperError:
    error = kind.__new__(kind)
    Exception.__init__(error, state["en"])
    error.__dict__.update(state)
    return error


class UsageError(GrouperError):
    """The call itself cannot be carried out: unknown scheme, missing column, bad option."""


class TableError(GrouperError):
    """A rule table is wrong: bad syntax, missing list, digest that does not match."""


class DataError(GrouperError):
    """The input data cannot be read or are rejected as a whole."""

    exit_code = EXIT_DATA


class ReconciliationError(GrouperError):
    """Counts or sums do not add up; nothing was written."""

    exit_code = EXIT_RECONCILIATION
