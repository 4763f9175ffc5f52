"""The rows of a city, put together: stays, codes, money and faults in one record batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import UsageError
from grouper.synth import parts as synth_parts
from grouper.synth import rows as synth
from grouper.synth.city import faults, money
from grouper.synth.city.costs import SEVERITIES, CaseWeights
from grouper.synth.city.faults import UNKNOWN_HOSPITAL, Wrong
from grouper.synth.city.model import COUNTIES, City
from grouper.synth.city.order import Kind, Rows, roll
from grouper.synth.city.stays import Made, Maker
from grouper.synth.random import Draws, key_of, u32, u64

BLOCK = 32_768  # rows made at a time
BATCH = 131_072  # rows of a batch, unless told otherwise
_INSURANCE = roll(40)
EMPLOYEES = 44  # of 128 adults

_IDS = ("record_id", "settlement_id", "visit_id", "person_id", "record_no")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _IDS),
        *(field for field in synth.SCHEMA if field.name not in ("record_id", "total_cost")),
        ("admission_type", pa.string()),
        ("settlement_date", pa.date32()),
        ("region_code", pa.string()),
        ("region_of_treatment", pa.string()),
        ("refund_flag", pa.bool_()),
        ("refund_of", pa.string()),
        ("valid_flag", pa.bool_()),
        *((name, pa.decimal128(18, 2)) for name in money.MONEY),
    ]
)
TRUTH = [pa.field("row_kind", pa.string()), pa.field("row_fault", pa.string())]  # on request
_KINDS = pa.array([kind.name.lower() for kind in Kind])
_FAULTS = pa.array([*(None if wrong is Wrong.NONE else wrong.name.lower() for wrong in Wrong), "codes"])


def city_batches(
    city: City,
    month: int | None = None,
    *,
    batch_rows: int = BATCH,
    weights: CaseWeights | None = None,
    truth: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Batches of ``SCHEMA``: the rows of ``month`` (1 to 12) or of the year, in order of settlement.

    ``weights``: the mean cost by a scheme of one's own. ``truth`` adds what the rows were made as:
    ``row_kind`` (plain, refund, resettled, duplicate, readmission, transfer) and ``row_fault``
    (null, negative, zero, out_of_month, unknown_hospital, invalid, codes). Raises UsageError
    for a bad month.
    """  # fmt: skip
    if month is not None and month not in range(1, 13):
        raise UsageError(zh=f"月份应为 1 到 12，而不是 {month}", en=f"a month is 1 to 12, not {month}")
    if batch_rows < 1:
        raise UsageError(zh="batch_rows 应大于 0", en="batch_rows must be positive")
    maker = maker_of(city)
    first = maker.order.first_row(month or 1)
    after = maker.order.first_row(month + 1 if month else 13)
    for start in range(first, after, batch_rows):
        end = min(start + batch_rows, after)
        blocks = [_block(maker, at, min(BLOCK, end - at), weights, truth) for at in range(start, end, BLOCK)]
        yield blocks[0] if len(blocks) == 1 else _joined(blocks)


@lru_cache(maxsize=8)
def maker_of(city: City) -> Maker:
    """The maker of ``city``, made once."""
    return Maker.of(city)


