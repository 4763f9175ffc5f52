"""Read a DIP catalogue from a spreadsheet (docs/tables.md).

Every broken cell gives one error with file, sheet, row and column; a sheet with errors gives no
catalogue. What is read otherwise than it is printed (commas as "+", a treatment taken from the
code) is said once, with its number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grouper.base.errors import TableError, UsageError
from grouper.base.findings import Finding, has_errors
from grouper.base.tables_out import csv_text
from grouper.base.toml_out import toml_text
from grouper.grouping.dip.options import CHOICES, DEFAULTS, DipOptions, options_from
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.cells import Reader, Reading
from grouper.grouping.dip.tables.layout import (
    COLUMNS,
    OPTION_COLUMNS,
    OPTIONS_SHEET,
    SHEET,
    SheetMap,
    catalogue_sheets,
)
from grouper.grouping.dip.tables.packets import Row
from grouper.grouping.tables.sheets import Column, Notes, Sheet, Table, find_table, plain_name, read_book

ALWAYS = ("code", "kind", "dx", "procedures", "related", "treatment", "score", "name")


@dataclass
class Imported:
    """The texts of the folder (None when there are errors), and what is to be said of the source."""

    files: dict[str, str] | None
    findings: list[Finding]


@dataclass
class _Seen:
    """Codes and packets of the rows so far with the numbers of their rows, 0 for those of the base."""

    codes: dict[str, int] = field(default_factory=dict)
    packets: dict[tuple[bool, str], tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    classes: dict[tuple[bool, str, str], int] = field(default_factory=dict)


def import_catalogue(
    path: Path,
    meta: Mapping[str, Any],
    *,
    sheet: str | None = None,
    columns: SheetMap | None = None,
    options: Mapping[str, Any] | None = None,
    base: Catalogue | None = None,
    round_numbers: bool = False,
) -> Imported:
    """The catalogue of a workbook, of a folder of CSV files or of one CSV file.

    ``meta`` gives id, name and area (keys of ``scheme.toml``). ``options`` go before those of the sheet
    选项. With ``base`` the rows are added to it. ``round_numbers`` allows scores and costs of more than
    six decimals. Raises UsageError when the path cannot be read, or holds several catalogues and
    ``sheet`` names none.
    """
    book = read_book(path)
    notes = Notes(str(meta["id"]))
    chosen = columns or SheetMap()
    name = _sheet(path, book, sheet, chosen)
    given = _options(path, book, options or {}, base, notes)
    table = _table(path, book[name], chosen.layout(), notes)
    if table is None or given is None:
        return Imported(None, notes.findings)
    values, effective = given
    reader = Reader(path.name, table, notes, chosen, effective, round_numbers)
    rows = _rows(reader, base)
    _passed_over(book, name, table, notes)
    if not rows and not has_errors(notes.findings):
        notes.error("empty", f"{path.name} {name}", "没有条目", "there are no entries")
    if has_errors(notes.findings):
        return Imported(None, notes.findings)
    full = {**meta, "options": values, "counts": counts(rows)}
    return Imported({"scheme.toml": toml_text(full), "catalogue.csv": catalogue_text(rows)}, notes.findings)


def counts(rows: Sequence[Reading]) -> dict[str, int]:
    """Sizes, as they stand under ``[counts]``."""
    kinds = Counter(row["kind"] for row in rows)
    packets = {
        (row["kind"] == "primary_care", row["packet"].upper()) for row in rows if row["kind"] != "mixed"
    }
    variants = sum(bool(row["aux"]) for row in rows)
    return {
        "rows": len(rows),
        **dict(sorted(kinds.items())),
        "packets": len(packets),
        "variant_rows": variants,
    }


def catalogue_text(rows: Sequence[Reading]) -> str:
    """catalogue.csv: the columns that are always there, and those that some row uses."""
    names = [c.key for c in COLUMNS if c.key in ALWAYS or any(row.get(c.key) for row in rows)]
    return csv_text(names, ([row.get(name, "") for name in names] for row in rows))


# --- sheets -------------------------------------------------------------------------------------


def _sheet(path: Path, book: Mapping[str, Sheet], wanted: str | None, columns: SheetMap) -> str:
    """The sheet that holds the catalogue."""
    if wanted is not None:
        if wanted in book:
            return wanted
        raise UsageError(
            zh=f"{path} 没有工作表“{wanted}”，有：{'、'.join(book)}",
            en=f"{path} has no sheet {wanted!r}; there are {', '.join(book)}",
        )
    fitting = catalogue_sheets(book, columns.layout()) or [n for n in book if not _holds_options(n)]
    if SHEET in fitting:
        return SHEET
    if len(fitting) != 1:
        raise UsageError(
            zh=f"{path} 有多个可能的工作表：{'、'.join(fitting)}；请用 --sheet 指定",
            en=f"{path} has several sheets to choose from: {', '.join(fitting)}; name one with --sheet",
        )
    return fitting[0]


def _holds_options(name: str) -> bool:
    return plain_name(name) in map(plain_name, OPTIONS_SHEET)


def _table(path: Path, sheet: Sheet, columns: Sequence[Column], notes: Notes) -> Table | None:
    """The table of a sheet; an error that names the file too when there is none."""
    found = Notes(notes.scheme)
    table = find_table(sheet, columns, found)
    notes.findings += [replace(finding, place=f"{path.name} {finding.place}") for finding in found.findings]
    return table


def _passed_over(book: Mapping[str, Sheet], name: str, table: Table, notes: Notes) -> None:
    """Say which sheets and columns were not read."""
    others = [other for other in book if other != name and not _holds_options(other)]
    if others:
        few = ", ".join(others)
        notes.info("unread", name, f"未读取的工作表：{few}", f"sheets that were not read: {few}", others)
    places = set(table.places.values())
    header = table.sheet.rows[table.header]
    left = [cell for index, cell in enumerate(header) if cell and index not in places]
    if left:
        few = ", ".join(left)
        notes.info("unread", name, f"未读取的列：{few}", f"columns that were not read: {few}", left)


def _options(
    path: Path, book: Mapping[str, Sheet], given: Mapping[str, Any], base: Catalogue | None, notes: Notes
) -> tuple[dict[str, Any], DipOptions] | None:
    """The options to write, and those in effect; None when there is an error."""
    under = base.options if base else DEFAULTS
    sheet = next((book[name] for name in book if _holds_options(name)), None)
    values: dict[str, Any] = {}
    if sheet is not None:
        table = _table(path, sheet, OPTION_COLUMNS, notes)
        if table is None:
            return None
        for row in table.rows():
            try:
                values |= _option(row["name"], row["value"])
            except TableError as error:
                place = f"{path.name} {table.address(row.number, 'value')}"
                notes.error("option", place, error.zh, error.en)
    elif not given:
        what = f"those of {base.id}" if base else "the defaults"
        notes.info(
            "options",
            path.name,
            f"没有选项表和 --options，采用{f' {base.id} 的选项' if base else '默认选项'}",
            f"there is no sheet of options and no --options: {what}",
        )
    effective = options_from({**values, **given}, "--options", under)
    written = replace(effective, alternatives="/")  # the sign in catalogue.csv; ``effective`` has the sheet's
    kept = {name: value for name, value in written.as_dict().items() if value != under.as_dict()[name]}
    return kept, effective


def _option(name: str, text: str) -> dict[str, Any]:
    """One option from its cell, checked. Raises TableError."""
    kind = CHOICES.get(name)
    lists = isinstance(DEFAULTS.as_dict().get(name), list)
    value: Any = text
    if lists:
        value = text.replace(",", " ").replace("，", " ").split()
    elif kind is bool:
        value = {"true": True, "是": True, "false": False, "否": False}.get(text.lower(), text)
    elif kind is int and text.isdecimal():
        value = int(text)
    options_from({name: value}, "选项" if name else "")
    return {name: value}


# --- rows ---------------------------------------------------------------------------------------


def _rows(reader: Reader, base: Catalogue | None) -> list[Reading]:
    """The rows that are sound; errors for the others, and for rows that contradict earlier ones."""
    seen = _Seen()
    for old in base.rows if base else ():
        _first(seen, _as_reading(old), 0)
    rows = []
    for row in reader.table.rows():
        reading = reader.row(row)
        if reading is None or not _first(seen, reading, row.number, reader):
            continue
        rows.append(reading)
    reader.summary()
    return rows


def _as_reading(row: Row) -> Reading:
    aux = f"{row.aux[0]}:{row.aux[1]}" if row.aux else ""
    return {"code": row.code, "kind": row.kind, "dx": row.dx, "procedures": row.procedures,
            "related": row.related, "aux": aux, "packet": row.packet}  # fmt: skip


def _first(seen: _Seen, row: Reading, number: int, reader: Reader | None = None) -> bool:
    """Remember a row; an error when its code, or its packet with the same class, was there before."""

    def clash(kind: str, column: str, at: int, zh: str, en: str) -> bool:
        assert reader is not None
        where_zh, where_en = (f"第 {at} 行", f"row {at}") if at else ("基础目录", "the base")
        reader.error(number, column, kind, zh.format(where_zh), en.format(where_en))
        return False

    code = row["code"].upper()
    if code in seen.codes:
        zh, en = f"编码 {row['code']} 与{{}}重复", f"code {row['code']} repeats {{}}"
        return clash("duplicate", "code", seen.codes[code], zh, en)
    seen.codes[code] = number
    if not row["dx"]:
        return True
    packet = (row["kind"] == "primary_care", row["packet"].upper())
    asks = tuple(row[name].upper() for name in ("dx", "procedures", "related"))
    at, before = seen.packets.setdefault(packet, (number, asks))
    if before != asks:
        zh, en = (
            f"病种组合 {row['packet']} 的要求与{{}}不同",
            f"packet {row['packet']} asks otherwise than {{}}",
        )
        return clash("packet", "packet", at, zh, en)
    at = seen.classes.setdefault((*packet, row["aux"]), number)
    if at != number:
        zh = f"病种组合 {row['packet']}（辅助分型“{row['aux']}”）与{{}}重复"
        en = f"packet {row['packet']} with class {row['aux'] or 'none'} repeats {{}}"
        return clash("packet", "aux" if row["aux"] else "code", at, zh, en)
    return True
