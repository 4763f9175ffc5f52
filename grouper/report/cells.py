"""Cells for spreadsheets: no text of a file may become a formula, and numbers stay numbers.

A text that begins with = + - @ (also their full-width forms), a tab, a carriage return or a line feed, even
after spaces, gets an apostrophe before it: every spreadsheet then shows it as text, in CSV as well.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

from grouper.base.output import FORMULA_SIGNS

_FIRST = tuple(FORMULA_SIGNS)


def neutral(text: str) -> str:
    """The text as it may stand in a cell."""
    return "'" + text if text.startswith(_FIRST) or text.lstrip().startswith(_FIRST) else text


def cell(value: Any) -> Any:
    """A value for CSV: numbers and dates as they are, texts neutral, None empty."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return neutral(value) if isinstance(value, str) else value


def file_name(code: str) -> str:
    """A hospital's code as a file name: one part of a path, whatever the code holds."""
    quoted = quote(code, safe="")
    return quoted.replace(".", "%2E", 1) if quoted.startswith(".") else quoted or "%00"


def case_book_name(code: str) -> str:
    """The file that lists a hospital's cases, beside its statement."""
    return f"{file_name(code)}-cases.xlsx"