def _joined(blocks: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(blocks).combine_chunks().to_batches()[0]


@dataclass(frozen=True)
class _Part:
    """What the steps of a block share."""

    maker: Maker
    rows: Rows
    made: Made
    draws: Draws  # by visit: the same for a row and its refund
    own: Draws  # by row
    person: Draws
    surgical: pa.Array  # uint32, 0 or 1
    diagnoses: synth_parts.Lists  # ids
    procedures: synth_parts.Lists

    @classmethod
    def of(cls, maker: Maker, start: int, length: int) -> _Part:
        rows = maker.order.range(start, length)
        made = maker.stays(rows)
        t, stays = maker.tables, made.stays
        draws = Draws.of_rows(maker.key, rows.visit)
        surgical = t.surgical.take(stays.group)
        return cls(
            maker,
            rows,
            made,
            draws,
            Draws.of_rows(key_of(maker.key, 1), rows.position),
            Draws.of_rows(maker.key, made.who),
            surgical,
            synth_parts.diagnoses(draws, t, stays.principal, stays.person_class, stays.chapter),
            synth_parts.procedures(draws, t, stays.group, stays.person["sex"], surgical),
        )

    @property
    def operated(self) -> pa.Array:
        """1 for rows with an operation, else 0 (uint32)."""
        offsets = self.procedures.offsets
        return pc.greater(pc.subtract(offsets[1:], offsets[:-1]), 0).cast(pa.uint32())


def _block(maker: Maker, start: int, length: int, weights: CaseWeights | None, truth: bool) -> pa.RecordBatch:
    part = _Part.of(maker, start, length)
    wrong = faults.wrongs(part.own, maker.city.dirty, part.rows.alone)
    refund = pc.equal(part.made.kind, u32(Kind.REFUND))
    columns = _clinical(part) | _places(part)
    if weights is None:
        mean = maker.costs.weight.take(_cells(part))
    else:
        mean = weights.of(_grouping_batch(part, columns))
    sign = faults.signs(wrong, refund)
    for name, fen in _money(part, columns, mean).items():
        columns[name] = money.yuan(pc.multiply(fen, sign))
    columns |= _identity(part, wrong, refund)
    spoilt = _spoilt(part)
    columns |= _list_columns(part, columns, spoilt)
    _misplace(columns, wrong)
    schema = SCHEMA
    if truth:
        only_codes = pc.and_(spoilt.rows, pc.equal(wrong, u32(Wrong.NONE)))
        columns["row_kind"] = _KINDS.take(part.made.kind)
        columns["row_fault"] = _FAULTS.take(pc.if_else(only_codes, u32(len(_FAULTS) - 1), wrong))
        schema = pa.schema([*SCHEMA, *TRUTH])
    return pa.RecordBatch.from_arrays([columns[f.name].cast(f.type) for f in schema], schema=schema)


def _misplace(columns: dict[str, pa.Array], wrong: pa.Array) -> None:
    """Rows of another month, and of a hospital that nobody knows."""
    for name in ("admission_date", "discharge_date", "settlement_date"):
        columns[name] = faults.moved(columns[name], wrong)
    unknown = pc.equal(wrong, u32(Wrong.UNKNOWN_HOSPITAL))
    columns["hospital_code"] = pc.if_else(unknown, UNKNOWN_HOSPITAL, columns["hospital_code"])


def _clinical(part: _Part) -> dict[str, pa.Array]:
    s, ages = part.made.stays, part.made.ages
    years = ages["age_years"].cast(pa.uint32())
    return {
        **ages,
        "sex": s.person["sex"],
        "admission_date": s.admission,
        "discharge_date": s.discharge,
        "los_days": s.los,
        "discharge_way": s.way,
        "icu_hours": s.icu_hours,
        "admission_type": s.type_codes,
        "department": synth_parts.departments(
            part.maker.tables, s.principal, part.surgical, years, s.person_class
        ),
    }


def _places(part: _Part) -> dict[str, pa.Array]:
    """Hospital, insurance and regions."""
    s, wards = part.made.stays, part.maker.wards
    adult = pc.greater_equal(s.person["age_years"], u32(18))
    employee = pc.and_(adult, pc.less(part.person.bits(_INSURANCE, 7), u32(EMPLOYEES)))
    return {
        "hospital_code": wards.codes.take(s.hospital),
        "hospital_level": wards.levels.take(s.hospital),
        "insurance_type": pc.if_else(employee, "310", "390"),
        "resident": pc.invert(employee),
        "region_code": wards.homes.take(s.home),
        "region_of_treatment": wards.counties.take(s.hospital),
    }


def _cells(part: _Part) -> pa.Array:
    """The cell of the cost table of each row, uint32."""
    severity = worst(part.maker.costs.severity, part.diagnoses, part.made.stays.principal)
    kind = pc.add(pc.shift_left(part.made.stays.group, u32(1)), part.operated)
    return pc.add(pc.multiply(kind, u32(SEVERITIES)), severity)


def grouping_cells(maker: Maker, start: int, length: int) -> tuple[pa.Array, pa.RecordBatch]:
    """For the fit of the cost table: the cell of each row, and the rows as a grouper reads them."""
    part = _Part.of(maker, start, length)
    return _cells(part), _grouping_batch(part, _clinical(part) | _places(part))


def worst(severity: pa.Array, diagnoses: synth_parts.Lists, principal: pa.Array) -> pa.Array:
    """The worst companion of each row: 0, 1 (CC) or 2 (MCC), uint32; the principal does not count."""
    counted = pa.array([0, 1, 1 << 16], pa.int64())  # companions of both kinds in one sum
    sums = pc.cumulative_sum(counted.take(severity.take(diagnoses.ids)))
    sums = pa.concat_arrays([pa.array([0], pa.int64()), sums]).take(diagnoses.offsets)
    own = counted.take(severity.take(principal))
    rest = pc.subtract(pc.subtract(sums[1:], sums[:-1]), own)
    mild = pc.if_else(pc.greater(rest, 0), u32(1), u32(0))
    return pc.if_else(pc.greater_equal(rest, 1 << 16), u32(2), mild)


def _money(part: _Part, columns: dict[str, pa.Array], mean: pa.Array) -> dict[str, pa.Array]:
    """All amounts in fen, not below zero."""
    maker, s = part.maker, part.made.stays
    level = maker.wards.level_numbers.take(s.hospital)
    usual = pc.add(maker.tables.stay.take(s.principal), pc.shift_left(part.surgical, u32(1)))
    stay = pc.divide(pc.multiply(s.los.cast(pa.int64()), pa.scalar(256, pa.int64())), usual.cast(pa.int64()))
    total = money.total_cost(
        maker.costs,
        part.draws,
        pc.multiply(mean, pa.scalar(maker.city.cost // 10, pa.int64())),
        percent=maker.wards.cost.take(s.hospital),
        stay=stay,
        years=columns["age_years"],
        day_surgery=pc.equal(s.admission_type, u32(1)),
        bed_days=pc.equal(s.admission_type, u32(3)),
        level=level,
        los=s.los.cast(pa.int64()),
    )
    again = pc.equal(part.made.kind, u32(Kind.RESETTLED))  # what is out of scope is found anew
    shares = Draws.of_rows(key_of(maker.key, 2), pc.if_else(again, part.rows.position, part.rows.visit))
    away = pc.xor(maker.wards.outside.take(s.hospital), pc.equal(s.home, u32(COUNTIES)))
    return money.parts_of_cost(part.draws, total, part.operated) | money.payments(
        shares, part.person, total, resident=columns["resident"], level=level, away=away
    )


def _identity(part: _Part, wrong: pa.Array, refund: pa.Array) -> dict[str, pa.Array]:
    """Ids and flags. Ids are 16 digits: year, kind of id, number."""
    year, rows = part.maker.city.year, part.rows

    def numbered(kind: int, numbers: pa.Array) -> pa.Array:
        return pc.add(numbers, u64(year * 10**12 + kind * 10**11)).cast(pa.string())

    copied = pc.equal(part.made.kind, u32(Kind.DUPLICATE))
    return {
        "record_id": numbered(0, rows.position),
        "settlement_id": numbered(1, pc.if_else(copied, rows.visit, rows.position)),
        "visit_id": numbered(2, rows.visit),
        "person_id": numbered(3, part.made.who),
        "record_no": pc.add(rows.visit, u64(10**7)).cast(pa.string()),
        "settlement_date": part.maker.order.days(pc.if_else(copied, rows.visit, rows.position)),
        "refund_flag": refund,
        "refund_of": numbered(1, pc.if_else(refund, rows.visit, pa.scalar(None, pa.uint64()))),
        "valid_flag": pc.not_equal(wrong, u32(Wrong.INVALID)),
    }


def _spoilt(part: _Part) -> faults.Spoilt:
    """A share of the rows that repeat no other."""
    kind = part.made.kind
    first_hand = pc.or_(pc.equal(kind, u32(Kind.PLAIN)), pc.greater_equal(kind, u32(Kind.READMISSION)))
    return faults.Spoilt.draw(part.own, part.maker.city.dirty, first_hand)


def _list_columns(part: _Part, columns: dict[str, pa.Array], spoilt: faults.Spoilt) -> dict[str, pa.Array]:
    """Sex and the two code lists, spoilt where they are."""
    t = part.maker.tables
    first = faults.codes_of(spoilt, part.diagnoses, t.diagnosis_codes)
    second = faults.codes_of(spoilt, part.procedures, t.procedure_codes)
    kinds = spoilt.kinds(second)
    return {
        "sex": spoilt.without_sex(columns["sex"], kinds),
        "diagnoses": spoilt.lists(part.diagnoses, t.diagnosis_codes, first, kinds, principal_first=True),
        "procedures": spoilt.lists(part.procedures, t.procedure_codes, second, kinds, principal_first=False),
    }


def _grouping_batch(part: _Part, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """The clinical columns without faults, for a grouper; the cost is not yet known."""
    t = part.maker.tables
    known = columns | {
        "diagnoses": _coded(part.diagnoses, t.diagnosis_codes),
        "procedures": _coded(part.procedures, t.procedure_codes),
    }
    fields = [field for field in synth.SCHEMA if field.name in known]
    return pa.RecordBatch.from_arrays([known[f.name].cast(f.type) for f in fields], schema=pa.schema(fields))


def _coded(lists: synth_parts.Lists, codes: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(lists.offsets, codes.take(lists.ids))
