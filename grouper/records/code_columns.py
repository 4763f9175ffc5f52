"""Columns of diagnosis and procedure codes: told by a name that no alias has, or by what stands in them.

The aliases name the columns of known layouts; hospitals number and shorten theirs in many ways (其他诊断1,
次诊断, 手术及操作, 手术代码2). One rule reads these names. What no name tells, the cells do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.records.scalars import is_text, plain

_NUMBER = r"(?P<{}>[0-9]{{0,9}}+)"
_RANK = r"(?P<rank>主要|主|其他|其它|次要|次|附加)?"
_END = _NUMBER.format("first") + r"(?P<code>编码|代码|码)?" + _NUMBER.format("last")
_NAMES = {
    "diagnoses": re.compile(rf"(?:出院)?{_RANK}(?:出院)?诊断(?:疾病)?{_END}"),
    "procedures": re.compile(rf"{_RANK}(?:手术(?:[及与和]?操作)?|操作){_END}"),
}
# Codes that are recorded for other ends than grouping: of the clinic, of pathology, of causes of an injury.
_OTHER_ENDS = re.compile(
    r"门诊|急诊|入院|病理|损伤|中毒|外因|术前|术后|^otp_|^(?:c01c|c09c|c12c|jbbm|jbmm|h23)$",
    re.IGNORECASE,
)
# What a cell begins with, and what makes a code of it that nothing else looks like.
_CELLS = {
    "diagnoses": (
        r"^\s*[A-Za-z][0-9]{2}(?:\.[0-9xX][0-9A-Za-z.+*†]*)?(?:\W|$)",
        r"^\s*[A-Za-z][0-9]{2}\.[0-9xX]",
    ),
    # Amounts have two decimals: four of them, or an x, make a code.
    "procedures": (
        r"^\s*[0-9]{2}\.[0-9]{1,4}(?:x[0-9]+)?(?:\W|$)",
        r"^\s*[0-9]{2}\.(?:[0-9]{3,4}|[0-9]{2}x[0-9]+)",
    ),
}
SIDES = {"diagnoses": ("诊断", "diagnosis"), "procedures": ("手术操作", "procedure")}
_ANY = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z][0-9]{2}(?![0-9]{4})|[0-9]{1,2}\.[0-9])")
_MOST, _SOME = 0.8, 0.5  # the share of cells that look like codes, and of those that nothing else looks like


class Named(NamedTuple):
    """What the name of a column says: the field, its running number, whether it says that it holds codes,
    and whether it is the principal or main one (no other)."""

    field: str
    number: int
    codes: bool
    leads: bool


def by_name(bare: str) -> Named | None:
    """The field of codes that a column of this name holds; ``bare``: without blanks and marks."""
    for field, pattern in _NAMES.items():
        if found := pattern.fullmatch(bare):
            number = found["first"] or found["last"] or "0"
            return Named(field, int(number), bool(found["code"]), found["rank"] in ("主要", "主", None))
    return None


def of_other_end(name: str) -> bool:
    """Whether a name says that its codes are not those of the discharge (门诊诊断, 病理诊断)."""
    return _OTHER_ENDS.search(name.strip()) is not None


def by_cells(cells: Mapping[str, int]) -> str:
    """The field whose codes these cells hold; "" where they are anything else."""
    total = sum(number for text, number in cells.items() if text.strip())
    for field, (like, surely) in _CELLS.items():
        good = sum(number for text, number in cells.items() if re.search(like, text))
        sure = sum(number for text, number in cells.items() if re.search(surely, text))
        if total and good >= _MOST * total and sure >= _SOME * total:
            return field
    return ""


def some_codes(cells: Mapping[str, int]) -> bool:
    """Whether cells hold codes, alone or beside a name; cells that are not known or are blank may."""
    filled = [text for text in cells if text.strip()]
    return not filled or any(_ANY.search(text) for text in filled)


def unread_codes(batch: pa.RecordBatch, names: Sequence[str]) -> dict[str, str]:
    """Those of the unread columns ``names`` that hold codes, and of which field. Names that say that their
    codes are of another end are passed over."""
    found = {}
    for name in names:
        column = plain(batch.column(name))
        if of_other_end(name) or not is_text(column.type):
            continue
        counted = pc.value_counts(column.drop_null()).to_pylist()
        if field := by_cells(Counter({entry["values"]: entry["counts"] for entry in counted})):
            found[name] = field
    return found
