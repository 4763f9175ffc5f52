"""The sheet of a DIP catalogue: its columns, the words in its cells, and the export to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grouper.base.errors import TableError, UsageError
from grouper.base.tables_in import read_table
from grouper.base.toml_in import read_toml
from grouper.grouping.dip.options import CLASSES, CLASSES_ZH
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.packets import KINDS, Row
from grouper.grouping.dip.tables.rules import Chain
from grouper.grouping.tables.sheets import Book, Column, Notes, Sheet, find_table

SHEET = "目录"
OPTIONS_SHEET = ("选项", "options")
KIND_ZH = {"core": "国家核心", "local_core": "本地核心", "primary_care": "基层病种", "mixed": "综合病种"}
TREATMENT_SUFFIX = {
    "BSZL": "conservative",
    "ZDXCZ": "diagnostic",
    "ZLXCZ": "therapeutic",
    "SS": "surgical",
}
AUX_SUFFIX = {"dis": "severity", "tum": "tumour", "cci": "cci", "age": "age", "care_unit_time": "icu"}

KIND_WORDS = {
    **{kind: kind for kind in KINDS},
    **{word: kind for kind, word in KIND_ZH.items()},
    **dict.fromkeys(("核心", "核心病种", "国家核心病种"), "core"),
    **dict.fromkeys(("本地核心病种", "地方核心", "地方核心病种"), "local_core"),
    **dict.fromkeys(("基层", "基层核心病种"), "primary_care"),
    "综合": "mixed",
}
TREATMENT_WORDS = {
    **{word: word for word in CLASSES},
    **dict(zip(CLASSES_ZH, CLASSES, strict=True)),
    **TREATMENT_SUFFIX,
    "保守": "conservative",
    "手术治疗": "surgical",
}


def _column(key: str, *headers: str, required: bool = False) -> Column:
    return Column(key, (*headers, key), required)


# The headers of the sheets of Tai'an and Pingdingshan are among them; the first one is exported.
CODE = _column(
    "code", "病种编码", "DIP编码", "DIP代码", "病种代码", "DIP病种编码", "病种组合编码", "DIP_CODE",
    "THIRD_DIP_CODE", required=True,
)  # fmt: skip
SCORE = _column("score", "病种分值", "分值", "DIP分值", "基准分值", "WEIGHT_SCORE", "WEIGHT", required=True)
COLUMNS: tuple[Column, ...] = (
    CODE,
    _column("name", "病种名称", "DIP名称", "病种组合名称", "DIP病种名称", "DIP_NAME"),
    _column("kind", "病种类型", "病种类别", "病种属性", "DIP_TYPE", "类型", "类别"),
    _column("dx", "主要诊断编码", "诊断编码", "主诊断编码", "主要诊断代码", "诊断代码", "MAIN_DIAG_CODE",
            "DIAG_CODE"),
    _column("procedures", "主要手术操作编码", "手术操作编码", "主要手术编码", "主要手术操作代码",
            "手术操作代码"),
    _column("related", "相关手术操作编码", "其他手术操作编码", "相关手术编码", "相关手术操作代码",
            "related_procedures"),
    _column("treatment", "治疗方式", "治疗类别", "诊疗方式"),
    _column("aux", "辅助分型", "辅助目录分型"),
    SCORE,
    _column("average_cost", "次均费用", "平均费用", "例均费用", "DIP_AVG_FEE", "THIRD_DIP_COST"),
    _column("packet", "病种组合"),
    _column("cv", "变异系数"),
    _column("cases", "病例数", "例数", "case_count"),
    _column("average_los", "平均住院日", "平均住院天数", "AVG_IPT_DAYS"),
    _column("drug_score", "药品分值"),
    _column("consumable_score", "耗材分值"),
    _column("source_code", "原编码"),
    _column("note", "备注", "REMARK"),
)  # fmt: skip
READER_COLUMNS = ("cv", "cases", "average_los", "drug_score", "consumable_score", "source_code", "note")
# Names of which a missing name is composed; they are not kept.
PARTS = (
    _column("dx_name", "诊断名称", "主要诊断名称"),
    _column("procedure_name", "主要手术操作名称", "手术操作名称", "主要手术名称"),
    _column("related_name", "相关手术操作名称", "其他手术操作名称", "相关手术名称"),
)
OPTION_COLUMNS = (
    Column("name", ("选项", "名称", "option", "name")),
    Column("value", ("取值", "值", "value")),
)


# --- column maps --------------------------------------------------------------------------------


@dataclass(frozen=True)
class SheetMap:
    """What ``--columns`` says: headers by our column, and what words mean in two of the columns."""

    columns: Mapping[str, str] = field(default_factory=dict)
    kind: Mapping[str, str] = field(default_factory=dict)
    treatment: Mapping[str, str] = field(default_factory=dict)

    def layout(self) -> tuple[Column, ...]:
        """The columns to look for: a header that the map names must be there."""
        return tuple(
            Column(c.key, (self.columns[c.key],)) if c.key in self.columns else c for c in (*COLUMNS, *PARTS)
        )


def load_sheet_map(path: Path) -> SheetMap:
    """Read a map: ``[columns]`` (code = "DIP_CODE"), ``[kind]`` and ``[treatment]`` ("0" = "mixed").

    Raises UsageError that names the key at fault.
    """
    document = read_toml(path, flag="--column-map")
    known = [column.key for column in (*COLUMNS, *PARTS)]
    for key, allowed, values in (
        ("columns", known, None),
        ("kind", None, KINDS),
        ("treatment", None, CLASSES),
    ):
        section = document.pop(key, {})
        if not isinstance(section, dict):
            raise _bad_map(path, key, "应为小节", "must be a table")
        for name, value in section.items():
            if allowed and name not in allowed:
                raise _bad_map(path, f"{key}.{name}", f"可用的列：{'、'.join(allowed)}",
                               f"the columns are {', '.join(allowed)}")  # fmt: skip
            if not isinstance(value, str) or (values and value not in values):
                takes = ", ".join(values or ["a header"])
                raise _bad_map(path, f"{key}.{name}", f"取值应为 {takes}", f"the value must be {takes}")
        document[f"_{key}"] = section
    for key in document:
        if not key.startswith("_"):
            raise _bad_map(path, key, "未知的键", "unknown key")
    return SheetMap(document["_columns"], document["_kind"], document["_treatment"])


def _bad_map(path: Path, key: str, zh: str, en: str) -> UsageError:
    return UsageError(zh=f"列映射 {path}，{key}：{zh}", en=f"column map {path}, {key}: {en}")


# --- sheets -------------------------------------------------------------------------------------


def is_catalogue(book: Mapping[str, Sheet]) -> bool:
    """Whether some sheet has the headers of codes and scores of DIP; a plain ``code`` may be a DRG list."""
    return bool(catalogue_sheets(book, (Column(CODE.key, CODE.headers[:-1]), SCORE)))


def catalogue_sheets(book: Mapping[str, Sheet], layout: Sequence[Column]) -> list[str]:
    """The names of the sheets that have at least the required columns of a catalogue."""
    return [name for name, sheet in book.items() if find_table(sheet, layout, Notes("")) is not None]


def export_catalogue(catalogue: Catalogue, folders: Sequence[Path]) -> Book:
    """The sheets of a workbook that :func:`workbook.import_catalogue` reads back without loss.

    ``folders`` of the catalogue and its bases give the columns for readers (cv, cases, notes …).
    Raises UsageError for a catalogue with a chain of rules or a list of primary-care packets, which a
    sheet cannot hold.
    """
    base = catalogue.meta.get("base")
    if catalogue.chain != Chain() and base:
        raise UsageError(
            zh=f"{catalogue.id} 的病种和规则属于 {base}，导出工作表请用 grouper tables export {base}；"
            "其本地分值和综合病种叠加在上面，国家样式的工作表没有分值列，"
            f"请直接复制方案目录 {folders[0]}",
            en=f"packets and rules of {catalogue.id} are those of {base}: grouper tables export {base} gives "
            "them; its own scores and mixed groups lie on top, and the national sheets have no column for "
            f"scores: copy the folder {folders[0]}",
        )
    if catalogue.chain != Chain() or catalogue.primary_care is not None:
        raise UsageError(
            zh=f"{catalogue.id} 含规则链或基层病种名单，工作表无法表示；请直接复制方案目录 {folders[0]}",
            en=f"{catalogue.id} has a chain of rules or a list of primary-care packets, which a sheet cannot "
            f"hold: copy the folder {folders[0]} instead",
        )
    readers = _for_readers(folders)
    cells = [_cells(row) | readers.get(row.order, {}) for row in catalogue.rows]
    used = [column for column in COLUMNS if column.required or any(row.get(column.key) for row in cells)]
    rows = [[row.get(column.key, "") for column in used] for row in cells]
    chosen = catalogue.options.as_dict() | {"alternatives": "/"}  # the sign that the cells use
    options = [[name, _option_text(value)] for name, value in chosen.items()]
    return {
        SHEET: [[column.headers[0] for column in used], *rows],
        OPTIONS_SHEET[0]: [[column.headers[0] for column in OPTION_COLUMNS], *options],
    }


def _cells(row: Row) -> dict[str, str]:
    return {
        "code": row.code,
        "name": row.name,
        "kind": KIND_ZH.get(row.kind, row.kind),
        "dx": row.dx,
        "procedures": row.procedures,
        "related": row.related,
        "treatment": CLASSES_ZH[row.treatment] if row.treatment >= 0 else "",
        "aux": f"{row.aux[0]}:{row.aux[1]}" if row.aux else "",
        "score": "" if row.score is None else format(row.score, "f"),
        "average_cost": "" if row.average_cost is None else format(row.average_cost, "f"),
        "packet": row.packet,
    }


def _for_readers(folders: Sequence[Path]) -> dict[str, dict[str, str]]:
    """By code in capitals: the cells that grouping does not read."""
    found: dict[str, dict[str, str]] = {}
    for path in (folder / name for folder in folders for name in ("catalogue.csv", "extra_groups.csv")):
        if not path.is_file():
            continue
        for row in read_table(path, kind=TableError):
            known = {name: row.text(name) for name in READER_COLUMNS}
            known["cases"] = known["cases"] or row.text("case_count")
            found[(row.text("code") or row.text("dip_code")).upper()] = known
    return found


def _option_text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
