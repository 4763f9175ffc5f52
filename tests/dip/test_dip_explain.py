"""The explanation says what the batch does, for every record, and why."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from grouper.base.errors import DataError
from grouper.codes.book import CodeOptions
from grouper.grouping.dip.engine import RESULT_COLUMNS, make_engine
from grouper.grouping.dip.explain import explain
from grouper.grouping.dip.explanation import DipExplanation

from .dip_support import (
    PROFILES,
    aimed_records,
    catalogue,
    engine,
    engine_of,
    random_records,
    row,
    rows_of,
    small,
)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_explanation_equals_batch(profile: str) -> None:
    rng = random.Random(11)
    records = random_records(catalogue(profile), rng, 100) + aimed_records(catalogue(profile), rng, 150)
    for record, found in zip(records, rows_of(engine(profile), records), strict=True):
        step = explain(engine(profile), record)  # raises when reference and kernel differ
        assert [step.result[name] for name in RESULT_COLUMNS] == list(found.values())
        winner = step.result["dip_code"]
        assert winner is None or winner in step.order or step.won_by == "blank"
        for lang in ("zh", "en"):
            assert (winner or "-") in step.text(lang)
        json.dumps(step.as_dict())


def explained(catalogue_: Any, *operations: str, **numbers: Any) -> DipExplanation:
    return explain(engine_of(catalogue_), {"diagnoses": "K35.800", "procedures": list(operations), **numbers})


ROWS = [
    row("K35.8:47.0100", 100),
    row("K35.8:54.5100", 300),
    row("K35.8:47.0100_54.5100+93.9601", 900),
    row("K35.8"),
    row("K35:SS"),
]


def test_every_packet_says_why_it_won_or_lost() -> None:
    step = explained(small(ROWS), "47.0100", "54.5100")
    core = step.lists[0]
    verdicts = {packet.code: (packet.verdict, packet.missing) for packet in core.packets}
    assert verdicts == {
        "K35.8:47.0100": ("candidate", ()),
        "K35.8:54.5100": ("candidate", ()),
        "K35.8:47.0100_54.5100+93.9601": ("missing-terms", ("93.9601",)),
    }
    assert (core.winner, core.decided_by) == ("K35.8:47.0100", "first_procedure_is_main")
    assert core.rules[0].before == ("K35.8:47.0100", "K35.8:54.5100")
    assert step.order == ("K35.8:47.0100", "K35:SS")
    assert step.mixed is not None
    assert (step.mixed.cls, step.mixed.tried) == ("surgical", ("K35:surgical",))
    text = step.text("en")
    assert "✗ K35.8:47.0100_54.5100+93.9601" in text
    assert "lacks 93.9601" in text
    assert "decided among the candidates by: the main procedure is the packet's main one" in text


def test_a_barred_conservative_packet_and_a_list_without_end() -> None:
    step = explained(small([*ROWS[3:]]), "44.1300x001")
    assert step.lists[0].conservative == "barred"
    assert "bar it" in step.text("en")
    assert explained(small(ROWS[3:])).lists[0].conservative == "won"


def test_repeats_and_main_position_are_told() -> None:
    twice = explained(small([row("K35.8:47.0100_47.0100")]), "47.0100")
    assert twice.lists[0].packets[0].verdict == "repeats-short"
    first = explained(small([row("K35.8:47.0100")], main_position="first"), "54.5100", "47.0100")
    assert first.lists[0].packets[0].verdict == "not-first"


def test_the_auxiliary_class_that_hit() -> None:
    rows = [row("K35.8"), row("K35.8#severity:1", 5), row("K35.8#age:4", 9)]
    step = explained(small(rows, auxiliary="variant_rows"), los_days=9, age_years=30, discharge_way=1)
    assert step.auxiliary is not None
    assert step.auxiliary.levels == {"severity": (1,), "age": (4,)}
    assert step.auxiliary.hit == "age:4"
    assert "命中 年龄特征 4" in step.text("zh")


def test_codes_that_were_changed_or_left_out() -> None:
    catalogue_ = small([row("K35.8")], ignored_procedures=["54.5100"])
    step = explained(catalogue_, "545100", "４４．１３００ｘ００１")
    assert [(code.code, code.dropped, code.cls) for code in step.codes[1:]] == [
        ("54.5100", True, ""),
        ("44.1300x001", False, "diagnostic"),
    ]
    assert "left out by the scheme" in step.text("en")


def test_unusable_records_are_explained_too() -> None:
    step = explain(engine("dip-taian-2025"), {"diagnoses": ["", "K35.800"]})
    assert (step.result["status"], step.result["reason"]) == ("invalid", "no-principal-diagnosis")
    assert "缺主要诊断" in step.text("zh")
    flagged = explain(engine("dip-taian-2025"), {"diagnoses": ["K35.800"], "flags": 2})
    assert flagged.result["reason"] == "bad-age"
    with pytest.raises(DataError, match="lacks diagnoses"):
        explain(engine("dip-taian-2025"), {})


def test_a_grey_operation_is_no_principal_diagnosis() -> None:
    step = explained(small([row("K35.8")]), "85.4300")
    told = step.summary("zh")
    assert "主要手术操作 85.4300 是医保灰码；同一亚目的具体编码：85.4300x003、85.4300x004" in told
    assert told.count("不宜作主要诊断") == 1  # of K35.800, the principal diagnosis, alone


def test_a_code_cut_short_is_told_and_completed_on_demand() -> None:
    engine_ = engine("dip-taian-2025")
    short = explain(engine_, {"diagnoses": ["I63.9"]})
    assert (short.codes[0].issue, short.key) == ("cut-short", "I63.9")
    repairing = make_engine(engine_.scheme, CodeOptions(repair=True))
    repaired = explain(repairing, {"diagnoses": ["I63.9"]})
    assert (repaired.codes[0].code, repaired.codes[0].issue) == ("I63.900", "completed")
