"""The auxiliary catalogue as dated coefficients: a step of its own, behind grouping.

A table has one row per packet, class and time: ``dip_code, aux_type, level, coefficient, valid_from,
valid_to`` (both days included, empty for open ends). Of the classes that apply only the highest
coefficient counts, and no class stands in for another. Final score = score × coefficient, × 1 where
none applies. The tables are local; none is shipped.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from grouper.codes import BLANK
from grouper.dip import auxiliary
from grouper.dip.auxiliary import AuxCase
from grouper.dip.catalogue import AUX_LEVELS, AUX_TYPES
from grouper.dip.engine import DipEngine
from grouper.dip.reference import NUMBERS
from grouper.errors import TableError

COLUMNS = ("dip_code", "aux_type", "level", "coefficient", "valid_from", "valid_to")
ONE = Decimal(1)
COEFFICIENT = pa.decimal128(9, 6)
FINAL_SCORE = pa.decimal128(18, 6)
_MICRO = Decimal("0.000001")


@dataclass(frozen=True)
class Coefficient:
    """One row of a table."""

    level: int
    value: Decimal
    valid_from: date
    valid_to: date


class Applied(NamedTuple):
    """The coefficient of a case, and the class that it comes from (``severity:3``, "" for none)."""

    value: Decimal
    auxiliary: str


class Coefficients:
    """Coefficients by packet and auxiliary type."""

    def __init__(self, rows: Mapping[tuple[str, str], Sequence[Coefficient]]) -> None:
        self._rows = rows
        self.packets = frozenset(code for code, _ in rows)

    @classmethod
    def read(cls, path: Path) -> Coefficients:
        """Read a table. Raises TableError naming line and column, or two rows for the same day."""
        rows: dict[tuple[str, str], list[Coefficient]] = {}
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                if tuple(reader.fieldnames or ()) != COLUMNS:
                    columns = ",".join(COLUMNS)
                    raise TableError(
                        zh=f"{path} 的表头应为 {columns}", en=f"{path} must have columns {columns}"
                    )
                for cells in reader:
                    row = _row(cells, path, reader.line_num)
                    others = rows.setdefault((cells["dip_code"], cells["aux_type"]), [])
                    if any(_overlap(row, other) for other in others):
                        raise TableError(
                            zh=f"{path} 第 {reader.line_num} 行：与前面的行时间重叠",
                            en=f"{path}, line {reader.line_num}: overlaps an earlier row in time",
                        )
                    others.append(row)
        except (OSError, UnicodeDecodeError) as error:
            raise TableError(zh=f"无法读取 {path}：{error}", en=f"cannot read {path}: {error}") from error
        return cls(rows)

    def of(self, dip_code: str, levels: Mapping[str, Sequence[int]], when: date) -> Applied:
        """The highest coefficient that applies to a packet, the classes of a case and a day."""
        best = Applied(ONE, "")
        for type_ in AUX_TYPES:
            rows = self._rows.get((dip_code, type_), ())
            values = {row.level: row.value for row in rows if row.valid_from <= when <= row.valid_to}
            level = next((level for level in levels[type_] if level in values), None)
            if level is not None and (not best.auxiliary or values[level] > best.value):
                best = Applied(values[level], f"{type_}:{level}")
        return best


def final_scores(
    engine: DipEngine,
    table: Coefficients,
    batch: pa.RecordBatch,
    dip_code: Sequence[str | None],
    score: Sequence[Decimal | None],
    when: Sequence[date | None],
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Coefficient, final score and class of each row of a grouped batch of canonical columns.

    A row without score, or without day where its packet has coefficients, has null in all three.
    """
    found: list[tuple[Decimal | None, Decimal | None, str | None]] = []
    for row, (code, points, day) in enumerate(zip(dip_code, score, when, strict=True)):
        if code is None or points is None or (code in table.packets and day is None):
            found.append((None, None, None))
        elif day is None or code not in table.packets:
            found.append((ONE, points, ""))
        else:
            value, class_ = table.of(code, _levels(engine, batch, row), day)
            found.append((value, (points * value).quantize(_MICRO, ROUND_HALF_UP), class_))
    columns = list(zip(*found, strict=True)) or [(), (), ()]
    return (
        pa.array(columns[0], COEFFICIENT),
        pa.array(columns[1], FINAL_SCORE),
        pa.array(columns[2], pa.string()),
    )


def _levels(engine: DipEngine, batch: pa.RecordBatch, row: int) -> dict[str, tuple[int, ...]]:
    names = set(batch.schema.names)

    def value(name: str) -> Any:
        return batch.column(name)[row].as_py() if name in names else None

    def codes(name: str) -> list[str]:
        book = engine.diagnoses if name == "diagnoses" else engine.procedures
        found = [book.resolve(text or "") for text in value(name) or []]
        return [r.code.upper() for place, r in enumerate(found) if r.id != BLANK or not place]

    numbers = {name: float(value(name)) for name in NUMBERS if value(name) is not None}
    reference = engine.compiled.reference
    diagnoses = codes("diagnoses")
    procedures = [code for code in codes("procedures") if not reference.is_dropped(code)]
    short = engine.scheme.options.severity_min_stay
    return auxiliary.levels(AuxCase(diagnoses[0], diagnoses[1:], procedures, numbers, short))


def _row(cells: Mapping[str, str], path: Path, line: int) -> Coefficient:
    def broken(column: str) -> TableError:
        return TableError(
            zh=f"{path} 第 {line} 行列 {column}：取值 {cells[column]!r} 不可用",
            en=f"{path}, line {line}, column {column}: {cells[column]!r} is not valid",
        )

    def day(column: str, open_end: date) -> date:
        try:
            return date.fromisoformat(cells[column]) if cells[column] else open_end
        except ValueError as error:
            raise broken(column) from error

    levels = AUX_LEVELS.get(cells["aux_type"])
    if levels is None:
        raise broken("aux_type")
    if not cells["level"].isdecimal() or int(cells["level"]) >= levels:
        raise broken("level")
    try:
        value = Decimal(cells["coefficient"])
    except InvalidOperation as error:
        raise broken("coefficient") from error
    if not (value.is_finite() and 0 < value < 100 and value == round(value, 6)):
        raise broken("coefficient")
    return Coefficient(int(cells["level"]), value, day("valid_from", date.min), day("valid_to", date.max))


def _overlap(one: Coefficient, other: Coefficient) -> bool:
    in_time = one.valid_from <= other.valid_to and other.valid_from <= one.valid_to
    return one.level == other.level and in_time
