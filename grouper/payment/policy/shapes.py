"""What may stand where in a policy file, before anybody reads its sense: texts, lists, tables, days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from grouper.base.errors import TableError

TEXT, FLAG, DAY, TEXTS, TEXT_OR_TEXTS, TABLE, TABLES, LISTS = (
    "text", "flag", "day", "texts", "text or texts", "table", "tables", "lists",
)  # fmt: skip
_WORDS = {
    TEXT: ("应为文字", "is a text"),
    FLAG: ("应为 true 或 false", "is true or false"),
    DAY: ("应为日期（如 2025-07-08）", "is a date (such as 2025-07-08)"),
    TEXTS: ("应为文字的列表", "is a list of texts"),
    TEXT_OR_TEXTS: ("应为文字或文字的列表", "is a text or a list of texts"),
    TABLE: ("应为表", "is a table"),
    TABLES: ("应为表的列表（[[…]]）", "is a list of tables ([[…]])"),
    LISTS: ("应为 名称 = [文字] 的表", "is a table NAME = [texts]"),
}
FILE = {
    "id": TEXT, "name": TEXT, "name_en": TEXT, "area": TEXT, "extends": TEXT, "scheme": TEXT, "method": TEXT,
    "weights": TABLE, "means": TABLE, "pools": LISTS, "valid_from": DAY, "valid_to": DAY, "routes": TABLES,
    "parameters": TABLE, "notes": TEXTS, "validity_verified": FLAG,
}  # fmt: skip
ROUTE = {
    "name": TEXT, "zh": TEXT, "en": TEXT, "method": TEXT, "reference_group": TEXT, "source": TEXT,
    "article": TEXT, "verified": FLAG, "from": DAY, "to": DAY,
}  # fmt: skip
WEIGHTS = {"table": TEXT, "source": TEXT, "verified": FLAG}
PARAMETER = {
    "by": TEXTS, "values": TABLES, "from": DAY, "to": DAY, "source": TEXT, "article": TEXT,
    "clause": TEXT_OR_TEXTS, "verified": FLAG,
}  # fmt: skip


def check(raw: Mapping[str, Any], shapes: Mapping[str, str], where: str) -> None:
    """Raise TableError, naming file and key, for a value of another shape than ``shapes`` says."""
    for key, value in raw.items():
        if key in shapes and not _is(value, shapes[key]):
            zh, en = _WORDS[shapes[key]]
            raise TableError(zh=f"{where}：{key} {zh}", en=f"{where}: {key} {en}")


def tables(value: Any, where: str) -> list[Mapping[str, Any]]:
    """A list of tables. Raises TableError for anything else."""
    check({"value": value}, {"value": TABLES}, where)
    return list(value)


def _is(value: Any, shape: str) -> bool:
    if shape == LISTS:
        return isinstance(value, Mapping) and all(_is(item, TEXTS) for item in value.values())
    return {
        TEXT: isinstance(value, str),
        FLAG: isinstance(value, bool),
        DAY: type(value) is date,
        TEXTS: isinstance(value, list) and all(isinstance(item, str) for item in value),
        TEXT_OR_TEXTS: isinstance(value, str)
        or (isinstance(value, list) and all(isinstance(item, str) for item in value)),
        TABLE: isinstance(value, Mapping),
        TABLES: isinstance(value, list) and all(isinstance(item, Mapping) for item in value),
    }[shape]
