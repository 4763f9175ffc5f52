"""The chain of DIP 3.0 step by step on a small invented catalogue (data/chain), kernel and reference.

Order: exclusions, pre-groups, merge rules, diagnosis splits, basic rules; then packets and mixed groups.
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import TableError
from grouper.grouping.dip.engine import RESULT_COLUMNS
from grouper.grouping.dip.explain import explain
from grouper.grouping.dip.explanation import DipExplanation
from grouper.grouping.dip.options import CHAIN, options_from
from grouper.grouping.dip.tables.catalogue import assemble, load
from grouper.grouping.dip.tables.listing import code_lines, overview
from grouper.grouping.dip.tables.rules import Exclusions

from .chain_support import (
    ADHESIONS,
    APPENDECTOMY,
    DEBRIDEMENT,
    DEMO,
    DIALYSIS,
    ECG,
    ECMO,
    LOBECTOMY,
    OPEN,
    TRANSPLANT,
    VENTILATION,
    build,
    demo,
    rule,
    whole,
)
from .dip_support import BLANK, batch_of, engine_of, row, small


def group(dx: str, *operations: str, **rest: Any) -> str | None:
    return whole(demo(), dx, *operations, **rest)["dip_code"]


# --- exclusions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dx", ["Z00.000", "Z00.001", "R52.100"])
def test_an_excluded_main_diagnosis_is_not_grouped(dx: str) -> None:
    found = whole(demo(), dx, ECMO)
    assert (found["dip_code"], found["status"], found["reason"]) == (None, "ungrouped", "principal-excluded")


def test_a_whole_code_excludes_only_itself_and_secondary_diagnoses_do_not_count() -> None:
    assert whole(demo(), "R52.101")["reason"] == "no-packet"
    assert group("K35.800", others=["Z00.000"]) == "K35.8"


def test_an_excluded_main_diagnosis_is_not_blank_either() -> None:
    rows, chain = [row("K35.8"), BLANK], {"chain": ["exclusion"], "blank_code": "KBBZ"}
    made = build(rows, [], Exclusions(frozenset({"Z00"})), **chain)
    assert whole(engine_of(made), "Z00.000")["reason"] == "principal-excluded"
    assert whole(engine_of(made), "Z01.000")["dip_code"] == "KBBZ"


def test_an_excluded_main_operation_makes_the_case_conservative() -> None:
    found = whole(demo(), "K35.800", ECG, APPENDECTOMY)
    assert (found["dip_code"], found["unmatched"]) == ("K35.8", f"{ECG}|{APPENDECTOMY}")
    # Only the main operation is looked at.
    assert group("K35.800", APPENDECTOMY, ECG) == "BX-20"
    assert group("I25.100", ECG, ECMO) is None


def test_where_exclusions_stand_in_the_chain_is_an_option() -> None:
    scheme = demo().scheme
    late = {**scheme.options.as_dict(), "chain": ["pre_group", "exclusion", *CHAIN[2:]]}
    made = assemble(
        scheme.meta,
        options_from(late, "test"),
        scheme.entries,
        "",
        "test",
        scheme.chain.rules,
        scheme.chain.exclusions,
    )
    assert whole(engine_of(made), "I25.100", ECG, ECMO)["dip_code"] == "XQ-2"
    assert whole(engine_of(made), "Z00.000", ECMO)["dip_code"] == "XQ-2"


# --- pre-groups -----------------------------------------------------------------------------------


def test_some_pre_groups_need_the_main_operation_others_any() -> None:
    assert group("I25.100", TRANSPLANT, ECG) == "XQ-1"
    assert group("I25.100", APPENDECTOMY, TRANSPLANT) == "I25:SS"
    assert group("I25.100", APPENDECTOMY, ECMO) == "XQ-2"


def test_plus_needs_both_operations_anywhere() -> None:
    assert group("I25.100", APPENDECTOMY, DIALYSIS, VENTILATION) == "XQ-3"
    assert group("I25.100", VENTILATION) == "I25:ZLXCZ"


NEWBORN = {"age_years": 0, "age_days": 3, "birth_weight_g": 900}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, "XQ-16"),
        ({"birth_weight_g": 999}, "XQ-16"),
        ({"birth_weight_g": 1000}, "XQ-17"),
        ({"birth_weight_g": 1499}, "XQ-17"),
        ({"birth_weight_g": 1500}, "P22.0"),
        ({"age_days": 28}, "XQ-16"),
        ({"age_days": 29}, "P22.0"),
        ({"age_years": 1, "age_days": None}, "P22.0"),
        ({"others": []}, "P22.0"),
    ],
)
def test_newborns_by_weight_age_and_any_diagnosis(changed: dict[str, Any], code: str) -> None:
    given_ = {"others": ["P07.100"], **NEWBORN} | changed
    found = whole(demo(), "P22.000", **given_)
    assert (found["dip_code"], found["reason"]) == (code, "grouped")


def test_the_main_diagnosis_is_one_of_any() -> None:
    assert group("P07.000", **NEWBORN) == "XQ-16"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"birth_weight_g": None}, "missing-birth-weight"),
        ({"birth_weight_g": 0}, "missing-birth-weight"),  # nobody weighs nothing
        ({"age_days": None}, "missing-age-days"),
        ({"age_days": None, "birth_weight_g": None}, "missing-age-days"),
        ({"age_days": None, "birth_weight_g": 1600}, "grouped"),
        ({"age_days": 40, "birth_weight_g": None}, "grouped"),
        ({"age_years": 30, "age_days": None, "birth_weight_g": None}, "grouped"),
        ({"others": [], "birth_weight_g": None}, "grouped"),
    ],
)
def test_a_missing_number_is_named_only_where_it_decides(changed: dict[str, Any], reason: str) -> None:
    found = whole(demo(), "P22.000", **({"others": ["P07.100"], **NEWBORN} | changed))
    assert (found["dip_code"], found["reason"]) == ("P22.0", reason)


def test_a_missing_number_does_not_matter_behind_a_rule_that_wins_anyway() -> None:
    found = whole(demo(), "P22.000", ECMO, others=["P07.100"], age_years=0, age_days=3)
    assert (found["dip_code"], found["reason"]) == ("XQ-2", "grouped")  # its score is higher


# --- merge rules, splits, basic rules -------------------------------------------------------------


def test_merge_rules_by_beginning_of_the_diagnosis_and_one_of_several_operations() -> None:
    for dx in ("K35.200", "K36.x00"):
        for operation in (APPENDECTOMY, OPEN):
            assert group(dx, operation) == "BX-20"
    assert group("K37.x00", APPENDECTOMY) is None


def test_a_merge_rule_needs_the_main_operation() -> None:
    assert group("K35.800", ADHESIONS, APPENDECTOMY) == "K35.8:54.5100"
    assert group("K35.200", ADHESIONS, APPENDECTOMY) == "K35:SS"


def test_related_operations_make_the_narrower_merge_rule() -> None:
    assert group("K35.800", APPENDECTOMY, ADHESIONS) == "BX-21"
    assert group("K35.200", APPENDECTOMY, ADHESIONS) == "BX-20"


def test_splits_need_a_secondary_diagnosis() -> None:
    assert group("C34.100", others=["C78.000"]) == "FZ-1"
    assert group("C34.100", LOBECTOMY, others=["C78.000"]) == "FZ-1"  # before the basic packets
    assert group("C34.100", LOBECTOMY) == "C34.1:32.4100"
    assert group("A15.000", others=["U84.300"]) == "FZ-2"
    assert group("A15.000") == "A15.0"
    assert group("U84.300") is None


def test_a_split_may_ask_for_a_class_of_the_case() -> None:
    assert group("T20.300", others=["T31.300"]) == "FZ-3"
    assert group("T20.300", DEBRIDEMENT, others=["T31.300"]) == "JC-1"


def test_kinds_scores_and_packets_of_rules() -> None:
    found = whole(demo(), "K35.800", APPENDECTOMY)
    assert (found["dip_kind"], found["score"], found["packet"]) == ("merge", Decimal(1300), "BX-20")
    assert (found["matched"], found["unmatched"]) == (APPENDECTOMY, "")
    assert whole(demo(), "T20.300", DEBRIDEMENT)["dip_kind"] == "basic"


def test_rule_choice() -> None:
    rules = [rule("A", "K35", APPENDECTOMY, 100), rule("B", "K35.8", APPENDECTOMY, 900)]
    for choice, code in (("tie_breaks", "B"), ("row_order", "A")):
        made = build([row("K35.8")], rules, chain=["merge"], rule_choice=choice)
        assert whole(engine_of(made), "K35.800", APPENDECTOMY)["dip_code"] == code


# --- the overlay of primary-care packets ----------------------------------------------------------


def test_an_overlay_list_flags_packets_and_changes_no_group() -> None:
    assert demo().result_columns == (*RESULT_COLUMNS, "primary_care")
    assert [field.name for field in demo().result_fields] == list(demo().result_columns)
    assert whole(demo(), "J06.900")["primary_care"] is True
    assert whole(demo(), "K35.800", APPENDECTOMY)["primary_care"] is True
    assert whole(demo(), "K35.800")["primary_care"] is False
    assert whole(demo(), "Z00.000")["primary_care"] is None
    assert "primary_care" not in engine_of(small([row("K35.8")])).result_columns
    columns = demo().group(batch_of([{"diagnoses": ["J06.900"]}])).columns
    assert columns[-1].to_pylist() == [True]


# --- what is refused ------------------------------------------------------------------------------


def changed(tmp_path: Path, name: str, old: str, new: str) -> Path:
    """The demonstration catalogue with one text of a file changed."""
    folder = tmp_path / "chain"
    shutil.copytree(DEMO, folder)
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("rules.csv", "XQ-1,心脏移植,pre_group", "XQ-1,心脏移植,first", "line 2, column step"),
        ("rules.csv", "K35|K36", "K35+K36", "line 7, column dx"),
        ("rules.csv", "K35|K36", "K35/K36", "line 7, column dx"),
        ("rules.csv", "47.0100|47.0900,,main", "47.0100|47.0900,,", "line 7, column position"),
        ("rules.csv", "47.0100|47.0900,,main", ",54.5100,", "line 7, column related"),
        ("rules.csv", "96.7201+39.9500x007", "96.7201++", "line 4, column procedures"),
        ("rules.csv", "37.5100,,main", ",,", "line 2, column procedures"),
        ("rules.csv", "U84.3", "耐药", "line 10, column other_dx"),
        ("rules.csv", "P07,,0-28", "P0,,0-28", "line 5, column any_dx"),
        ("rules.csv", "0-28,0-999", "<29,0-999", "line 5, column age_days"),
        ("rules.csv", "0-28,0-999", "0-28,999-0", "line 5, column weight"),
        ("rules.csv", "conservative", "still", "line 11, column treatment"),
        ("rules.csv", "50000", "many", "line 2, column score"),
        ("rules.csv", ",position,", ",place,", "lacks the column position"),
        ("rules.csv", "BX-21", "K35.8", "stands twice"),
        ("exclusions.csv", "diagnosis,Z00", "operation,Z00", "line 2, column kind"),
        ("exclusions.csv", "diagnosis,Z00", "diagnosis,Z", "line 2, column code"),
        ("primary_care.csv", "BX-20", "BX-99", "line 3, column code: the catalogue has no BX-99"),
        ("scheme.toml", '"merge", ', "", "the rule BX-20 of rules.csv belongs to the step merge"),
        ("scheme.toml", '"exclusion", ', "", "need each other"),
        ("scheme.toml", '"merge"', '"merge", "merge"', "chain cannot be"),
        ("scheme.toml", '"merge"', '"luck"', "it takes exclusion, pre_group"),
        ("scheme.toml", 'alternatives = "|"', 'alternatives = "or"', "alternatives cannot be"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    with pytest.raises(TableError, match=message) as error:
        load(changed(tmp_path, name, old, new))
    assert error.value.zh != error.value.en


def test_the_sign_for_or_is_one_or_the_other(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"catalogue\.csv, line 4, column procedures"):
        load(changed(tmp_path, "catalogue.csv", "54.5100|54.5101", "54.5100/54.5101"))


def test_a_chain_is_inherited_from_the_base(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "chain-demo")
    local = tmp_path / "local"
    local.mkdir()
    (local / "scheme.toml").write_text('id = "local"\nname = "local"\narea = "x"\nbase = "chain-demo"\n')
    (local / "catalogue.csv").write_text(
        "code,kind,dx,procedures,related,treatment,score,name\nJ18.9,core,J18.9,,,,9,n\n"
    )
    (local / "rules.csv").write_text(
        "code,name,step,dx,procedures,position,score\nBX-9,n,merge,J18,33.2400,main,5\n"
    )
    made = load(local)
    assert [r.row.code for r in made.chain.rules if r.step == "merge"] == ["BX-20", "BX-21", "BX-9"]
    assert made.chain.exclusions == demo().scheme.chain.exclusions
    assert made.primary_care == demo().scheme.primary_care
    assert whole(engine_of(made), "J18.900", "33.2400")["dip_code"] == "BX-9"
    assert made.digest != load(tmp_path / "chain-demo").digest


def test_listings_know_rules() -> None:
    assert "  merge: 2" in list(overview(demo().scheme, "en"))
    assert any(line.startswith("BX-20") for line in code_lines(demo().scheme, "K36.x00", "en"))
    assert any(line.startswith("XQ-3") for line in code_lines(demo().scheme, DIALYSIS, "en"))


# --- explanation ----------------------------------------------------------------------------------


def explained(dx: str, *operations: str, others: Any = (), **numbers: Any) -> DipExplanation:
    return explain(demo(), {"diagnoses": [dx, *others], "procedures": list(operations), **numbers})


def test_every_step_says_why_it_won_or_lost() -> None:
    step = explained("K35.800", APPENDECTOMY, ADHESIONS)
    assert [(view.step, view.verdict) for view in step.chain] == [
        ("exclusion", "not-excluded"),
        ("pre_group", "none-holds"),
        ("merge", "won"),
    ]
    assert (step.chain[2].holding, step.chain[2].decided_by) == (("BX-20", "BX-21"), "most_matched")
    assert (step.won_by, step.mixed) == ("merge", None)
    zh, en = step.text("zh"), step.text("en")
    assert "并项规则：2 条相关规则中成立 BX-20、BX-21，入 BX-21" in zh
    assert "符合的操作最多：留下 BX-21，淘汰 BX-20" in zh
    assert "merge rules: of 2 rules BX-20, BX-21 hold; taken: BX-21" in en
    assert "decided among the candidates by: most terms met" in en


def test_exclusions_are_told() -> None:
    assert "主要诊断不纳入分组" in explained("Z00.000").text("zh")
    step = explained("K35.800", ECG)
    assert step.chain[0].verdict == "excluded-procedure"
    assert "the case counts as conservative" in step.text("en")
    assert step.won_by == "core"


def test_near_misses_say_what_is_lacking() -> None:
    def near(step: DipExplanation) -> dict[str, tuple[str, str]]:
        return {miss.code: (miss.lack.what, miss.lack.wanted) for miss in step.near}

    step = explained("K35.800", ADHESIONS, APPENDECTOMY)
    assert near(step)["BX-20"] == ("position", "47.0100/47.0900")
    assert near(explained("K35.800", APPENDECTOMY))["BX-21"] == ("procedure", "54.5100")
    assert near(explained("C34.100"))["FZ-1"] == ("other_dx", "C77/C78/C79")
    assert near(explained("T20.300", ECMO, others=["T31.300"])) == {}  # the pre-group wins first
    surgical = explained("T20.300", APPENDECTOMY, others=["T31.300"])
    assert near(surgical)["FZ-3"] == ("treatment", "conservative")
    heavy = near(explained("P22.000", others=["P07.100"], **{**NEWBORN, "birth_weight_g": 1600}))
    assert heavy["XQ-17"] == ("weight", "1000-1499")
    old = near(explained("P22.000", others=["P07.100"], **{**NEWBORN, "age_days": 60}))
    assert old["XQ-16"] == ("age_days", "0-28")
    assert "XQ-1" not in near(step)  # nothing of a transplant is there
    assert "差一点的病种" in step.text("zh")
    assert "must be the main procedure (has 47.0100)" in step.text("en")


def test_a_missing_number_is_told_where_it_hangs() -> None:
    step = explained("P22.000", others=["P07.100"], age_years=0, age_days=3)
    view = step.chain[1]
    assert (view.open, view.missing) == ("XQ-16", "birth_weight_g")
    assert "缺出生体重（克），不知 XQ-16 是否成立" in step.text("zh")


def test_auxiliary_tools_are_shown_even_where_no_row_depends_on_them() -> None:
    step = explained("K35.800", others=["J96.000"], age_years=70, los_days=9, discharge_way=1)
    assert step.tools is not None and not step.tools.used
    assert step.tools.levels["severity"] == (3, 2, 1)
    assert (step.tools.levels["age"], step.tools.complication) == ((5,), "MCC")
    assert "the scheme has no rows by class" in step.text("en")
