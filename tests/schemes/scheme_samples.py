"""A small scheme that tests change and break."""

from __future__ import annotations

from typing import Any

from grouper.grouping.drg.tables.model import Adrg, Drg, Mdc, Scheme


def small_scheme(**changes: Any) -> Scheme:
    """Two MDCs with real codes: an early operation, two strokes split by severity, an ambiguous group."""
    parts: dict[str, Any] = {
        "id": "small",
        "name": "小方案",
        "meta": {
            "id": "small",
            "name": "小方案",
            "area": "small",
            "options": {"when_no_drg": "next", "retry_other_procedures": False},
        },
        "mdcs": (Mdc("MDCA", "先期分组", "true"), Mdc("MDCB", "神经系统", "principal_dx in MDCB.dx")),
        "adrgs": (
            Adrg("AA1", "移植", "principal_proc in AA1.proc"),
            Adrg("BQY", "歧义组", "principal_proc in VALID"),
            Adrg("BR1", "脑出血", "principal_dx in BR1.dx"),
            Adrg("BR2", "脑梗死", "principal_dx in BR2.dx"),
        ),
        "drgs": {
            "AA1": (Drg("AA19", "移植", "true"),),
            "BR1": (Drg("BR11", "脑出血，伴严重合并症或并发症", "mcc"), Drg("BR15", "脑出血", "true")),
            "BR2": (Drg("BR29", "脑梗死", "true"),),
        },
        "lists": {
            "AA1.proc": frozenset({"37.5100"}),
            "VALID": frozenset({"37.5100", "01.2400"}),
            "MDCB.dx": frozenset({"I61.000", "I61.100", "I63.900"}),
            "BR1.dx": frozenset({"I61.000", "I61.100"}),
            "BR2.dx": frozenset({"I63.900"}),
        },
        "complications": {"A40.900": (frozenset({"MCC"}), "1")},
        "exclusions": {"1": frozenset({"I61.000"})},
    } | changes
    scheme = Scheme(**parts)
    scheme.meta["counts"] = scheme.counts()
    return scheme
