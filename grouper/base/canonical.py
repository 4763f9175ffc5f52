"""One text for the same data, whatever holds them: what digests are taken over.

Names are sorted, dates are ISO texts, every number is a plain decimal text (a fraction that has none is
"n/d"), tuples and lists are lists, an absent value is null. Never over a ``repr``: that changes with the name
of a field or with another type for the same number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from grouper.base.digests import sha256_of


def canonical(value: Any) -> Any:
    """``value`` as data of JSON. Raises TypeError for what has no canonical form, floats among them."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | Decimal | Fraction):
        return number_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_name(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{key!r} is no name")
    return key


def number_text(value: int | Decimal | Fraction) -> str:
    """A number in plain digits without trailing zeros ("0.85", "7800"), exact; else "n/d"."""
    exact = Fraction(value)
    rest, twos, fives = exact.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{exact.numerator}/{exact.denominator}"
    digits = max(twos, fives)
    whole = str(abs(exact.numerator) * 10**digits // exact.denominator).rjust(digits + 1, "0")
    sign = "-" if exact < 0 else ""
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}" if digits else f"{sign}{whole}"


def canonical_text(value: Any) -> str:
    """The canonical JSON of ``value``. Raises as ``canonical``."""
    return json.dumps(canonical(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(value: Any) -> str:
    """SHA-256 over the canonical JSON. Raises as ``canonical``."""
    return sha256_of(canonical_text(value))
