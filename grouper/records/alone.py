"""The gate for one record that comes alone: what ``grouper.records.stays`` says of it, without a database.

Its rules are those of ``grouper.records.gate`` for rows among which nobody is a partner: a property test
holds both against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from grouper.base.errors import DataError
from grouper.base.exact import half_up
from grouper.records.stays import FIELDS
from grouper.records.values import parse_date, plain_amount
from grouper.records.words import FLAG_FIELDS, WordReader


def reason_alone(record: Mapping[str, Any]) -> str | None:
    """Why a record of canonical columns is no stay; None for one that is.

    A record without ids is taken as a row of a file without them. Raises DataError for a flag that is not
    understood.
    """
    given = {name: str(record[name]) for name in FIELDS if record.get(name) is not None}
    refund, valid, interim = (_flag(name, given.get(name)) for name in FLAG_FIELDS)
    ids = [given[name] for name in ("record_id", "settlement_id") if name in given]
    if ids and not any(text.strip(" ") for text in ids):
        return "no-id"
    if valid is False:
        return "invalid-flag"
    cost = _cost(given.get("total_cost"))
    if "total_cost" in given and cost is None:
        return "no-amount"
    if cost is not None and (cost < 0 or (refund and cost <= 0)):
        return "refund-unmatched" if refund else "negative-cost"
    if refund:
        return "refund-positive"
    if cost == 0:
        return "zero-cost"
    if interim:
        return "interim"
    admitted, discharged = (_day(given.get(name)) for name in ("admission_date", "discharge_date"))
    if admitted is not None and discharged is not None and admitted > discharged:
        return "dates-out-of-order"
    return None


def _flag(name: str, word: str | None) -> bool | None:
    if word is None:
        return None
    reader = WordReader(name)
    parsed = reader(word)
    if parsed.bad:
        known = reader.known()
        raise DataError(
            zh=f"{name}：{word!r} 无法识别；可用：{known}",
            en=f"{name}: {word!r} is not understood; known are {known}",
        )
    return None if parsed.value is None else parsed.value == "true"


def _cost(text: str | None) -> Any:
    plain = plain_amount(text) if text is not None else None
    return None if plain is None else half_up(Decimal(plain), 2)


def _day(text: str | None) -> date | None:
    found: date | None = parse_date(text).value if text else None
    return found
