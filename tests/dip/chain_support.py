"""The invented catalogue data/chain and its operations; chains that tests build themselves."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from grouper.grouping.dip.engine import DipEngine
from grouper.grouping.dip.explain import explain
from grouper.grouping.dip.options import options_from
from grouper.grouping.dip.reference import Reference
from grouper.grouping.dip.tables.catalogue import Catalogue, assemble, load
from grouper.grouping.dip.tables.packets import Packet, Row, terms
from grouper.grouping.dip.tables.rules import NO_EXCLUSIONS, Exclusions, Rule

from .dip_support import batch_of, engine_of, outcome, same

DEMO = Path(__file__).parent / "data" / "chain"
APPENDECTOMY, OPEN, ADHESIONS = "47.0100", "47.0900", "54.5100"  # surgical
TRANSPLANT, ECMO, VENTILATION, DIALYSIS = "37.5100", "39.6500", "96.7201", "39.9500x007"
ECG, DEBRIDEMENT, LOBECTOMY = "89.5200", "86.2200", "32.4100"


@cache
def demo() -> DipEngine:
    return engine_of(load(DEMO))


def whole(engine: DipEngine, dx: str, *operations: str, others: Any = (), **numbers: Any) -> dict[str, Any]:
    """The result columns of one record, on which kernel, reference and explanation must agree."""
    record = {"diagnoses": [dx, *others], "procedures": list(operations), **numbers}
    found = engine.row(engine.numbers(batch_of([record])), 0)
    wanted = outcome(Reference(engine.scheme).group(record))
    assert same({**found, "code": found["dip_code"], "kind": found["dip_kind"]}, wanted), (found, wanted)
    assert explain(engine, record).result == found
    return found


def rule(code: str, dx: str, procedures: str, score: int = 100, step: str = "merge", **asks: Any) -> Rule:
    main, _, related = procedures.partition("_")
    row_ = Row(code, code, step, dx, main, related, -1, Decimal(score), None, None, code)
    main_only = asks.pop("main_only", bool(main))
    packet = Packet(code, (row_,), terms(main), terms(related))
    return Rule(step, packet, main_only, tuple(dx.split("/")) if dx else (), **asks)


def build(
    rows: list[Row],
    rules: list[Rule],
    exclusions: Exclusions = NO_EXCLUSIONS,
    overlay: list[Rule] | None = None,
    **options: Any,
) -> Catalogue:
    meta = {"id": "built", "name": "built", "area": "nowhere"}
    return assemble(
        meta, options_from(options, "test"), rows, "", "test", rules, exclusions, None, overlay or []
    )
