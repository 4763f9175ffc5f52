"""One record in a small catalogue, asked of kernel and reference; the codes that these cases use."""

from __future__ import annotations

from typing import Any

from grouper.grouping.dip.reference import Reference
from grouper.grouping.dip.tables.catalogue import Catalogue

from .dip_support import engine_of, outcome, rows_of, same

APPENDECTOMY, ADHESIONS, GALL = "47.0100", "54.5100", "51.2300"  # surgical
GASTROSCOPY = "44.1300x001"  # diagnostic
OXYGEN, TUBE = "93.9601", "96.0700"  # therapeutic; the second one is grey
STENT = "36.0700"  # interventional
NO_KIND = "45.4300x013"
DX = "K35.800"


def group(catalogue: Catalogue, dx: str = DX, *operations: str | None, **numbers: Any) -> str | None:
    """The packet of one record."""
    return whole(catalogue, dx, *operations, **numbers)["code"]


def whole(catalogue: Catalogue, dx: str = DX, *operations: str | None, **numbers: Any) -> dict[str, Any]:
    """The result columns of one record, on which kernel and reference must agree."""
    others = numbers.pop("others", [])
    record = {"diagnoses": [dx, *others], "procedures": list(operations), **numbers}
    (found,) = rows_of(engine_of(catalogue), [record])
    wanted = outcome(Reference(catalogue).group(record))
    assert same(found, wanted), (found, wanted)
    return found
