"""Amounts, days and whole numbers as people write them, in SQL: what a text says, or null.

A database takes more for a number than a person does: ``1e3``, ``0x10`` and ``1_000`` are no amounts and no
counts, and 4.5 days are not 5. And less: ``￥8,600.00元`` and ``2025年3月5日`` are plain to everybody.
``grouper.records.values`` reads the same in Python.
"""

from __future__ import annotations

import pyarrow as pa

from grouper.base.sql import literal

# A comma stands only between groups of three digits: 5000,00 and 1,2 are not amounts.
AMOUNT = r"[+-]?(?:(?:\d{1,15}|\d{1,3}(?:,\d{3}){1,4})(?:\.(\d{0,12}))?|\.\d{1,12})"
SIGN = r"^([+-]?)\s*(?:¥|￥|人民币|RMB|CNY)\s*"
UNIT = r"\s*(?:元整?|圆整?|yuan|RMB|CNY)$"
_WHOLE = r"[+-]?\d{1,9}(?:\.0*)?"
_DAY = r"^(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|年(\d{1,2})月(\d{1,2})日?|(\d\d)(\d\d))(\D.*)?$"


def is_text(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are texts, also where they stand in a dictionary."""
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)
    )


def amount(text: str) -> str:
    """SQL of the plain number in a text of yuan: ``8600.00`` for ``￥8,600.00元``."""
    bare = f"regexp_replace(trim(CAST({text} AS VARCHAR)), {literal(SIGN)}, '\\1', 'i')"
    bare = f"trim(regexp_replace({bare}, {literal(UNIT)}, '', 'i'))"
    return f"CASE WHEN regexp_full_match({bare}, {literal(AMOUNT)}) THEN replace({bare}, ',', '') END"


def day(text: str) -> str:
    """SQL of the DATE in a text, with or without a time of day behind it."""
    trimmed = f"trim(CAST({text} AS VARCHAR))"
    dashed = f"regexp_replace({trimmed}, {literal(_DAY)}, '\\1-\\2\\4\\6-\\3\\5\\7\\8')"
    return f"CASE WHEN regexp_matches({trimmed}, {literal(_DAY)}) THEN TRY_CAST({dashed} AS DATE) END"


def whole(text: str) -> str:
    """SQL of the INTEGER in a text; ``4.0`` is 4."""
    trimmed = f"trim(CAST({text} AS VARCHAR))"
    return (
        f"CASE WHEN regexp_full_match({trimmed}, {literal(_WHOLE)}) THEN TRY_CAST({trimmed} AS INTEGER) END"
    )
