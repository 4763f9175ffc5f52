"""Synthetic discharge records: plausible, endless, and the same everywhere. No patient stands behind them.

Row i is a function of (seed, period, i) alone (``synth_random``), so batches
of any size, made in any order or process, hold the same rows. The principal
diagnoses follow the case counts of a real city; the operations share a
CHS-DRG core group with the principal diagnosis; sex, age, stay and other
diagnoses fit it loosely (``synth_profiles``). Everything is integer kernels
of Arrow over whole batches.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from grouper.base.errors import UsageError
from grouper.base.whole import whole_file
from grouper.synth import parts
from grouper.synth import tables as tab
from grouper.synth.faults import Fault, eat_zeros, row_faults, spoil_codes
from grouper.synth.parts import LONGEST_STAY, Lists
from grouper.synth.random import Draws, Stream, counting, i32, key_of, u32
from grouper.synth.tables import Tables, tables

VERSION = 2  # of the rows: raise it with every change that changes one
YEAR = 2025  # of discharge, where no month is given
BLOCK = 16_384  # rows made at a time
EMPLOYEES = 34  # per cent of adults insured as employees (310); all others are residents (390)

SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("hospital_code", pa.string()),
        ("hospital_level", pa.string()),
        ("insurance_type", pa.string()),
        ("sex", pa.int8()),
        ("birth_date", pa.date32()),
        ("admission_date", pa.date32()),
        ("discharge_date", pa.date32()),
        ("age_years", pa.int16()),
        ("age_days", pa.int32()),
        ("birth_weight_g", pa.int32()),
        ("admission_weight_g", pa.int32()),
        ("los_days", pa.int32()),
        ("discharge_way", pa.int8()),
        ("department", pa.string()),
        ("icu_hours", pa.float64()),
        ("diagnoses", pa.list_(pa.string())),
        ("procedures", pa.list_(pa.string())),
        ("total_cost", pa.decimal128(14, 2)),
    ]
)


def synth_batches(
    rows: int,
    *,
    seed: int = 1,
    batch_rows: int = 250_000,
    month: str | None = None,
    dirty: float = 0.0,
) -> Iterator[pa.RecordBatch]:
    """Batches of ``SCHEMA`` with the first ``rows`` rows of ``seed``.

    ``month`` ("2025-03") is the month of discharge, without it any day of
    2025; each month has its own rows and record ids. ``dirty`` is the share of
    rows with a fault (``synth_faults``); the other rows are those of a clean
    run. Raises UsageError when an argument is out of range.
    """
    _check(rows, seed, batch_rows, dirty)
    period = Period.of(month)
    for start in range(0, rows, batch_rows):
        yield _batch(start, min(batch_rows, rows - start), seed, period, dirty)


def synth_batch(
    start: int, rows: int, *, seed: int = 1, month: str | None = None, dirty: float = 0.0
) -> pa.RecordBatch:
    """Rows ``start`` to ``start`` + ``rows`` of the same stream: what one of several workers makes."""
    _check(min(start, rows), seed, 1, dirty)
    return _batch(start, rows, seed, Period.of(month), dirty)


def write_parquet(
    path: str | os.PathLike[str],
    rows: int,
    *,
    seed: int = 1,
    row_group: int = 250_000,
    compression: str = "zstd",
    month: str | None = None,
    dirty: float = 0.0,
) -> None:
    """Write the rows of :func:`synth_batches` to a Parquet file, one row group a batch.

    The file appears when it is whole; its metadata name the generator, the
    seed and the other arguments under ``grouper.synth.rows``.
    """
    _check(rows, seed, row_group, dirty)
    origin = f"version={VERSION} seed={seed} rows={rows} month={month or YEAR} dirty={dirty}"
    schema = SCHEMA.with_metadata({"grouper.synth": origin})
    with (
        whole_file(Path(path)) as part,
        pq.ParquetWriter(part, schema, compression=compression, use_dictionary=DICTIONARIES) as writer,
    ):
        for batch in synth_batches(rows, seed=seed, batch_rows=row_group, month=month, dirty=dirty):
            writer.write_batch(batch, row_group_size=row_group)


UNIQUE = ("record_id", "total_cost")
DICTIONARIES = [
    f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
    for field in SCHEMA
    if field.name not in UNIQUE
]


def _check(rows: int, seed: int, batch_rows: int, dirty: float) -> None:
    for option, value, good in (
        ("--rows", rows, rows >= 0),
        ("--seed", seed, 0 <= seed < 2**63),
        ("--row-group", batch_rows, batch_rows > 0),
        ("--dirty", dirty, 0 <= dirty <= 1),
    ):
        if not good:
            raise UsageError(zh=f"{option} 的值 {value} 超出范围", en=f"{option}: {value} is out of range")


@dataclass(frozen=True)
class Period:
    """The days of discharge. Days are numbers since 1970-01-01."""

    name: str
    first: int
    days: int

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, month: str | None) -> Period:
        """A month "YYYY-MM", or the whole of ``YEAR``; UsageError when it is neither."""
        try:
            first = date.fromisoformat(f"{month}-01" if month else f"{YEAR}-01-01")
        except ValueError as error:
            raise UsageError(
                zh=f"--month 应为 YYYY-MM，而不是 {month}", en=f"--month must be YYYY-MM, not {month}"
            ) from error
        following = date(YEAR + 1, 1, 1) if not month else (first + timedelta(days=31)).replace(day=1)
        return cls(month or str(YEAR), (first - date(1970, 1, 1)).days, (following - first).days)


def _batch(start: int, rows: int, seed: int, period: Period, dirty: float) -> pa.RecordBatch:
    """Rows made in blocks that stay in the processor's cache."""
    if rows == 0:
        return pa.RecordBatch.from_pylist([], schema=SCHEMA)
    blocks = [
        _block(first, min(BLOCK, start + rows - first), seed, period, dirty)
        for first in range(start, start + rows, BLOCK)
    ]
    return blocks[0] if len(blocks) == 1 else pa.Table.from_batches(blocks).combine_chunks().to_batches()[0]


