"""The formats of everything that is kept: which this version writes, and the refusal of newer ones.

What says no ``format`` is of format 1, as version 0.1.0 wrote it. A reader takes every format up to the one
that stands here. docs/formats.md tells what changed from one to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grouper.base.errors import GrouperError, TableError
from grouper.base.version import VERSION

FORMATS = {
    "lake": 4,  # the ledger with the tables, the chain and the digests in it
    "provenance": 2,
    "scheme": 1,  # scheme.toml of DRG schemes and DIP catalogues
    "policy": 1,
    "budget": 1,
    "coefficients": 1,
    "indices": 1,
    "watch": 1,  # its definitions and its facts
    "checks": 1,  # rules of coding quality
    "columns": 1,
    "inputs": 1,  # lists of the files of a month
    "signature": 1,  # of the head of a lake's chain
}
KEY = "format"
_NAMES = {
    "lake": ("结算湖", "lake"), "provenance": ("来源记录", "provenance"), "scheme": ("分组方案", "scheme"),
    "policy": ("政策", "policy"), "budget": ("预算", "budget"), "coefficients": ("系数参数", "coefficients"),
    "indices": ("指数参数", "indices"), "watch": ("监测", "watch"), "columns": ("列映射", "column map"),
    "inputs": ("输入清单", "list of inputs"), "checks": ("质控规则", "checks"),
    "signature": ("签名", "signature"),
}  # fmt: skip


def format_of(raw: Mapping[str, Any], kind: str, where: str, error: type[GrouperError] = TableError) -> int:
    """The format that a file says it has; 1 where it says none.

    Raises ``error`` where that is no number of a format, or one that this version does not know.
    """
    found = raw.get(KEY, 1)
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise error(
            zh=f"{where}：format = {found!r} 应为 1 至 {FORMATS[kind]} 的整数",
            en=f"{where}: format = {found!r} should be a whole number from 1 to {FORMATS[kind]}",
        )
    return known(found, kind, where, error)


def known(
    found: int, kind: str, where: str, error: type[GrouperError] = TableError, made_by: str = ""
) -> int:
    """``found`` itself, where this version knows the format.

    ``made_by``: the version of the software that wrote it, if known. Raises ``error`` otherwise.
    """
    newest = FORMATS[kind]
    if found > newest:
        zh, en = _NAMES[kind]
        needed_zh, needed_en = (f"{made_by} 或更新", f"{made_by} or later") if made_by else ("更新", "newer")
        raise error(
            zh=f"{where}：{zh}格式 {found} 比本程序（grouper {VERSION}）所知的 {newest} 新；"
            f"请用{needed_zh}版本的 grouper",
            en=f"{where}: {en} format {found} is newer than {newest}, the last that this version "
            f"(grouper {VERSION}) knows; use grouper {needed_en}" + ("" if made_by else f" than {VERSION}"),
        )
    return found
