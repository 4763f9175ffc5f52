"""A scheme read from somewhere else, before it is written; what both families' imports give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from grouper.base.findings import Finding
from grouper.base.whole import write_text

EDITIONS = {"icd10": "insurance-2.0", "icd9cm3": "insurance-2.0"}


class Refusal(NamedTuple):
    """Why a scheme is not written although it could be, in Chinese and English."""

    zh: str
    en: str


@dataclass(frozen=True)
class Imported:
    """What an import found. ``fill`` writes the scheme into an empty folder and raises TableError where it
    would not load; None: there were errors. ``refusal``: nothing may be written."""

    findings: Sequence[Finding]
    fill: Callable[[Path], None] | None
    refusal: Refusal | None = None


def identity(
    meta: Mapping[str, Any], kind: str, base: str | None, base_meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``scheme.toml`` of an import: ``meta`` with what the base says of code editions."""
    whole = {
        "id": meta["id"],
        "name": meta["name"],
        "kind": kind,
        "area": meta["area"],
        "region": meta.get("region"),
        "base": base,
        "valid_from": meta.get("valid_from"),
        "valid_to": meta.get("valid_to"),
        "validity_verified": False,
        "sources": meta["sources"],
        "editions": dict(base_meta.get("editions", {})) if base else dict(EDITIONS),
    }
    return {key: value for key, value in whole.items() if value is not None}


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Texts by file name, in UTF-8 with plain line ends."""
    for name, text in files.items():
        write_text(folder / name, text)