def _block(start: int, rows: int, seed: int, period: Period, dirty: float) -> pa.RecordBatch:
    t = tables()
    row_numbers = counting(start, rows)
    draws = Draws.of_rows(key_of(seed, period.first, period.days), row_numbers)
    principal = draws.slot(Stream.PRINCIPAL, t.principal, tab.PRINCIPAL_BITS)
    chapter = t.chapter.take(principal)
    columns = parts.persons(draws, t, principal)
    person = parts.person_classes(columns, pc.equal(t.ages.take(principal), u32(t.birth_profile)))
    group = draws.slot(Stream.GROUP, t.groups, tab.GROUP_BITS, principal)
    columns |= _hospital(draws, t, columns["age_years"])
    columns |= parts.stays(draws, t, principal, group, person, chapter)
    columns |= _dates(draws, period, columns)
    surgical = t.surgical.take(group)
    diagnoses = parts.diagnoses(draws, t, principal, person, chapter)
    procedures = parts.procedures(draws, t, group, columns["sex"], surgical)
    columns["department"] = parts.departments(t, principal, surgical, columns["age_years"], person)
    columns["total_cost"] = _cost(draws, t, chapter, procedures, columns)
    columns["record_id"] = pc.binary_join_element_wise(
        f"{seed}-{period.name}", pc.utf8_lpad(row_numbers.cast(pa.string()), 9, "0"), "-"
    )
    return _assemble(draws, t, columns, diagnoses, procedures, dirty)


# --- where and how long ----------------------------------------------------


def _hospital(draws: Draws, t: Tables, years: pa.Array) -> dict[str, pa.Array]:
    hospital = draws.slot(Stream.HOSPITAL, t.hospitals, tab.HOSPITAL_BITS)
    employee = pc.and_(
        pc.greater_equal(years, u32(18)), pc.less(draws.below(Stream.INSURANCE, 100), u32(EMPLOYEES))
    )
    return {
        "hospital": hospital,
        "hospital_code": t.hospital_codes.take(hospital),
        "hospital_level": t.hospital_levels.take(hospital),
        "insurance_type": pc.if_else(employee, "310", "390"),
    }


@dataclass(frozen=True)
class Calendar:
    """Years that begin on 1 March, so that a leap day is the last day of its year."""

    origin: int  # the day that the next two begin with
    year: pa.Array  # by day since origin: number of the March year, counted from the one ``oldest``
    day: pa.Array  # by day since origin: day of the March year, 0 to 365
    starts: pa.Array  # by number of a March year: its first day


@lru_cache(maxsize=256)
def _calendar(first: int, days: int) -> Calendar:
    """A calendar for people of up to 120 years who leave hospital in the ``days`` from ``first``."""
    epoch = date(1970, 1, 1)
    origin = first - LONGEST_STAY - 366
    oldest = (epoch + timedelta(days=origin)).year - 121
    starts = [(date(oldest + n, 3, 1) - epoch).days for n in range(125)]
    year = [n for n in range(124) for _ in range(starts[n + 1] - starts[n])]
    shown = range(origin - starts[0], first + days - starts[0])
    return Calendar(
        origin,
        pa.array([year[day] for day in shown], pa.int32()),
        pa.array([day + starts[0] - starts[year[day]] for day in shown], pa.int32()),
        pa.array(starts, pa.int32()),
    )


