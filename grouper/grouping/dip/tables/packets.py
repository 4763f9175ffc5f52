"""The entries of a DIP catalogue as data, and how the cells of its files are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

from grouper.base.errors import TableError
from grouper.base.exact import decimal_of, fits
from grouper.base.tables_in import Table, read_table

Term = tuple[str, ...]  # alternatives, each a code in its official letter case
KINDS = ("core", "local_core", "primary_care", "mixed")
STEPS = ("pre_group", "merge", "diagnosis_split", "basic")  # rules of a chain; also kinds of rows
AUX_TYPES = ("severity", "tumour", "cci", "age", "icu")  # in the order that settles equal scores
AUX_LEVELS = {"severity": 6, "tumour": 9, "cci": 4, "age": 6, "icu": 4}
_CODE = re.compile(r"[0-9A-Za-z.]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a catalogue. ``score`` has up to six decimals, None where the catalogue prints none;
    ``treatment`` is a class or -1.

    ``procedures`` and ``related`` are kept in one notation, whatever sign the file has for "or".
    """

    code: str
    name: str
    kind: str
    dx: str
    procedures: str
    related: str
    treatment: int
    score: Decimal | None
    average_cost: Decimal | None
    aux: tuple[str, int] | None
    packet: str

    @property
    def order(self) -> str:
        """What code order compares."""
        return self.code.upper()


@dataclass(frozen=True)
class Packet:
    """All rows with one diagnosis key and one requirement: a plain row, variants by class, or both."""

    label: str
    rows: tuple[Row, ...]
    main: tuple[Term, ...]
    related: tuple[Term, ...]

    @property
    def key(self) -> str:
        return self.rows[0].dx

    @property
    def primary_care(self) -> bool:
        return self.rows[0].kind == "primary_care"

    @property
    def treatment(self) -> int:
        return self.rows[0].treatment

    @property
    def plain(self) -> Row | None:
        return next((row for row in self.rows if row.aux is None), None)

    @property
    def variants(self) -> dict[str, dict[int, Row]]:
        """Rows by auxiliary type and level."""
        found: dict[str, dict[int, Row]] = {}
        for row in self.rows:
            if row.aux:
                found.setdefault(row.aux[0], {})[row.aux[1]] = row
        return found

    @property
    def default(self) -> Row:
        """The row without an auxiliary class: the plain one, or the variant with the lowest score."""
        return self.plain or min(self.rows, key=lambda row: (row.score or Decimal(0), row.order))


# --- cells ------------------------------------------------------------------------------------


def sound_terms(text: str) -> bool:
    """Whether a requirement can be read."""
    return not text or all(_CODE.fullmatch(code) for term in text.split("+") for code in term.split("/"))


def terms(text: str) -> tuple[Term, ...]:
    """``a/b+c`` as ((a, b), (c,)): "+" joins what must all be met, "/" alternatives."""
    return tuple(tuple(term.split("/")) for term in text.split("+")) if text else ()


def aux_of(text: str) -> tuple[str, int] | None:
    """``severity:3`` as type and level; None where it is neither."""
    type_, _, level = text.partition(":")
    known = type_ in AUX_LEVELS and level.isdecimal() and int(level) < AUX_LEVELS[type_]
    return (type_, int(level)) if known else None


def score_of(text: str) -> Decimal | None:
    """A number from 0 with at most six decimals, or None."""
    value = decimal_of(text)
    if value is not None and 0 <= value < 10**12 and fits(value, 6):
        return value
    return None


def one_notation(text: str, alternatives: str) -> str:
    """A requirement with ``/`` for "or"; ``alternatives`` is the sign that its file uses.

    With another sign than ``/`` a ``/`` in the text stays and makes it unreadable, as it should.
    """
    if alternatives == "/":
        return text
    return text.replace("/", "//").replace(alternatives, "/")


def broken(path: Path, line: int, column: str, value: str) -> NoReturn:
    """Raise TableError for a cell; an empty ``column`` means the line as a whole."""
    shown = f" {column}" if column else ""
    raise TableError(
        zh=f"{path} 第 {line} 行{'列' if column else ''}{shown}：取值 {value!r} 不可用",
        en=f"{path}, line {line}{', column' if column else ''}{shown}: {value!r} is not valid",
    )


def lines_of(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header of a CSV file, and its further lines with their numbers.

    Raises TableError when the file cannot be read or a line has more or fewer cells than the header.
    """
    table = read_table(path, kind=TableError)
    return list(table.header), iter(table.rows)


def need_columns(path: Path, header: Sequence[str], names: Sequence[str]) -> None:
    """Raise TableError for the first of ``names`` that a file lacks."""
    Table(str(path), tuple(header), [], TableError).need(names)
