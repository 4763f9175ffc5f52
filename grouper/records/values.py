"""Reading single values from text: numbers, dates, durations, money. Words of a list: see words.py.

Each parser takes one text and gives a :class:`Parsed`. They run once for each distinct
text of a batch, so they may be thorough.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from grouper.base import written
from grouper.base.exact import fits, half_up

# Texts that stand for "no value", after full-width characters are made half-width.
BLANKS = frozenset(
    ["", "-", "--", "---", "—", "——", "/", "\\", "\\N", "NULL", "Null", "null", "(null)",
     "None", "none", "NaN", "nan", "NA", "N/A", "n/a"]
)  # fmt: skip
MIN_YEAR, MAX_YEAR = 1880, 2100
DAYS_PER_MONTH = 365.25 / 12

# Hours, minutes and perhaps seconds at the end of a date, as RE2 and Python both read it.
_CLOCK = (
    r"(?:[01]?[0-9]|2[0-3])(?::[0-5]?[0-9](?::[0-5]?[0-9](?:\.[0-9]+)?)?(?:\+08:?00)?"
    r"|时[0-5]?[0-9]分(?:[0-5]?[0-9]秒)?)$"
)
TIME_AFTER_BLANK = r"[T\s]\s*" + _CLOCK
_TIME = re.compile(r"(?:[T\s]\s*|(?<=日))" + _CLOCK)
_COMPACT_TIME = re.compile(r"(?<=^\d{8})\s?T?(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\.\d+)?)?$")
_DATE = re.compile(r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|年(\d{1,2})月(\d{1,2})日?|(\d\d)(\d\d))")
_NUMBER = re.compile(r"([+-]?\d+)(?:\.(\d*))?")
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
_MONEY = re.compile(written.AMOUNT)
_MONEY_SIGN = re.compile(written.SIGN, re.IGNORECASE)
_MONEY_UNIT = re.compile(written.UNIT, re.IGNORECASE)
_MAX_LENGTH = 40  # a longer text is no number, whatever it holds
_DURATION = re.compile(r"(\d+)/(\d+)/(\d+)|(?:(\d+)天)?(?:(\d+)小?时)?(?:(\d+)分钟?)?")
_MONTHS = re.compile(r"(?:(\d+)(?:\s+|\+|月|个月))?(\d{1,2})/30|(\d+(?:\.\d+)?)(?:个?月)?")


class Parsed(NamedTuple):
    """A value or None, whether the text was there but not understood, and what was normalised."""

    value: Any
    bad: bool = False
    note: str = ""


MISSING = Parsed(None)
BLANK_MARKER = Parsed(None, note="blank-marker")
NOT_UNDERSTOOD = Parsed(None, bad=True)

Parser = Callable[[str], Parsed]


def clean(text: str) -> tuple[str, str]:
    """``text`` without blanks at its ends and with half-width characters, and a note if they changed."""
    text = text.strip()
    if text.isascii():
        return text, ""
    normal = unicodedata.normalize("NFKC", text).strip()
    return normal, "full-width" if normal != text else ""


def blank(text: str) -> Parsed | None:
    """What a cleaned text that stands for "no value" gives; None for any other text."""
    if text == "":
        return MISSING
    return BLANK_MARKER if text in BLANKS else None


def integer(low: int, high: int, units: str = "", *, zero_is_missing: bool = False) -> Parser:
    """A parser of whole numbers from ``low`` to ``high``, with one of ``units`` (joined by |) allowed."""
    unit = re.compile(rf"\s*(?:{units})$") if units else None

    def parse(text: str) -> Parsed:
        text, note = clean(text)
        if (nothing := blank(text)) is not None:
            return nothing
        if len(text) > _MAX_LENGTH:
            return NOT_UNDERSTOOD
        if unit is not None and (bare := unit.sub("", text)) != text:
            text, note = bare, note or "unit-text"
        match = _NUMBER.fullmatch(text.replace(" ", ""))
        if match is None or (match[2] or "0").strip("0"):
            return NOT_UNDERSTOOD
        value = int(match[1])
        if zero_is_missing and value == 0:
            return Parsed(None, note="zero-as-missing")
        if not low <= value <= high:
            return NOT_UNDERSTOOD
        return Parsed(value, note=note or ("decimal-integer" if "." in text else ""))

    return parse


def newborn_weight(low: int, high: int) -> Parser:
    """A parser of weights of newborns in grams; several weights in one text give none of them."""
    one = integer(low, high, "g|克", zero_is_missing=True)

    def parse(text: str) -> Parsed:
        parts = [part for part in re.split(r"[,;，；、|]", text) if blank(clean(part)[0]) is None]
        if len(parts) < 2:
            return one(parts[0] if parts else text)
        parsed = [one(part) for part in parts]
        if any(part.bad for part in parsed):
            return NOT_UNDERSTOOD
        return Parsed(None, note="several")

    return parse


def parse_date(text: str) -> Parsed:
    """A date, with or without a time of day, which is checked and left out.

    Notations: 2025-01-31, 2025/1/31, 2025.1.31, 20250131, 2025年1月31日; times 8:05[:30],
    080530 or 8时5分. Years outside 1880-2100 are not understood.
    """
    text, note = clean(text)
    if (nothing := blank(text)) is not None:
        return nothing
    text = _COMPACT_TIME.sub("", _TIME.sub("", text))
    match = _DATE.fullmatch(text)
    if match is None:
        return NOT_UNDERSTOOD
    year, month, day = (int(part) for part in match.groups() if part and part.isdigit())
    try:
        value = date(year, month, day)
    except ValueError:
        return NOT_UNDERSTOOD
    if not MIN_YEAR <= year <= MAX_YEAR:
        return NOT_UNDERSTOOD
    return Parsed(value, note=note)


MOST_HOURS = 36_500 * 24  # as long as the longest stay


def hours(factor: float) -> Parser:
    """A parser of durations: plain numbers times ``factor``, or days/hours/minutes, in hours."""

    def parse(text: str) -> Parsed:
        text, note = clean(text)
        if (nothing := blank(text)) is not None:
            return nothing
        if len(text) > _MAX_LENGTH:
            return NOT_UNDERSTOOD
        if _DECIMAL.fullmatch(text):
            value = float(text) * factor
            return Parsed(value, note=note) if 0 <= value <= MOST_HOURS else NOT_UNDERSTOOD
        match = _DURATION.fullmatch(text.replace(" ", ""))
        if match is None:
            return NOT_UNDERSTOOD
        day, hour, minute = (
            int(part or 0) for part in (match.groups()[:3] if match[1] else match.groups()[3:])
        )
        found = day * 24 + hour + minute / 60
        return Parsed(found, note="duration-text") if found <= MOST_HOURS else NOT_UNDERSTOOD

    return parse


def months_as_days(text: str) -> Parsed:
    """An age in months as days: 2.5, "2 15/30" or 15/30; the fraction counts in thirtieths of a month.

    Whole months count 365.25/12 days each, rounded down together.
    """
    text, _ = clean(text)
    if (nothing := blank(text)) is not None:
        return nothing
    match = _MONTHS.fullmatch(text)
    if match is None or len(text) > _MAX_LENGTH:
        return NOT_UNDERSTOOD
    if match[3]:
        whole = int(float(match[3]))
        days = round((float(match[3]) - whole) * 30)
    else:
        whole, days = int(match[1] or 0), int(match[2])
    value = int(whole * DAYS_PER_MONTH) + days
    return Parsed(value, note="age-from-months") if value <= 366 and days <= 30 else NOT_UNDERSTOOD


def plain_text(text: str) -> Parsed:
    """Text without blanks at its ends."""
    text = text.strip()
    return blank(clean(text)[0]) or Parsed(text)


def parse_money(text: str) -> Parsed:
    """Yuan with at most two decimals (zeros aside); ``1,234.50``, ``￥12`` and ``12元`` are understood.

    Not understood: ``5000,00``, ``1,2``, ``1e30``, ``inf``, ``nan``, parts of a fen, more than 15 digits.
    """
    text, note = clean(text)
    if text.casefold() == "nan":
        return NOT_UNDERSTOOD
    if (nothing := blank(text)) is not None:
        return nothing
    bare = _bare_money(text)
    if len(bare) > _MAX_LENGTH or not _MONEY.fullmatch(bare):
        return NOT_UNDERSTOOD
    value = Decimal(bare.replace(",", ""))
    if not fits(value, 2):
        return NOT_UNDERSTOOD
    return Parsed(half_up(value, 2), note=note or ("unit-text" if bare != text or "," in bare else ""))


def money_text(text: str) -> str | None:
    """An amount as a plain text, ``8600.00`` for ``￥8,600.00 元``; None for what ``parse_money`` does not
    understand, or where nothing is given."""
    if parse_money(text).value is None:
        return None
    return _bare_money(clean(text)[0]).replace(",", "")


def plain_amount(text: str) -> str | None:
    """An amount as a plain text, of any number of decimals; None for what is none."""
    bare = _bare_money(clean(text)[0])
    return bare.replace(",", "") if _MONEY.fullmatch(bare) else None


def not_money(text: str) -> tuple[str, str]:
    """What an error says of a cell that is no amount, and how one is written, Chinese and English."""
    return (
        f"{text!r} 不是金额 [bad-amount]；应为元，最多两位小数，如 8600.00、8,600.00、￥8,600.00、600元",
        f"{text!r} is no amount [bad-amount]; write yuan with at most two decimals, such as 8600.00, "
        "8,600.00, ￥8,600.00 or 600元",
    )


def _bare_money(text: str) -> str:
    """An amount without the sign of yuan before it or the word behind it."""
    return _MONEY_UNIT.sub("", _MONEY_SIGN.sub(r"\1", text, count=1)).strip()
