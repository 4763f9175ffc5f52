"""Typed columns from source columns of any type, a whole batch at a time.

Each function gives a :class:`Column`: the typed values, and which rows hold something that was
not understood or is out of range. Text is parsed once for each distinct value.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.records.values import (
    MAX_YEAR,
    MIN_YEAR,
    TIME_AFTER_BLANK,
    Parsed,
    Parser,
    hours,
    parse_date,
    parse_money,
)

# Days since 1970, as date32 counts them.
_MIN_DAY = (date(MIN_YEAR, 1, 1) - date(1970, 1, 1)).days
_MAX_DAY = (date(MAX_YEAR, 12, 31) - date(1970, 1, 1)).days
_MAX_YUAN = 1e15
# So many distinct texts of dates are worth cutting off their times first.
_MANY = 5_000


class Column(NamedTuple):
    """Values with nulls where there is none; ``bad`` is a boolean mask, None when no row is bad."""

    values: pa.Array
    bad: pa.Array | None = None


def is_text(type_: pa.DataType) -> bool:
    """Whether a column of this type holds text, dictionary-encoded or not."""
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return bool(
        pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)
    )


def is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def plain(array: pa.Array) -> pa.Array:
    """A column without its dictionary."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def texts(array: pa.Array) -> pa.Array:
    """A column of words as texts, whatever it came as: numbers and booleans as they are written."""
    return array if is_text(array.type) else plain(array).cast(pa.string())


def parsed(array: pa.Array, parse: Parser, type_: pa.DataType, counts: Counter[str], prefix: str) -> Column:
    """A text column read by ``parse``; what it normalised is counted as ``prefix``-note."""
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    results = [Parsed(None) if text is None else parse(text) for text in texts]
    values = pa.array([result.value for result in results], type_).take(encoded.indices)
    _count_notes(results, encoded.indices, counts, prefix)
    if not any(result.bad for result in results):
        return Column(values)
    bad = pa.array([result.bad for result in results]).take(encoded.indices)
    return Column(values, pc.fill_null(bad, False))


def _count_notes(results: list[Parsed], indices: pa.Array, counts: Counter[str], prefix: str) -> None:
    noted = {i: result.note for i, result in enumerate(results) if result.note}
    if not noted:
        return
    for entry in pc.value_counts(indices).to_pylist():
        if entry["values"] in noted:
            counts[f"{prefix}-{noted[entry['values']]}"] += entry["counts"]


def integers(
    array: pa.Array, low: int, high: int, parse: Parser, counts: Counter[str], prefix: str,
    *, zero_is_missing: bool = False,
) -> Column:  # fmt: skip
    """Whole numbers from ``low`` to ``high`` as int32; ``parse`` reads text under the same rules."""
    if pa.types.is_null(array.type):
        return Column(array.cast(pa.int32()))
    if is_text(array.type):
        return parsed(array, parse, pa.int32(), counts, prefix)
    bad = None
    if not pa.types.is_integer(array.type):
        numbers = _without_nan(array)
        whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), 2**53))
        bad = pc.fill_null(pc.invert(whole), False)
        array = pc.if_else(whole, numbers, pa.scalar(None, pa.float64())).cast(pa.int64())
    if zero_is_missing:
        zero = pc.equal(array, 0)
        if number := pc.sum(zero).as_py():
            counts[f"{prefix}-zero-as-missing"] += number
            array = pc.if_else(zero, pa.scalar(None, array.type), array)
    limits = pc.min_max(array).as_py()
    if limits["min"] is not None and (limits["min"] < low or limits["max"] > high):
        outside = pc.fill_null(pc.or_(pc.less(array, low), pc.greater(array, high)), False)
        array = pc.if_else(outside, pa.scalar(None, array.type), array)
        bad = outside if bad is None else pc.or_(bad, outside)
    return Column(array if array.type == pa.int32() else array.cast(pa.int32()), _any(bad))


def codes(array: pa.Array, parse: Parser, counts: Counter[str], prefix: str) -> Column:
    """A column of small code numbers (sex, way of discharge) as int32, read by ``parse``."""
    if pa.types.is_null(array.type):
        return Column(array.cast(pa.int32()))
    if is_text(array.type):
        return parsed(array, parse, pa.int32(), counts, prefix)
    numbers = array if pa.types.is_integer(array.type) else _without_nan(array)
    distinct = [value for value in pc.unique(numbers).to_pylist() if value is not None]
    if all(parse(str(value)) == Parsed(value) for value in distinct):
        return Column(numbers.cast(pa.int32()))
    return parsed(numbers.cast(pa.string()), parse, pa.int32(), counts, prefix)


