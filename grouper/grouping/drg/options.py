"""The options in which DRG schemes differ: names, values and defaults. docs/tables.md has their meanings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

# The values that an option may take.
CHOICES: dict[str, tuple[str | bool, ...]] = {
    "when_no_drg": ("next", "stop"),
    "retry_other_procedures": (True, False),
    "severity_from_other_diagnoses_only": (True, False),
    "weight": ("birth", "admission"),
}


@dataclass(frozen=True)
class DrgOptions:
    """One option set.

    ``when_no_drg``: whether an ADRG none of whose groups holds ends the search. ``weight``: of a newborn,
    which the conditions mean.
    """

    when_no_drg: str = "next"
    retry_other_procedures: bool = False
    severity_from_other_diagnoses_only: bool = True
    weight: str = "birth"


def options_from(values: Mapping[str, Any]) -> DrgOptions:
    """The options of a ``scheme.toml``; ``grouper tables verify`` names those that nobody knows."""
    known = {item.name for item in fields(DrgOptions)}
    return DrgOptions(**{name: value for name, value in values.items() if name in known})
