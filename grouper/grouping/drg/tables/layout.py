"""The layout of a scheme workbook, that of the official CHS-DRG 3.0 workbook, and the export to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from grouper.grouping.drg.conditions import parse, to_workbook
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.tables.sheets import Book, Column, plain_name

SORT = Column("sort", ("排序", "序号", "顺序", "sort", "order", "no"), required=False)
VARIANT = Column("variant", ("变体", "variant"), required=False)
RULE = Column("rule", ("规则", "入组规则", "分组规则", "入组条件", "条件", "rule", "condition"))
MDC = Column("mdc", ("MDC", "MDC编码", "MDC代码", "主要诊断大类", "主要诊断大类编码"))
ADRG = Column("adrg", ("ADRG", "ADRG编码", "ADRG代码", "核心组编码"))


def _code(*headers: str) -> Column:
    return Column("code", (*headers, "编码", "代码", "code"))


def _name(*headers: str) -> Column:
    return Column("name", ("名称", *headers, "name"))


SET = Column("set", ("集合名", "集合", "集合名称", "集合编码", "set", "set name", "list"))
TABLE = Column(
    "table",
    ("排除表", "排除集合", "排除表号", "排除", "table", "exclusion", "exclusion table", "exclusion set"),
)
LEVEL = Column("level", ("级别", "类型", "CC/MCC", "level", "type"))

# sheet -> (its names, the first is written; its columns, in the order in which they are written)
SHEETS: dict[str, tuple[tuple[str, ...], tuple[Column, ...]]] = {
    "mdc": (("MDC", "主要诊断大类"), (SORT, _code("MDC编码", "MDC代码", "MDC"), _name("MDC名称"), RULE)),
    "adrg": (
        ("ADRG", "核心疾病诊断相关组"),
        (SORT, MDC, _code("ADRG编码", "ADRG代码", "ADRG"), _name("ADRG名称"), RULE, VARIANT),
    ),
    "drg": (
        ("DRG", "DRG细分组", "疾病诊断相关组"),
        (SORT, ADRG, _code("DRG编码", "DRG代码", "DRG"), _name("DRG名称"), RULE, VARIANT),
    ),
    "sets": (
        ("集合", "编码集合", "sets", "lists"),
        (SET, _code("诊断/手术编码", "ICD编码"), Column("name", ("名称", "name"), required=False)),
    ),
    "complications": (
        ("CC_MCC", "CC/MCC", "MCC/CC", "合并症并发症", "complications"),
        (_code("诊断编码", "ICD编码"), LEVEL, TABLE),
    ),
    "exclusions": (
        ("排除", "排除表", "CC排除表", "exclusions"),
        (TABLE, _code("主要诊断编码", "诊断编码", "ICD编码", "principal dx code")),
    ),
    "options": (
        ("选项", "options"),
        (Column("name", ("选项", "名称", "option", "name")), Column("value", ("取值", "值", "value"))),
    ),
}


def is_workbook(names: Iterable[str]) -> bool:
    """Whether sheet names look like those of a scheme workbook."""
    known = {plain_name(name) for key in ("mdc", "adrg", "drg") for name in SHEETS[key][0]}
    return len(known & {plain_name(name) for name in names}) >= 2


def export_book(scheme: Scheme, names: Mapping[str, str]) -> Book:
    """The sheets of a workbook that :func:`import_workbook` reads back without loss.

    ``names`` maps codes to their names, which stand beside the codes of the sets.
    """
    cells: dict[str, list[list[str]]] = {
        "mdc": [[str(n), m.mdc, m.name, _export_rule(m.entry)] for n, m in enumerate(scheme.mdcs, start=1)],
        "adrg": [
            [str(n), a.mdc, a.adrg, a.name, _export_rule(a.condition), a.variant]
            for n, a in enumerate(scheme.adrgs, start=1)
        ],
        "drg": [
            [str(n), a.adrg, d.drg, d.name, _export_rule(d.condition), a.variant]
            for n, (a, d) in enumerate(scheme.groups(), start=1)
        ],
        "sets": [[s, c, names.get(c, "")] for s, codes in scheme.lists.items() for c in sorted(codes)],
        "complications": [
            [code, level, table]
            for code, (levels, table) in sorted(scheme.complications.items())
            for level in sorted(levels, reverse=True)
        ],
        "exclusions": [[t, code] for t, codes in scheme.exclusions.items() for code in sorted(codes)],
        "options": [[k, str(v).lower()] for k, v in scheme.meta.get("options", {}).items()],
    }
    return {
        titles[0]: [[column.headers[0] for column in columns], *cells[key]]
        for key, (titles, columns) in SHEETS.items()
    }


def _export_rule(text: str) -> str:
    return to_workbook(parse(text))
