"""Values as plain data for JSON: amounts as texts with fen, other numbers as texts of decimals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from grouper.grouping.words import NUMBERS
from grouper.payment.formula import expression
from grouper.payment.policy.words import column
from grouper.records.normalise import NormaliseOptions
from grouper.workbench.door import Entered, Note


def plain_value(value: Any) -> Any:
    """A value as JSON has it: numbers that are not whole as texts, days as YYYY-MM-DD."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) < 1e18 else None
    if isinstance(value, Decimal | Fraction):
        return expression.plain(value)
    if isinstance(value, date):
        return str(value)[:10]
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    return str(value)


def plain_yuan(value: Decimal | None) -> str | None:
    """An amount in yuan with fen."""
    return None if value is None else format(value, ".2f")


def label_of(name: str, lang: str) -> str:
    """A column of a record in words."""
    pair = NUMBERS.get(name)
    return pair[lang == "en"] if pair else column(name, lang)


def plain_record(entered: Entered, options: NormaliseOptions, lang: str) -> tuple[dict[str, Any], list[Note]]:
    """The record as it was understood, and notes on what was changed."""
    fields, notes = entered.fields(options)
    return {
        "fields": {name: plain_value(value) for name, value in fields.items()},
        "notes": [],
        "dropped": [note.as_dict(lang) for note in entered.dropped],
    }, notes