def durations(array: pa.Array, factor: float, counts: Counter[str], prefix: str) -> Column:
    """Hours as float64 from numbers times ``factor`` or from texts."""
    if pa.types.is_null(array.type):
        return Column(array.cast(pa.float64()))
    if is_text(array.type):
        return parsed(array, hours(factor), pa.float64(), counts, prefix)
    numbers = _without_nan(array)
    if factor != 1:
        numbers = pc.multiply(numbers, factor)
    good = pc.and_(pc.is_finite(numbers), pc.greater_equal(numbers, 0))
    if pc.all(good).as_py() is not False:
        return Column(numbers)
    values = pc.if_else(good, numbers, pa.scalar(None, pa.float64()))
    return Column(values, pc.fill_null(pc.invert(good), False))


def money(array: pa.Array, counts: Counter[str], prefix: str) -> Column:
    """Yuan as decimals with two places. Parts of a fen are not understood, nor are infinite or huge values.

    A float is an amount when it is one to a millionth: the rest is how floats are stored.
    """
    yuan = pa.decimal128(18, 2)
    if pa.types.is_null(array.type):
        return Column(array.cast(yuan))
    if is_text(array.type):
        return parsed(array, parse_money, yuan, counts, prefix)
    if pa.types.is_decimal(array.type) and array.type.scale <= 2 and _fits(array.type, yuan):
        return Column(array.cast(yuan))
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        numbers = _without_nan(array)
        small = pc.less(pc.abs(numbers), _MAX_YUAN)
        numbers = pc.if_else(small, numbers, pa.scalar(None, pa.float64()))
        fine = numbers.cast(pa.decimal128(30, 6), safe=False)
    else:
        small = pc.less(pc.abs(array.cast(pa.float64())), _MAX_YUAN)
        fine = pc.if_else(small, array, pa.scalar(None, array.type))
    rounded = pc.round(fine, 2, round_mode="half_towards_infinity")
    whole = pc.equal(rounded, fine)
    bad = pc.and_not(pc.is_valid(array), pc.fill_null(whole, False))
    if pa.types.is_floating(array.type):
        bad = pc.and_(bad, pc.is_valid(_without_nan(array)))
    values = pc.if_else(whole, rounded, pa.scalar(None, rounded.type)).cast(yuan)
    return Column(values, _any(bad))


def dates(array: pa.Array, counts: Counter[str], prefix: str) -> Column:
    """Dates as date32 from dates, timestamps, texts, and whole numbers that read yyyyMMdd."""
    type_ = array.type
    if pa.types.is_null(type_):
        return Column(array.cast(pa.date32()))
    if is_number(type_):
        whole = integers(array, 0, 99_999_999, parse_date, Counter(), prefix)
        column = dates(whole.values.cast(pa.string()), counts, prefix)
        return Column(column.values, either(whole.bad, column.bad))
    if is_text(type_):
        return _text_dates(array, counts, prefix)
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        array = pc.local_timestamp(array)
    bad = None
    if pa.types.is_timestamp(array.type) or pa.types.is_date64(array.type):
        array, bad = _within_days(array)
    if pa.types.is_timestamp(array.type):
        array = pc.floor_temporal(array, unit="day")  # a cast would round towards 1970
    array = array.cast(pa.date32())
    days = integers(array.cast(pa.int32()), _MIN_DAY, _MAX_DAY, parse_date, counts, prefix)
    return Column(days.values.cast(pa.date32()), either(bad, days.bad))


_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def _within_days(array: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """Points of time, null and marked where no calendar has them: days are counted in fewer bits."""
    unit = _PER_DAY[array.type.unit if pa.types.is_timestamp(array.type) else "ms"]
    counted = array.cast(pa.int64())
    low, high = max(_MIN_DAY * unit, -(2**63)), min((_MAX_DAY + 1) * unit - 1, 2**63 - 1)
    outside = _any(pc.fill_null(pc.or_(pc.less(counted, low), pc.greater(counted, high)), False))
    return array if outside is None else pc.if_else(outside, pa.scalar(None, array.type), array), outside


def _fits(type_: pa.DataType, into: pa.DataType) -> bool:
    """Whether every decimal of a type is one of another with as many decimals or more."""
    return bool(type_.scale >= 0 and type_.precision - type_.scale <= into.precision - into.scale)


def _text_dates(array: pa.Array, counts: Counter[str], prefix: str) -> Column:
    if not pa.types.is_dictionary(array.type):
        text = array if pa.types.is_string(array.type) else array.cast(pa.string())
        sample = pc.unique(text.slice(0, 2 * _MANY))
        if len(sample) > _MANY:  # nearly every row has its own time of day
            text = pc.replace_substring_regex(text, TIME_AFTER_BLANK, "")
        array = text
    return parsed(array, parse_date, pa.date32(), counts, prefix)


def either(first: pa.Array | None, second: pa.Array | None) -> pa.Array | None:
    """The union of two masks, where None is a mask without rows."""
    if first is None or second is None:
        return first if second is None else second
    return pc.or_(first, second)


def _without_nan(array: pa.Array) -> pa.Array:
    """``array`` as float64 with null for NaN, which is how some tools write "no value"."""
    numbers = array.cast(pa.float64())
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _any(mask: pa.Array | None) -> pa.Array | None:
    return mask if mask is not None and pc.any(mask).as_py() else None
