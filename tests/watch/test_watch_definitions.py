"""The shipped indicators, files of one's own, facts, periods: what is read and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import DataError, TableError, UsageError
from grouper.base.paths import tables_dir
from grouper.watch import SCHEMA, load, read_facts, watch
from grouper.watch.definitions import MEASURES
from grouper.watch.listing import page
from grouper.watch.measures import _MEASURES
from grouper.watch.periods import Period, parse_period, whole_periods
from grouper.watch.table import STATES

from .watch_support import case, indicators, lake

AREAS = ("lishui", "liaocheng", "qingyang", "tianmen", "yulin")
# What the five plans set: area, indicator, target, kind, base.
PLANS = [
    ("lishui", "expenditure_growth", "< 10", "binding", None),
    ("lishui", "in_policy_employees", "> 85", "binding", None),
    ("lishui", "in_policy_residents", "> 70", "binding", None),
    ("lishui", "chronic_employees", "> 90", "binding", "86.55"),
    ("lishui", "chronic_residents", "> 80", "binding", "73.83"),
    ("lishui", "cross_province", "> 50", "expected", "48"),
    ("qingyang", "drg_hospital_share", ">= 100", "expected", None),
    ("qingyang", "drg_group_share", ">= 90", "expected", None),
    ("qingyang", "drg_fund_share", ">= 70", "expected", None),
    ("qingyang", "disease_cost_share", ">= 70", "expected", None),
    ("qingyang", "in_policy_employees", ">= 80", "stable", None),
    ("qingyang", "in_policy_residents", ">= 70", "stable", None),
    ("qingyang", "medical_aid", ">= 70", "expected", None),
    ("qingyang", "out_of_pocket", "<= 27", "binding", "28.74"),
    ("qingyang", "income", None, None, "240000000"),
    ("qingyang", "expenditure", None, None, "220000000"),
    ("tianmen", "in_policy_employees", "> 80", "binding", "71.86"),
    ("tianmen", "in_policy_residents", "> 70", "binding", "65.42"),
    ("tianmen", "medical_aid", "> 70", "expected", None),
    ("tianmen", "cross_province", "> 70", "expected", None),
    ("tianmen", "income", None, None, "1304000000"),
    ("tianmen", "expenditure", None, None, "1123000000"),
    ("tianmen", "current_balance", None, None, "181000000"),
    ("yulin", "disease_cost_share", "> 70", "expected", "30"),
    ("yulin", "in_policy_employees", ">= 85", "stable", None),
    ("yulin", "in_policy_residents", ">= 70", "stable", None),
    ("yulin", "medical_aid", ">= 70", "expected", None),
    ("yulin", "cross_province", "> 70", "expected", None),
    ("yulin", "income", None, None, "6912000000"),
    ("yulin", "expenditure", None, None, "6639000000"),
]


@pytest.mark.parametrize(("area", "name", "target", "kind", "base"), PLANS)
def test_targets_of_the_plans(
    area: str, name: str, target: str | None, kind: str | None, base: str | None
) -> None:
    found = load(area)[name]
    assert (found.target and str(found.target.wanted)) == target
    assert (found.target and found.target.kind) == kind
    assert (found.base and str(found.base.value)) == base


def test_all_areas_have_all_common_indicators_and_every_measure_is_made() -> None:
    common = {item.id for item in load("nowhere").indicators}
    for area in AREAS:
        own = load(area)
        assert own.own and common <= {item.id for item in own.indicators}
    assert not load("nowhere").own
    assert _MEASURES.keys() == MEASURES.keys()
    used = {item.measure for area in AREAS for item in load(area).indicators}
    assert used == MEASURES.keys()


def test_lines_are_never_called_verified_where_they_are_defaults() -> None:
    for area in AREAS:
        for item in load(area).indicators:
            if item.lines and "默认值" in item.lines.source:
                assert not item.lines.verified, f"{area} {item.id}"


def test_shipped_indicators_compute_or_say_what_lacks() -> None:
    connection = lake([case(n) for n in range(3)])
    for area in AREAS:
        for row in watch(connection, "lishui", "2025-06", indicators=load(area)).to_pylist():
            assert (row["value"] is None) == (row["state"] == "not-computed"), row["indicator"]
            assert row["value"] is not None or (row["note_zh"] and row["note_en"])


def test_a_file_of_ones_own_extends_and_changes(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'id = "own"\nname = "自"\nname_en = "own"\nextends = "lishui"\nomit = ["top_payments"]\n'
        '[[indicators]]\nid = "large_payments"\n'
        'with = { amount = "total_cost", above = "5", statuses = ["paid"] }\n'
        '[[indicators]]\nid = "huge"\nlike = "large_payments"\nen = "huge"\n'
        'with = { amount = "total_cost", above = "9", statuses = ["paid"] }\n',
        encoding="utf-8",
    )
    own = load("lishui", path)
    ids = [item.id for item in own.indicators]
    assert "top_payments" not in ids and ids[-1] == "huge"
    assert own["large_payments"].values["above"] == 5 and own["large_payments"].lines is not None
    assert own["huge"].lines is None  # a copy takes the definition, not the lines
    assert own["in_policy_employees"].target is not None


TEXT = 'measure = "grouped_share"\nunit = "percent"\nwith = { statuses = ["paid"] }\n'
BAD = [
    (TEXT.replace("grouped_share", "guess"), "x.measure"),
    (TEXT.replace("percent", "parts"), "x.unit"),
    (TEXT.replace('["paid"]', '"paid"'), "x.with.statuses"),
    (TEXT.replace('"paid"', '"a\' OR 1"'), "x.with.statuses"),
    (TEXT.replace("statuses", "states"), "x.with.states"),
    (TEXT + "digits = 9\n", "x.digits"),
    (TEXT + 'lines = { watch = ["about 5"], source = "s", verified = true }\n', "x.lines.watch"),
    (TEXT + 'lines = { watch = ["> 5"], verified = true }\n', "x.lines.source"),
    (TEXT + 'lines = { watch = ["> 5"], source = "s" }\n', "x.lines.verified"),
    (TEXT + 'lines = { source = "s", verified = true }\n', "x.lines"),
    (
        TEXT + 'target = { value = "> 5", kind = "x", by = "2", source = "s", verified = true }\n',
        "x.target.kind",
    ),
    (TEXT + 'base = { value = 5.5, at = "2020", source = "s", verified = true }\n', "x.base.value"),
    (TEXT + 'colour = "red"\n', "colour"),
]


@pytest.mark.parametrize(("text", "place"), BAD)
def test_a_wrong_file_is_refused_by_its_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(TableError) as caught:
        load("lishui", indicators(tmp_path, text))
    assert place in caught.value.en and place in caught.value.zh


def facts_file(tmp_path: Path, text: str, head: str = 'area = "lishui"\nsource = "s"\n') -> Path:
    path = tmp_path / "facts.toml"
    path.write_text(head + text, encoding="utf-8")
    return path


def test_facts_by_period_and_insurance(tmp_path: Path) -> None:
    text = (
        '[expenditure]\n"2025-01" = "10.50"\n"2025-02" = 20\n"2025-03" = { 310 = "1", 390 = "2" }\n'
        '"2024" = { 310 = "60", 390 = "40" }\n[accumulated_balance]\n"2025-03" = 900\n'
    )
    known = read_facts(facts_file(tmp_path, text), "lishui")
    assert known.value("expenditure", Period(2025, 1, 3)) == Decimal("33.50")
    assert known.value("expenditure", Period(2025, 1, 6)) is None
    assert known.value("expenditure", Period(2024, 1, 12)) == 100
    assert known.value("expenditure", Period(2024, 1, 12), ["310"]) == 60
    assert known.value("expenditure", Period(2025, 1, 1), ["310"]) is None
    assert known.value("accumulated_balance", Period(2025, 1, 3)) == 900
    assert known.value("accumulated_balance", Period(2025, 1, 6)) is None


def test_facts_that_contradict_themselves_are_refused(tmp_path: Path) -> None:
    text = '[income]\n"2025-01" = 1\n"2025-02" = 2\n"2025-03" = 3\n"2025Q1" = 7\n'
    known = read_facts(facts_file(tmp_path, text), "lishui")
    with pytest.raises(DataError) as caught:
        known.value("income", Period(2025, 1, 3))
    assert "income is 7 for 2025Q1" in caught.value.en and "6" in caught.value.zh


@pytest.mark.parametrize(
    ("text", "head", "wanted"),
    [
        ("[income]\n2025 = 1.5\n", None, "income.2025"),
        ('[income]\n2025 = "1.505"\n', None, "income.2025"),
        ("[income]\n2025-13 = 1\n", None, "2025-13"),
        ("income = 5\n", None, "income"),
        ("", 'area = "yulin"\nsource = "s"\n', "area"),
        ("", 'area = "lishui"\n', "source"),
    ],
)
def test_bad_facts_name_the_key(tmp_path: Path, text: str, head: str | None, wanted: str) -> None:
    path = facts_file(tmp_path, text, head) if head else facts_file(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_facts(path, "lishui")
    assert wanted in caught.value.en and "--facts" in caught.value.zh


@pytest.mark.parametrize("text", ["2025", "2025H2", "2025Q3", "2025-06"])
def test_periods_read_and_written(text: str) -> None:
    assert str(parse_period(text)) == text


@pytest.mark.parametrize(
    ("text", "before", "year_before"),
    [
        ("2025-01", "2024-12", "2024-01"),
        ("2025Q1", "2024Q4", "2024Q1"),
        ("2025H2", "2025H1", "2024H2"),
        ("2025", "2024", "2024"),
    ],
)
def test_earlier_periods(text: str, before: str, year_before: str) -> None:
    period = parse_period(text)
    assert (str(period.before()), str(period.year_before())) == (before, year_before)


@pytest.mark.parametrize("text", ["2025Q5", "2025-13", "25-01", "2025-6", "", "2025H3"])
def test_other_texts_are_no_periods(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_period(text)
    assert "--period" in caught.value.en


@given(st.sets(st.integers(1, 12)))
def test_only_whole_periods(months: set[int]) -> None:
    found = whole_periods({(2025, month) for month in months})
    assert [p.first for p in found if p.length == 1] == sorted(months)
    assert all({month for _, month in period.months} <= months for period in found)
    assert (Period(2025, 1, 12) in found) == (len(months) == 12)


def test_an_incomplete_quarter_is_not_computed(tmp_path: Path) -> None:
    connection = lake([case(1), case(2, month=5)])
    (row,) = watch(connection, "lishui", "2025Q2", indicators=indicators(tmp_path, TEXT)).to_pylist()
    assert row["state"] == "not-computed" and row["note_en"] == "the lake lacks 2025-04"


def test_an_unknown_area_names_those_of_the_lake() -> None:
    with pytest.raises(UsageError) as caught:
        watch(lake([case(1)]), "yulin")
    assert "--area yulin" in caught.value.en and "lishui" in caught.value.en


def test_every_area_file_ships() -> None:
    assert {path.stem for path in (tables_dir() / "watch").glob("*.toml")} == {*AREAS, "common"}


DOCS = Path(__file__).parents[2] / "docs" / "watch.md"


def test_the_page_says_what_the_files_say() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert page(text) == text, "run: python -m grouper.watch.listing docs/watch.md"
    for name in [*MEASURES, *STATES, *SCHEMA.names]:
        assert f"`{name}`" in text, name
