"""The data dictionary of a snapshot: ``python -P -m grouper.research.dictionary docs/dictionary.md``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from grouper.base.whole import write_text
from grouper.research.columns import ABOUT, TABLES, Column, declared
from grouper.research.measures import MACROS, MEASURES, VIEWS
from grouper.research.names import fixed_values

_FLAG = re.compile(r"--[a-z-]+")
_UNITS = {
    "yuan": "元", "fen": "分", "days": "天", "years": "岁", "hours": "小时", "grams": "克", "cases": "例",
    "rows": "行", "points": "点", "weight": "权重", "times": "倍", "factor": "系数", "share": "比例",
    "score": "分值", "groups": "组", "yuan/point": "元/点", "points or yuan": "点或元",
    "YYYY": "`YYYY`", "MM": "`MM`", "YYYY-MM": "`YYYY-MM`",
}  # fmt: skip
_TYPES = {
    "VARCHAR": ("文本", "text"), "VARCHAR[]": ("文本列表", "list of texts"), "DATE": ("日期", "date"),
    "INTEGER": ("整数", "integer"), "BIGINT": ("整数", "integer"), "BOOLEAN": ("真假", "boolean"),
    "DOUBLE": ("小数", "float"),
}  # fmt: skip
_HEADS = {
    "zh": ("# 数据字典\n\n[English](../dictionary.md)\n\n"
           "`grouper lake export` 的快照和 `grouper sql` 的全部表与列"
           "（由 `tables/lake/columns.csv` 生成）。每张表总有全部列，"
           "没有值时为空。金额是精确小数。\n",
           ("列", "类型", "单位或取值表", "含义"), "视图与宏", "`measures(key)` 的指标", "固定取值"),
    "en": ("# Data dictionary\n\n[中文](zh/dictionary.md)\n\n"
           "All tables and columns of a snapshot (`grouper lake "
           "export`) and of `grouper sql`, generated from\n`tables/lake/columns.csv`. A table always has all "
           "its columns, empty where there is nothing. Amounts are exact decimals.\n",
           ("column", "type", "unit, or table of its values", "what"), "Views and macros",
           "Measures of `measures(key)`", "Fixed values"),
}  # fmt: skip


def page(lang: str) -> str:
    """The dictionary in one language."""
    return "\n".join(_lines(lang)) + "\n"


def _lines(lang: str) -> Iterator[str]:
    pick = 1 if lang == "en" else 0
    opening, heads, views, measures, values = _HEADS[lang]
    yield opening
    for table in TABLES:
        yield f"## `{table}`\n\n{ABOUT[table][pick]}\n"
        yield from _head(heads)
        for column in declared()[table]:
            yield _row(f"`{column.name}`", _type(column, pick), _unit(column.unit, lang), column[3 + pick])
        yield ""
    yield f"## {views}\n"
    yield from _head(("", ""))
    for name, (_, *about) in VIEWS.items():
        yield _row(f"`{name}`", about[pick])
    for name, (given, _, *about) in MACROS.items():
        yield _row(f"`{name}({given})`", about[pick])
    yield f"\n## {measures}\n"
    yield from _head((heads[0], heads[2], heads[3]))
    for measure in MEASURES:
        yield _row(f"`{measure.name}`", _unit(measure.unit, lang), measure.en if pick else measure.zh)
    yield f"\n## {values}\n"
    yield from _head((heads[0], "", heads[3]))
    for row in fixed_values():
        yield _row(
            f"`{row['column_name']}`",
            f"`{row['value']}`",
            _FLAG.sub(r"`\g<0>`", row["name_en" if pick else "name_zh"]),
        )


def _head(names: tuple[str, ...]) -> Iterator[str]:
    yield _row(*names)
    yield "|" + "---|" * len(names)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _type(column: Column, pick: int) -> str:
    if column.type.startswith("DECIMAL"):
        return f"{('小数', 'decimal')[pick]} `{column.type[7:]}`"
    return _TYPES[column.type][pick]


def _unit(unit: str, lang: str) -> str:
    if unit in TABLES:
        return f"`{unit}`"
    return _UNITS.get(unit, unit) if lang == "zh" else unit


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        write_text(path, page("zh" if path.parent.name == "zh" else "en"))


if __name__ == "__main__":
    main()
