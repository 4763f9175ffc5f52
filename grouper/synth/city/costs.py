"""What a case costs: a mean by what was done, and how far a case lies from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.digests import sha256
from grouper.base.errors import TableError, UsageError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table
from grouper.synth.city.hospitals import cares
from grouper.synth.tables import skewed, tables

HEADER = ["group", "operated", "none", "cc", "mcc"]
SEVERITIES = 3  # no complication, CC, MCC
FACTOR_BITS = 12
_SCHEME = "chs-drg-2.0"  # whose list of complications tells mild from severe

# Parts of a cost in per cent: (drugs, consumables), by whether there was an operation.
PARTS = ((38, 10), (22, 32))


@dataclass(frozen=True)
class CostTables:
    """Lookup tables of cost."""

    weight: pa.Array  # int64, thousandths, by (2 * group + operated) * SEVERITIES + severity
    factors: pa.Array  # int64, 1/256: a case's cost over the mean, 2**FACTOR_BITS of them
    severity: pa.Array  # uint32 by diagnosis id: 0, 1 CC, 2 MCC
    care: pa.Array  # uint32 by diagnosis id


@cache
def cost_tables() -> CostTables:
    """The tables, read from ``tables/city/cost.csv``.

    Raises TableError when it lacks a group or has a bad row.
    """
    t = tables()
    rows = _read(tables_dir() / "city" / "cost.csv")
    names = group_names()
    try:
        flat = [weight for name in names for operated in (0, 1) for weight in rows[name, operated]]
    except KeyError as error:
        raise TableError(zh=f"city/cost.csv 缺少 {error}", en=f"city/cost.csv lacks {error}") from error
    means = [flat[n * 2 * SEVERITIES + SEVERITIES] for n in range(len(names))]
    return CostTables(
        pa.array(flat, pa.int64()), pa.array(_factors(), pa.int64()), severities(), cares(t, means)
    )


@cache
def group_names() -> list[str]:
    """The groups that the clinical generator draws from, by number; group 0 is none."""
    from grouper.codes import icd

    codes, _, _, groups = icd.read_columns("diagnosis_frequency", "code,cases,lists,groups")
    drawn = icd.diagnoses().keys() - icd.grey_diagnoses()
    texts = (text for code, text in zip(codes, groups, strict=True) if code in drawn)
    return ["", *sorted({name for text in texts for name in text.split()})]


def severities() -> pa.Array:
    """Severity of each diagnosis id as a companion (uint32)."""
    from grouper.grouping.drg.tables import store

    complications = store.load(_SCHEME).complications
    levels = {code: 2 if "MCC" in names else 1 for code, (names, _) in complications.items()}
    return pa.array([levels.get(code, 0) for code in tables().diagnosis_codes.to_pylist()], pa.uint32())


def _read(path: Path) -> dict[tuple[str, int], list[int]]:
    table = read_table(path, needed=HEADER, known=(), kind=TableError)
    return {
        (row.text(HEADER[0]), int(row.text(HEADER[1]))): [int(row.text(name)) for name in HEADER[2:]]
        for row in table
    }


def _factors() -> list[int]:
    """Skewed to the right, with a thin tail of very dear cases and some very cheap ones; mean 256."""
    slots = 1 << FACTOR_BITS
    dear, cheap = slots * 18 // 1000, slots * 12 // 1000
    body = skewed(1, 0.40)
    step = Fraction(len(body), slots - dear - cheap)
    made = [body[int(i * step)] for i in range(slots - dear - cheap)]
    made += [3.6 + 4.4 * (i / dear) ** 3 for i in range(dear)]
    made += [0.08 + 0.24 * i / cheap for i in range(cheap)]
    scale = 256 * slots / sum(made)
    return [max(1, round(factor * scale)) for factor in made]


@dataclass(frozen=True)
class CaseWeights:
    """Weights of one's own scheme in place of the shipped ones: every row is grouped for its mean."""

    group: Callable[[pa.RecordBatch], pa.Array]  # group codes of a clinical batch
    weights: dict[str, int]  # thousandths
    default: int
    origin: str  # scheme and digest of the file, for the record

    def of(self, batch: pa.RecordBatch) -> pa.Array:
        """The weight of each row in thousandths, int64; rows without a group have the mean."""
        codes = self.group(batch)
        codes = codes.dictionary_encode() if not pa.types.is_dictionary(codes.type) else codes
        values = pa.array(
            [self.weights.get(c, self.default) for c in codes.dictionary.to_pylist()], pa.int64()
        )
        return pc.fill_null(values.take(codes.indices) if len(values) else pa.nulls(len(codes), pa.int64()),
                            self.default)  # fmt: skip


def case_weights(scheme: str, path: str | Path) -> CaseWeights:
    """Weights from a CSV with a column of groups (named as the scheme's result) and ``weight``.

    Raises UsageError when the file has no such columns or no weight.
    """
    from grouper.grouping.api import load_scheme

    grouper = load_scheme(scheme)
    try:
        table = read_table(path, flag="--weights")
        key = next(name for name in table.header if name in grouper.result_names)
        given = {row.text(key): row.cells["weight"] for row in table}
        weights = {group: round(Decimal(weight) * 1000) for group, weight in given.items() if weight}
    except (OSError, ValueError, ArithmeticError, LookupError, StopIteration) as error:
        names = ("、".join(grouper.result_names), ", ".join(grouper.result_names))
        raise UsageError(
            zh=f"--weights {path} 无法读取：须为 CSV，有病组列（{names[0]} 之一）和数值列 weight",
            en=f"--weights {path} cannot be read: it must be a CSV with a column of groups "
            f"(one of {names[1]}) and a column of numbers, weight",
        ) from error

    def group(batch: pa.RecordBatch) -> pa.Array:
        return pa.chunked_array([b.column(key) for b in grouper.group_batches([batch])]).combine_chunks()

    digest = sha256(path)
    return CaseWeights(group, weights, 1_000, f"{scheme} {digest}")
