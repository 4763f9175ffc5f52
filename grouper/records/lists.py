"""Gathering the codes of a row into one list: from lists, joined text or wide columns.

Whole columns at a time. A column of lists goes on as it is, and joined text is split: their blank
entries are dealt with where codes are read. Wide columns are folded without their blank cells,
but the place of a blank principal diagnosis is kept with a null, because no other diagnosis may
take it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.records.values import BLANKS

# Texts are compared as they are, so the full-width forms stand here too.
_BLANK_CODES = pa.array(sorted(BLANKS | {"－", "／"}), pa.string())


class _Piece(NamedTuple):
    """The codes that one column gives to the rows of a batch."""

    values: pa.Array  # the codes, in row order
    rows: pa.Array  # int64, the row of each code
    leads: pa.Array  # bool, whether the row's first entry is a code


def code_lists(
    arrays: Sequence[pa.Array], separator: str | None, field: str, counts: Counter[str]
) -> pa.Array:
    """The list column of ``field`` ("diagnoses" or "procedures") from its columns in one batch.

    One column may hold lists, which are given back as they are, or text to be split at
    ``separator`` (``|`` when None; "any:XY": at any of these characters). Several columns give
    one code each, in their order, unless a separator is named; the result is then list<string>.
    """
    if len(arrays) == 1:
        return _as_lists(arrays[0], separator or "|", counts)
    if separator is None and not any(_is_list(array.type) for array in arrays):
        pieces = [_text_piece(array, counts) for array in arrays]
    else:
        pieces = [_list_piece(_as_lists(array, separator or "|", counts), counts) for array in arrays]
    return _gather(pieces, len(arrays[0]), field, counts)


def present(values: pa.Array) -> pa.Array:
    """Boolean mask without nulls: which texts are not blank."""
    values = as_text(values)
    mask = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=_BLANK_CODES)))
    some = values.filter(mask)
    # Padding is rare: trim only when a text starts or ends with a blank.
    if not pc.any(pc.match_substring_regex(some, r"^\s|\s$|^　|　$")).as_py():
        return mask
    still = pc.invert(pc.is_in(pc.utf8_trim_whitespace(some), value_set=_BLANK_CODES))
    return pc.replace_with_mask(mask, mask, still)


def offsets_of(lengths: pa.Array) -> pa.Array:
    """List offsets (int32, one more than rows) from the lengths of the rows."""
    return pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths.cast(pa.int32()))])


def count_per_row(rows: pa.Array, number: int) -> pa.Array:
    """How many times each of the numbers below ``number`` occurs in ``rows`` (int64)."""
    # Every row is added once, so that rows without entries are counted too.
    counted = pc.value_counts(pa.concat_arrays([rows, pa.arange(0, number)]))
    order = pc.sort_indices(counted.field("values"))
    return pc.subtract(counted.field("counts").take(order), 1)


def as_text(array: pa.Array) -> pa.Array:
    """``array`` as plain strings."""
    return array if pa.types.is_string(array.type) else array.cast(pa.string())


def _is_list(type_: pa.DataType) -> bool:
    return pa.types.is_nested(type_) and not pa.types.is_struct(type_)


def _as_lists(array: pa.Array, separator: str, counts: Counter[str]) -> pa.Array:
    type_ = array.type
    if pa.types.is_null(type_) or (_is_list(type_) and pa.types.is_null(type_.value_type)):
        return array.cast(pa.list_(pa.string()))
    if _is_list(type_):
        return array
    text = as_text(array)
    if separator.startswith("any:"):
        pattern = "[" + "".join(f"\\{c}" if c.isascii() else c for c in separator[4:]) + "]"
        return pc.split_pattern_regex(text, pattern)
    if separator == "|" and (wide := pc.sum(pc.match_substring(text, "｜")).as_py()):
        counts["full-width-separator"] += wide
        text = pc.replace_substring(text, "｜", "|")
    return pc.split_pattern(text, separator)


def _list_piece(lists: pa.Array, counts: Counter[str]) -> _Piece:
    lists = lists.cast(pa.list_(pa.string()))
    rows, values = pc.list_parent_indices(lists), lists.flatten()
    keep = present(values)
    _count_blanks(values, keep, counts)
    first = pc.list_element(lists.filter(pc.greater(pc.list_value_length(lists), 0)), 0)
    filled = pc.fill_null(pc.greater(pc.list_value_length(lists), 0), False)
    leads = pc.replace_with_mask(filled, filled, present(first))
    return _Piece(values.filter(keep), rows.filter(keep), leads)


def _text_piece(array: pa.Array, counts: Counter[str]) -> _Piece:
    text = as_text(array)
    keep = present(text)
    _count_blanks(text, keep, counts)
    return _Piece(text.filter(keep), pa.arange(0, len(text)).filter(keep), keep)


def _gather(pieces: Sequence[_Piece], number: int, field: str, counts: Counter[str]) -> pa.Array:
    """One list per row: the codes of the first column, then those of the next."""
    values = [piece.values for piece in pieces]
    rows = [piece.rows for piece in pieces]
    lengths = count_per_row(pa.concat_arrays(rows), number)
    headless = pc.and_(pc.invert(pieces[0].leads), pc.greater(lengths, 0))
    if lost := pc.sum(headless).as_py():
        counts["principal-blank" if field == "diagnoses" else "main-procedure-blank"] += lost
    if lost and field == "diagnoses":
        empty = pa.arange(0, number).filter(headless)
        values, rows = [pa.nulls(len(empty), pa.string()), *values], [empty, *rows]
        lengths = pc.add(lengths, headless.cast(pa.int64()))
    order = pc.sort_indices(pa.concat_arrays(rows))  # a stable sort: columns keep their order within a row
    return pa.ListArray.from_arrays(offsets_of(lengths), pa.concat_arrays(values).take(order))


def _count_blanks(values: pa.Array, keep: pa.Array, counts: Counter[str]) -> None:
    """Count the entries that were written but stand for nothing (``-``, NULL …)."""
    written = pc.sum(pc.greater(pc.binary_length(values), 0)).as_py() or 0
    if number := written - (pc.sum(keep).as_py() or 0):
        counts["blank-code"] += number
