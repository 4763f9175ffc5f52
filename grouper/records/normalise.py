"""Canonical grouping fields from the batches of a source, with flags for what cannot be used.

Normalisation never raises for a value: a value that is there but not understood sets a bit
of :class:`grouper.base.reasons.Flag` for its row, and what was changed is counted by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError, UsageError
from grouper.base.reasons import Flag
from grouper.records import scalars
from grouper.records.columns import ColumnMap, Source
from grouper.records.damage import readable
from grouper.records.lists import code_lists
from grouper.records.missing import missing_field
from grouper.records.scalars import Column
from grouper.records.schema import CODE_FIELDS, GROUPING_FIELDS
from grouper.records.values import (
    integer,
    months_as_days,
    newborn_weight,
    plain_text,
)
from grouper.records.words import whole_number

MAX_AGE, MAX_AGE_DAYS, MAX_WEIGHT, MAX_STAY = 150, 366, 20_000, 36_500
_HOURS_IN = {"": 1.0, "hours": 1.0, "days": 24.0, "minutes": 1 / 60}
_AGE = integer(0, MAX_AGE, "周?岁")
_AGE_DAYS = integer(0, 2**31 - 1, "天|日")
_STAY = integer(0, MAX_STAY, "天|日")
_WEIGHT = newborn_weight(1, MAX_WEIGHT)
_OTHER_WEIGHT = {"birth_weight_g": "admission_weight_g", "admission_weight_g": "birth_weight_g"}
_NO_INT = pa.scalar(None, pa.int32())
NEWBORN_FIELDS = (
    "age_days",
    "birth_weight_g",
    "admission_weight_g",
)  # needed only where a row may be a newborn
NEWBORN_DAYS = 28


@dataclass(frozen=True)
class NormaliseOptions:
    """How stays and ages are derived where the source leaves a choice.

    stay: "given" takes the column of stays only; "nights" counts discharge minus admission date,
    a same-day stay as 1; "days" counts that difference plus 1. age: "dates" prefers birth and
    admission date to the columns of ages, "given" takes the columns only. age_days_unit: the unit
    of an age-in-days column that may be in months.
    """

    stay: Literal["given", "nights", "days"] = "given"
    age: Literal["dates", "given"] = "dates"
    age_days_unit: Literal["days", "months"] | None = None


class Prepared(NamedTuple):
    """A batch ready for the kernel: same rows, same order."""

    batch: pa.RecordBatch
    flags: pa.Int32Array
    counts: Counter[str]


class Normaliser:
    """Turns batches of one source into canonical grouping fields. Stateless after construction.

    ``fields`` are those that the scheme needs (diagnoses and procedures always are);
    ``allow_missing`` those that may be without a source.
    """

    def __init__(
        self,
        columns: ColumnMap,
        fields: Sequence[str],
        options: NormaliseOptions | None = None,
        allow_missing: Collection[str] = (),
    ) -> None:
        unknown = [f for f in (*fields, *allow_missing) if f not in GROUPING_FIELDS]
        if unknown:
            raise UsageError(
                zh=f"不是分组字段：{'、'.join(unknown)}；可用：{'、'.join(GROUPING_FIELDS)}",
                en=f"not a grouping field: {', '.join(unknown)}; known are {', '.join(GROUPING_FIELDS)}",
            )
        self.columns = columns
        self.options = options or NormaliseOptions()
        self.fields = tuple(f for f in GROUPING_FIELDS if f in fields or f in CODE_FIELDS)
        self.allow_missing = frozenset(allow_missing)
        self._filled = tuple(f for f in self.fields if self._sources(f))

    def check(self, schema: pa.Schema) -> None:
        """Raise UsageError when a needed field has no source, DataError when codes are numbers.

        ``schema`` is that of the batches to come.
        """
        if missing := self.missing():
            raise self._missing(missing, schema.names)
        for field in self._filled:
            for name in self._sources(field):
                self._check_source(field, name, schema)

    def makes(self, field: str) -> bool:
        """Whether ``prepare`` gives this field."""
        return field in self._filled

    def missing(self) -> tuple[str, ...]:
        """The needed fields without a source; those of newborns only where a row asks for them."""
        return tuple(
            field
            for field in self.fields
            if field not in self._filled
            and field not in NEWBORN_FIELDS
            and (field not in self.allow_missing or field == "diagnoses")
        )

    def _sources(self, field: str) -> tuple[str, ...]:
        """The canonical fields from which ``field`` is made, () when it cannot be made."""
        mapped = self.columns.fields
        derived: tuple[str, ...] = ()
        if field in ("age_years", "age_days") and self.options.age == "dates":
            derived = ("birth_date", "admission_date")
        elif field == "los_days" and self.options.stay != "given":
            derived = ("admission_date", "discharge_date")
        if not derived or not all(name in mapped for name in derived):
            # An explicit --stay nights or days must not fall back to the column.
            return (field,) if field in mapped and not (field == "los_days" and derived) else ()
        return (*derived, field) if field in mapped else derived

    def _missing(self, fields: Sequence[str], header: Sequence[str]) -> UsageError:
        """One error for all missing fields, with the columns that look like them."""
        named = [missing_field(field, header, self._needs(field)) for field in fields]
        zh, en = "；".join(m.zh for m in named), "; ".join(m.en for m in named)
        free = " ".join(f"--allow-missing {field}" for field in fields if field != "diagnoses")
        leave = f"，或用 {free} 在缺少时继续" if free else ""
        leave_en = f", or go on without by {free}" if free else ""
        return UsageError(
            zh=f"输入（格式 {self.columns.layout}）缺少所需的列：{zh}。请用 --columns map.toml 指明来源列"
            f"（grouper columns FILE 可生成）{leave}",
            en=f"the input (layout {self.columns.layout}) lacks a required column: {en}. Name its source "
            f"in a column map with --columns map.toml (`grouper columns FILE` proposes one){leave_en}",
        )

    def _needs(self, field: str) -> tuple[str, str]:
        """What a field may also be made of (Chinese, English)."""
        mapped = self.columns.fields
        if field == "los_days" and self.options.stay != "given":
            return "（admission_date + discharge_date）", " (admission_date + discharge_date)"
        if field == "los_days" and "admission_date" in mapped and "discharge_date" in mapped:
            return (
                "（由入、出院日期推算请指定 --stay nights（出院减入院，当日出院计 1 天）"
                "或 --stay days（再加 1 天））",
                " (to derive it from the dates name --stay nights (discharge minus admission, a same-day "
                "stay is 1) or --stay days (one more))",
            )
        if field == "age_years" and self.options.age == "dates":
            return "（或 birth_date + admission_date）", " (or birth_date + admission_date)"
        other = _OTHER_WEIGHT.get(field)
        if other is not None and other in mapped:
            return f"（{other} 不能代替它）", f" ({other} does not stand in for it)"
        return "", ""

    def _check_source(self, field: str, name: str, schema: pa.Schema) -> None:
        if several := self.columns.ambiguous(name):
            raise UsageError(
                zh=f"{name} 有多个可能的来源列：{'、'.join(several)}；请用 --columns map.toml 指定一个",
                en=f"several columns may give {name}: {', '.join(several)}; choose one in a column map "
                "and name it with --columns",
            )
        for column in self.columns.fields[name].columns:
            if column not in schema.names:
                raise UsageError(
                    zh=f"数据中没有列 {column!r}（{name} 的来源）；请检查 --columns",
                    en=f"the data have no column {column!r}, the source of {name}; check --columns",
                )
            type_ = schema.field(column).type
            if name in CODE_FIELDS or name == "department":
                refuse_numbers(column, type_, name)
            elif not (scalars.is_text(type_) or scalars.is_number(type_) or _is_time(type_)):
                raise DataError(
                    zh=f"列 {column!r}（{name}）的类型 {type_} 无法读取",
                    en=f"column {column!r} ({name}) has the type {type_}, which cannot be read",
                )

    def prepare(self, batch: pa.RecordBatch, first_row: int = 0) -> Prepared:
        """The canonical fields of ``batch``; ``first_row`` is the number of rows before it.

        Pure and safe to call from several threads. Raises UsageError only where an option is
        needed that was not given (the unit of an age that may be in months).
        """
        work = _Work(self, batch, first_row)
        arrays = {field: work.make(field) for field in self._filled}
        self._check_newborns(arrays, first_row)
        work.check_order()
        return Prepared(pa.RecordBatch.from_pydict(arrays), work.flags(), work.counts)

    def beside(self, schema: pa.Schema, fields: Collection[str]) -> tuple[str, ...]:
        """Those of ``fields`` that data of this header could give, though the scheme does not read them."""
        found = []
        for field in fields:
            sources = self._sources(field)
            if field in self.fields or not sources or self._unit_open(field):
                continue
            try:
                for name in sources:
                    self._check_source(field, name, schema)
            except (UsageError, DataError):  # nobody asked for it
                continue
            found.append(field)
        return tuple(found)

    def _unit_open(self, field: str) -> bool:
        """A column of ages in months or days, of which nobody has said which."""
        source = self.columns.fields.get(field)
        unclear = source is not None and source.transform == "months-or-days"
        return field == "age_days" and unclear and self.options.age_days_unit is None

    def more(self, batch: pa.RecordBatch, fields: Collection[str]) -> dict[str, pa.Array]:
        """The values of ``fields``, which ``beside`` named. Nothing is flagged or counted: a value that is
        not understood is missing."""
        work = _Work(self, batch, 0)
        return {field: work.make(field) for field in fields}

    def _check_newborns(self, arrays: Mapping[str, pa.Array], first_row: int) -> None:
        """Raise UsageError when a row may be a newborn and a field that only newborns need is missing."""
        asked = [
            f for f in NEWBORN_FIELDS if f in self.fields and f not in (*self._filled, *self.allow_missing)
        ]
        if not asked or "age_years" not in arrays:
            return
        newborn = pc.fill_null(pc.equal(arrays["age_years"], 0), False)
        if "age_days" in arrays:  # an infant of more days is none
            newborn = pc.and_(newborn, pc.fill_null(pc.less_equal(arrays["age_days"], NEWBORN_DAYS), True))
        if not pc.any(newborn).as_py():
            return
        row = first_row + pc.index(newborn, True).as_py() + 1
        zh, en = ("、".join(f"{f}{self._needs(f)[i]}" for f in asked) for i in (0, 1))
        free = " ".join(f"--allow-missing {field}" for field in asked)
        raise UsageError(
            zh=f"第 {row} 行可能是新生儿，而输入缺少列 {zh}；请用 --columns 指明来源列，"
            f"或用 {free} 在缺少时继续（此类记录按缺数据处理）",
            en=f"row {row} may be a newborn, but the input lacks {en}; name its source with --columns, or "
            f"go on without by {free} (such records then end as needs-data)",
        )


def refuse_numbers(column: str, type_: pa.DataType, field: str, where: str = "") -> None:
    """Raise DataError when a column of codes holds numbers, which have lost their zeros."""
    inner = type_.value_type if pa.types.is_nested(type_) and not pa.types.is_struct(type_) else type_
    if pa.types.is_null(inner) or scalars.is_text(inner):
        return
    raise DataError(
        zh=f"{where}列 {column!r}（{field}）的类型是 {type_}：编码必须为文本，数值会丢失零"
        "（06.3100 变成 6.31）；请以文本重新导出",
        en=f"{where}column {column!r} ({field}) has the type {type_}: codes must be text, as numbers lose "
        "their zeros (06.3100 becomes 6.31); export the column again as text",
    )


def _is_time(type_: pa.DataType) -> bool:
    return bool(pa.types.is_null(type_) or pa.types.is_date(type_) or pa.types.is_timestamp(type_))


def separator_of(source: Source) -> str | None:
    """The separator of a source of codes, as ``code_lists`` takes it."""
    if source.transform.startswith("split-any:"):
        return source.transform.removeprefix("split-")
    return source.transform.removeprefix("split:") or None


class _Work:
    """The making of one batch: source columns, counts and flags."""

    def __init__(self, normaliser: Normaliser, batch: pa.RecordBatch, first_row: int) -> None:
        self.counts: Counter[str] = Counter()
        self._columns = normaliser.columns
        self._map = normaliser.columns.fields
        self._options = normaliser.options
        self._batch = batch
        self._first_row = first_row
        self._bits: dict[Flag, pa.Array | None] = {}
        self._dates: dict[str, pa.Array] = {}
        self._years: tuple[pa.Array, pa.Array] | None = None

    def make(self, field: str) -> pa.Array:
        """The values of one canonical field; flags and counts are kept."""
        column = self._map[field].columns[0] if field in self._map else ""
        type_ = self._batch.schema.field(column).type if column else None
        with readable(column, field, type_):
            return self._codes(field) if field in CODE_FIELDS else getattr(self, "_" + field)()

    def _codes(self, field: str) -> pa.Array:
        source = self._map[field]
        arrays = [self._batch.column(column) for column in source.columns]
        return code_lists(arrays, separator_of(source), field, self.counts)

    def flags(self) -> pa.Int32Array:
        """The bits of Flag for each row."""
        total = pa.repeat(pa.scalar(0, pa.int32()), self._batch.num_rows)
        for flag, mask in self._bits.items():
            if mask is not None:
                total = pc.add(total, pc.multiply(mask.cast(pa.int32()), pa.scalar(int(flag), pa.int32())))
        return total

    def check_order(self) -> None:
        """Flag rows discharged before their admission, whether or not the scheme reads the dates."""
        if not self._has("admission_date", "discharge_date"):
            return
        start, end = (
            self._dates[name]
            if name in self._dates
            else scalars.dates(self._column(name), Counter(), "").values
            for name in ("admission_date", "discharge_date")
        )
        wrong = pc.less(end, start)
        if pc.any(wrong).as_py():
            self._flag(Flag.DATES_OUT_OF_ORDER, pc.fill_null(wrong, False))

    def _flag(self, flag: Flag, mask: pa.Array | None) -> None:
        self._bits[flag] = scalars.either(self._bits.get(flag), mask)

    def _flagged(self, column: Column, flag: Flag) -> pa.Array:
        self._flag(flag, column.bad)
        return column.values

    def _column(self, field: str) -> pa.Array:
        return self._columns.translated(field, self._batch.column(self._map[field].columns[0]))

    def _sex(self) -> pa.Array:
        read = whole_number(self._columns.words("sex"))
        return self._flagged(scalars.codes(self._column("sex"), read, self.counts, "sex"), Flag.BAD_SEX)

    def _discharge_way(self) -> pa.Array:
        read = whole_number(self._columns.words("discharge_way"))
        column = scalars.codes(self._column("discharge_way"), read, self.counts, "discharge-way")
        return self._flagged(column, Flag.BAD_DISCHARGE_WAY)

    def _department(self) -> pa.Array:
        array = self._column("department")
        if pa.types.is_null(array.type):
            return array.cast(pa.string())
        return scalars.parsed(array, plain_text, pa.string(), self.counts, "department").values

    def _birth_weight_g(self) -> pa.Array:
        return self._weight("birth_weight_g", "birth-weight", Flag.BAD_BIRTH_WEIGHT)

    def _admission_weight_g(self) -> pa.Array:
        return self._weight("admission_weight_g", "admission-weight", Flag.BAD_ADMISSION_WEIGHT)

    def _weight(self, field: str, word: str, flag: Flag) -> pa.Array:
        """Several newborns in one record leave no weight of "the" newborn: missing, and counted."""
        columns = [self._grams(name, word) for name in self._map[field].columns]
        values, bad = columns[0]
        several = None
        for column in columns[1:]:
            both = pc.and_(pc.is_valid(values), pc.is_valid(column.values))
            several = scalars.either(several, both)
            values = pc.coalesce(values, column.values)
            bad = scalars.either(bad, column.bad)
        if several is not None and (number := pc.sum(several).as_py()):
            self.counts[f"{word}-several"] += number
            values = pc.if_else(several, _NO_INT, values)
        return self._flagged(Column(values, bad), flag)

    def _grams(self, column: str, word: str) -> Column:
        array = self._batch.column(column)
        return scalars.integers(array, 1, MAX_WEIGHT, _WEIGHT, self.counts, word, zero_is_missing=True)

    def _icu_hours(self) -> pa.Array:
        source = self._map["icu_hours"]
        units = source.transform.split("+")
        total, bad = None, None
        for name, unit in zip(source.columns, units, strict=False):
            part = scalars.durations(self._batch.column(name), _HOURS_IN[unit], self.counts, "icu-hours")
            bad = scalars.either(bad, part.bad)
            # Blank parts count nothing, but all parts blank are a missing duration.
            total = part.values if total is None else pc.coalesce(
                pc.add(total, part.values), total, part.values
            )  # fmt: skip
        return self._flagged(Column(total, bad), Flag.BAD_ICU_HOURS)

    def _total_cost(self) -> pa.Array:
        column = scalars.money(self._column("total_cost"), self.counts, "total-cost")
        return self._flagged(column, Flag.BAD_TOTAL_COST)

    def _date(self, field: str) -> pa.Array:
        if field not in self._dates:
            column = scalars.dates(self._column(field), self.counts, field.replace("_", "-"))
            self._dates[field] = self._flagged(column, Flag.BAD_DATE)
        return self._dates[field]

    def _has(self, *fields: str) -> bool:
        # Several candidates give none: check() has refused them where the field is needed.
        return all(field in self._map and not self._columns.ambiguous(field) for field in fields)

    def _los_days(self) -> pa.Array:
        given = Column(pa.nulls(self._batch.num_rows, pa.int32()))
        if self._has("los_days"):
            given = scalars.integers(self._column("los_days"), 0, MAX_STAY, _STAY, self.counts, "stay")
        difference = None
        if self._has("admission_date", "discharge_date"):
            difference = self._days_between("admission_date", "discharge_date")
        if self._options.stay == "given" or difference is None:
            return self._flagged(given, Flag.BAD_STAY)
        nights = pc.max_element_wise(difference, pa.scalar(1, pa.int32()), skip_nulls=False)
        stay = nights if self._options.stay == "nights" else pc.add(difference, pa.scalar(1, pa.int32()))
        derived = scalars.integers(stay, 0, MAX_STAY, _STAY, self.counts, "stay")
        return self._prefer("stay", derived, given, Flag.BAD_STAY)

    def _prefer(self, name: str, derived: Column, given: Column, flag: Flag) -> pa.Array:
        """What the dates give, else what the column gives; both are counted."""
        known = pc.is_valid(derived.values)
        self._count(f"{name}-from-dates", known)
        self._count(f"{name}-differs-from-dates", pc.not_equal(derived.values, given.values))
        if given.bad is not None:
            # A column that is not understood does no harm where the dates decide.
            self._count(f"{name}-differs-from-dates", pc.and_(given.bad, known))
            given = Column(given.values, pc.and_(given.bad, pc.invert(known)))
        self._flag(flag, scalars.either(derived.bad, given.bad))
        return pc.coalesce(derived.values, given.values)

    def _count(self, name: str, mask: pa.Array) -> None:
        if number := pc.sum(mask).as_py():
            self.counts[name] += number

    def _days_between(self, first: str, last: str) -> pa.Array:
        """Days from one date to the other (int32), null and flagged where they are out of order."""
        start, end = (self._date(field).cast(pa.int32()) for field in (first, last))
        days = pc.subtract(end, start)
        if (pc.min(days).as_py() or 0) >= 0:
            return days
        wrong = pc.less(days, 0)
        self._flag(Flag.DATES_OUT_OF_ORDER, pc.fill_null(wrong, False))
        return pc.if_else(wrong, _NO_INT, days)

    def _age_years(self) -> pa.Array:
        return self._years_and_elapsed()[0]

    def _age_days(self) -> pa.Array:
        return self._days_of_age(*self._years_and_elapsed())

    def _years_and_elapsed(self) -> tuple[pa.Array, pa.Array]:
        """Age in full years, and the days from birth to admission where both dates are used."""
        if self._years is None:
            nothing = Column(pa.nulls(self._batch.num_rows, pa.int32()))
            years, elapsed = nothing, nothing.values
            if self._has("age_years"):
                years = scalars.integers(self._column("age_years"), 0, MAX_AGE, _AGE, self.counts, "age")
            if self._options.age == "dates" and self._has("birth_date", "admission_date"):
                elapsed = self._days_between("birth_date", "admission_date")
                dated = _full_years(self._date("birth_date"), self._date("admission_date"), elapsed)
                derived = scalars.integers(dated, 0, MAX_AGE, _AGE, self.counts, "age")
                self._years = self._prefer("age", derived, years, Flag.BAD_AGE), elapsed
            else:
                self._years = self._flagged(years, Flag.BAD_AGE), elapsed
        return self._years

    def _days_of_age(self, years: pa.Array, elapsed: pa.Array) -> pa.Array:
        infant = pc.fill_null(pc.equal(years, 0), False)
        dated = Column(pc.if_else(infant, elapsed, _NO_INT))
        if not self._has("age_days"):
            return dated.values
        given = self._given_age_days(pc.and_(infant, pc.is_null(elapsed)))
        grown = pc.fill_null(pc.greater(years, 0), False)
        over = pc.and_(infant, pc.fill_null(pc.greater(given.values, MAX_AGE_DAYS), False))
        bad = scalars.either(given.bad, over)
        # From the first birthday on the age in days decides nothing, so it cannot be wrong.
        bad = pc.and_(bad, pc.invert(grown)) if pc.any(bad).as_py() else None
        values = pc.if_else(over, _NO_INT, given.values)
        if dated.values.null_count == len(dated.values):
            return self._flagged(Column(values, bad), Flag.BAD_AGE_DAYS)
        return self._prefer("age-days", dated, Column(values, bad), Flag.BAD_AGE_DAYS)

    def _given_age_days(self, decides: pa.Array) -> Column:
        """The column of ages in days; ``decides`` are the rows where it alone gives the age."""
        array = self._column("age_days")
        unit = self._options.age_days_unit or self._map["age_days"].transform
        if unit == "months":
            text = array if scalars.is_text(array.type) else array.cast(pa.string())
            return scalars.parsed(text, months_as_days, pa.int32(), self.counts, "age-days")
        days = scalars.integers(array, 0, 2**31 - 1, _AGE_DAYS, self.counts, "age-days")
        if unit == "months-or-days":
            # Zero is the same in months and in days.
            unclear = pc.or_(pc.fill_null(pc.not_equal(days.values, 0), False), _mask(days))
            unclear = pc.and_(unclear, decides)
            if pc.any(unclear).as_py():
                raise self._unit_unknown(pc.index(unclear, True).as_py())
        return days

    def _unit_unknown(self, row: int) -> UsageError:
        column = self._map["age_days"].columns[0]
        value = self._batch.column(column)[row].as_py()
        number = self._first_row + row + 1
        return UsageError(
            zh=f"第 {number} 行：列 {column!r}（不足一周岁年龄）为 {value!r}，可能是月也可能是天；"
            "请指定 --age-days-unit months 或 --age-days-unit days",
            en=f"row {number}: column {column!r} (age under one year) is {value!r}, which may be in months "
            "or in days; name --age-days-unit months or --age-days-unit days",
        )


def _mask(column: Column) -> pa.Array:
    return column.bad if column.bad is not None else pa.repeat(pa.scalar(False), len(column.values))


def _full_years(birth: pa.Array, day: pa.Array, elapsed: pa.Array) -> pa.Array:
    """Full years from ``birth`` to ``day`` (int32), null where ``elapsed`` is null.

    Somebody born on 29 February turns a year older on 1 March of a common year.
    """
    years = pc.subtract(pc.year(day), pc.year(birth))
    before = pc.less(_month_day(day), _month_day(birth))
    full = pc.subtract(years, before.cast(pa.int64()))
    return pc.if_else(pc.is_valid(elapsed), full, pa.scalar(None, pa.int64())).cast(pa.int32())


def _month_day(day: pa.Array) -> pa.Array:
    return pc.add(pc.multiply(pc.month(day), 100), pc.day(day))