def _dates(draws: Draws, period: Period, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Dates as days since 1970 (int32) that agree with age and nights; age in days in the first year."""
    calendar = _calendar(period.first, period.days)
    discharge = pc.add(draws.below(Stream.DISCHARGE, period.days).cast(pa.int32()), i32(period.first))
    admission = pc.subtract(discharge, columns["nights"].cast(pa.int32()))
    since_birthday = columns["since_birthday"].cast(pa.int32())
    birthday = pc.subtract(admission, since_birthday)
    index = pc.subtract(birthday, i32(calendar.origin))
    year = pc.subtract(calendar.year.take(index), columns["age_years"].cast(pa.int32()))
    # who has the birthday on 29 February is born on 28 February
    day = pc.min_element_wise(calendar.day.take(index), i32(364))
    first_year = pc.equal(columns["age_years"], u32(0))
    return {
        "birth_date": pc.if_else(first_year, birthday, pc.add(calendar.starts.take(year), day)),
        "admission_date": admission,
        "discharge_date": discharge,
        "age_days": pc.if_else(first_year, since_birthday, pa.scalar(None, pa.int32())),
    }


# --- money and assembly --------------------------------------------------------


def _cost(
    draws: Draws, t: Tables, chapter: pa.Array, procedures: Lists, columns: dict[str, pa.Array]
) -> pa.Array:
    """Fen, int64: a rate for each day and one for the main operation, both skewed, by level of hospital."""
    lengths = pc.subtract(procedures.offsets[1:], procedures.offsets[:-1])
    index = pc.if_else(pc.greater(lengths, 0), procedures.offsets[:-1], pa.scalar(None, pa.int32()))
    operation = pc.fill_null(t.procedure_cost.take(procedures.ids.take(index)), u32(0))

    def skewed(fen: pa.Array, stream: Stream) -> pa.Array:
        factor = draws.slot(stream, t.skew, tab.SKEW_BITS).cast(pa.int64())
        return pc.divide(pc.multiply(fen.cast(pa.int64()), factor), 256)

    days = skewed(pc.multiply(t.stay_cost.take(chapter), columns["los_days"]), Stream.STAY_COST)
    fen = pc.add(days, skewed(operation, Stream.PROCEDURE_COST))
    return pc.divide(pc.multiply(fen, t.level_cost.take(columns["hospital"]).cast(pa.int64())), 100)


def _assemble(
    draws: Draws, t: Tables, columns: dict[str, pa.Array], diagnoses: Lists, procedures: Lists, dirty: float
) -> pa.RecordBatch:
    """The batch, with faults in a share of its rows."""
    diagnosis_codes = t.diagnosis_codes.take(diagnoses.ids)
    procedure_codes = t.procedure_codes.take(procedures.ids)
    if dirty:
        faults = row_faults(draws, dirty, procedure_codes, procedures.parents)
        missing = pc.equal(faults, u32(Fault.MISSING_SEX))
        columns["sex"] = pc.if_else(missing, pa.scalar(None, pa.uint32()), columns["sex"])
        numbers = counting(0, len(diagnosis_codes)).cast(pa.int32())
        first = pc.equal(numbers, diagnoses.offsets.take(diagnoses.parents))
        last = pa.concat_arrays([first[1:], pa.array([True])])
        diagnosis_codes = spoil_codes(diagnosis_codes, faults.take(diagnoses.parents), first, last)
        faults_of_procedures = faults.take(procedures.parents)
        never = pa.repeat(pa.scalar(False), len(procedure_codes))
        procedure_codes = spoil_codes(procedure_codes, faults_of_procedures, never, never)
        procedure_codes = eat_zeros(procedure_codes, faults_of_procedures)
    columns["diagnoses"] = pa.ListArray.from_arrays(diagnoses.offsets, diagnosis_codes)
    columns["procedures"] = pa.ListArray.from_arrays(procedures.offsets, procedure_codes)
    yuan = pc.multiply(columns["total_cost"].cast(pa.decimal128(19, 0)), pa.scalar(Decimal("0.01")))
    columns["total_cost"] = yuan
    return pa.RecordBatch.from_arrays([columns[f.name].cast(f.type) for f in SCHEMA], schema=SCHEMA)
