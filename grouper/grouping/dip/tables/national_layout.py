"""The sheets of the national DIP 3.0 workbook: their names, their headers, and what is expected in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from grouper.grouping.tables.sheets import Notes, Row, Sheet, column_letters, plain_name

DX = ("主要诊断编码", "主要诊断")
MAIN = ("主要手术操作编码", "主要手术操作", "手术操作编码", "手术操作")
RELATED = ("相关手术操作编码", "相关手术操作")
OTHER = ("其他诊断编码", "其他诊断")
SEQ = ("序号",)
_CODES = {"code": ("编码",), "name": ("名称",)}


@dataclass(frozen=True)
class Part:
    """One sheet. ``words``: what its name must hold; ``without``: what it must not.

    ``headers`` by our column, the first one as it is printed; ``needed`` must be there. ``filled``: columns
    whose empty cells mean the cell above (merged cells).
    """

    key: str
    title: str
    words: tuple[str, ...]
    headers: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    without: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()

    def is_sheet(self, name: str) -> bool:
        """Whether a sheet of that name is this part."""
        plain = plain_name(name)
        return all(word in plain for word in self.words) and not any(word in plain for word in self.without)


_PACKETS = {"seq": SEQ, "dx": DX, "procedures": MAIN, "related": RELATED}
PRE, MERGED, BURN, TUMOUR, TB = "pre_group", "merge", "burn", "tumour", "tuberculosis"
RESISTANT, BASIC, OUT_DX, OUT_OP, CARE = "resistant", "basic", "excluded_dx", "excluded_op", "primary_care"
PARTS: tuple[Part, ...] = (
    Part(
        PRE, "一、先期分组", ("先期分组",),
        {"seq": SEQ, "name": ("分组名称",), "dx": DX, "procedures": MAIN, "note": ("说明",),
         "age": ("天龄",), "weight": ("出生体重",)},
        ("seq", "name"),
    ),
    Part(MERGED, "二、并项规则下的核心病种", ("并项规则",), _PACKETS, ("seq", "dx", "procedures", "related"),
         filled=("dx",)),
    Part(BURN, "三、诊断辅助细分-烧伤类病种", ("烧伤",), {**_PACKETS, "other": OTHER},
         ("seq", "dx", "other", "procedures"), filled=("dx", "other")),
    Part(TUMOUR, "三、诊断辅助细分-肿瘤类病种", ("肿瘤",), {**_PACKETS, "other": OTHER},
         ("seq", "dx", "other", "procedures"), filled=("dx", "other")),
    Part(TB, "三、诊断辅助细分-结核类病种", ("结核",),
         {**_PACKETS, "resistant": ("是否耐药",), "note": ("是否耐药说明",)},
         ("seq", "dx", "procedures", "resistant"), without=("耐药",), filled=("dx",)),
    Part(RESISTANT, "附表—结核耐药诊断", ("结核", "耐药"), _CODES, ("code",)),
    Part(BASIC, "四、基础规则下的核心病种", ("基础规则",), _PACKETS, ("seq", "dx", "procedures"),
         filled=("dx",)),
    Part(OUT_DX, "五、不纳入分组的主要诊断", ("不纳入分组", "诊断"), _CODES, ("code",)),
    Part(OUT_OP, "五、不纳入分组的主要手术操作", ("不纳入分组", "手术操作"), {**_CODES, "note": ("说明",)},
         ("code", "note")),
    Part(CARE, "六、基层病种", ("基层病种",), {"seq": SEQ, "dx": DX, "procedures": MAIN},
         ("seq", "dx", "procedures")),
)  # fmt: skip


def is_national(book: Mapping[str, Sheet]) -> bool:
    """Whether a book looks like the national workbook: pre-groups and merge rules have sheets, or half of
    all parts do, so that a missing one is named."""
    there = [any(part.is_sheet(name) for name in book) for part in PARTS]
    return all(there[:2]) or 2 * sum(there) >= len(PARTS)


@dataclass
class Lines:
    """The rows of one sheet under its headers; a later header row (newborns) replaces the columns."""

    file: str
    sheet: Sheet
    part: Part
    notes: Notes
    headers: dict[str, int]

    def rows(self) -> Iterator[Row]:
        """The rows below the first header, merged cells filled."""
        above: dict[str, str] = {}
        begun = False
        for number, cells in enumerate(self.sheet.rows, start=1):
            places = places_of(cells, self.part)
            if "seq" in places or ("code" in places and not begun):
                self.headers, begun = places, True
                continue
            if not begun or not any(cells):
                continue
            found = {key: cells[at].strip() for key, at in self.headers.items() if at < len(cells)}
            for key in self.part.filled:
                found[key] = above[key] = found.get(key) or above.get(key, "")
            row = Row(number, found)
            if row["seq"] or row["code"] or "seq" not in self.part.headers:
                yield row

    def error(self, number: int, key: str, zh: str, en: str) -> None:
        """An error with file, sheet, cell and the header of the column."""
        header = self.part.headers[key][0]
        at = self.headers.get(key)
        cell = f"{column_letters(at)}{number}" if at is not None else str(number)
        place = f"{self.file} {self.sheet.name}!{cell}"
        self.notes.error("cell", place, f"“{header}”列：{zh}", f"column {header}: {en}")


def places_of(cells: Sequence[str], part: Part) -> dict[str, int]:
    """Which column of a part stands where, if a row is a header: at least two are there."""
    at: dict[str, int] = {}
    for index, cell in enumerate(cells):
        at.setdefault(plain_name(cell), index)
    found = {}
    for key, headers in part.headers.items():
        place = next((at[name] for header in headers if (name := plain_name(header)) in at), None)
        if place is not None:
            found[key] = place
    return found if len(found) > 1 else {}


def open_part(file: str, book: Mapping[str, Sheet], part: Part, notes: Notes) -> Lines | None:
    """The rows of a part, or None and an error that names the sheet and what was expected."""
    columns = "、".join(part.headers[key][0] for key in part.needed)
    name = next((name for name in book if part.is_sheet(name)), None)
    if name is None:
        few = "、".join(book)
        notes.error("sheet", file, f"缺少工作表“{part.title}”（应含列：{columns}）；现有：{few}",
                    f"the sheet {part.title!r} is missing (columns {columns}); there are {few}")  # fmt: skip
        return None
    sheet = book[name]
    headers = next((places for row in sheet.rows if (places := places_of(row, part))), {})
    missing = [part.headers[key][0] for key in part.needed if key not in headers]
    if missing:
        few = "、".join(missing)
        notes.error("header", f"{file} {name}", f"工作表“{name}”缺少列：{few}（应含：{columns}）",
                    f"the sheet {name!r} lacks the columns {few} (expected: {columns})")  # fmt: skip
        return None
    return Lines(file, replace(sheet, name=name), part, notes, dict(headers))
