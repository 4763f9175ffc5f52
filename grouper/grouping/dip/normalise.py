"""Step 1 of DIP grouping: code texts into the one spelling in which they are compared."""

from __future__ import annotations

import re
import unicodedata

# No code at all, after folding.
EMPTY = frozenset({"", "-", "--", "/", "NULL", "NONE"})
PRINCIPAL = re.compile(r"[A-Z][0-9]{2}")
_DIAGNOSIS = re.compile(r"[A-Z][0-9]{2}[0-9X]")
_PROCEDURE = re.compile(r"[0-9]{3}[0-9X]")
_NUMBER = re.compile(r"([0-9]{1,2})\.([0-9]{1,4})")
_KEYED = re.compile(r"...\.[0-9X]")
_INVISIBLE = str.maketrans("", "", "\u200b\ufeff")


def fold(text: str) -> str:
    """Width, white space, invisible characters and case made one; "" where there is no code."""
    folded = "".join(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).split()).upper()
    return "" if folded in EMPTY else folded


def diagnosis(text: str) -> str:
    """A diagnosis as it is compared: ``k35800`` becomes ``K35.800``; "" where there is no code."""
    folded = fold(text)
    return f"{folded[:3]}.{folded[3:]}" if _DIAGNOSIS.match(folded) else folded


def procedure(text: str) -> str:
    """An operation as it is compared: ``441300x001`` becomes ``44.1300X001``."""
    folded = fold(text)
    return f"{folded[:2]}.{folded[2:]}" if _PROCEDURE.match(folded) else folded


def key(code: str) -> str:
    """The subcategory (亚目) of a diagnosis, its first five characters; "" when it has none."""
    return code[:5] if _KEYED.match(code) else ""


def with_zeros(code: str) -> str:
    """The operation that a spreadsheet may have turned into the number ``code``; "" where it is none.

    Only decimal numbers are suspected (``6.31`` for 06.3100): a bare ``12`` is just unknown.
    """
    match = _NUMBER.fullmatch(code)
    return f"{match[1]:0>2}.{match[2]:0<4}" if match else ""
