"""The shipped policies: all load and build, name what they rest on, and pay what the public figures say."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import TableError
from grouper.grouping.drg.tables import store
from grouper.payment.docs.overview import policies_page
from grouper.payment.policy.policy import Policy, load_policy, policy_files
from grouper.payment.price.build import build
from grouper.payment.price.compile import evaluate
from grouper.payment.price.inputs import INPUTS, needed
from grouper.payment.price.lookups import Lookups, load_lookups
from grouper.payment.price.steps import Step

ROOT = Path(__file__).parents[2]
FILES = policy_files()
FRAMES = ("national", "base")  # frames that areas extend; their values are examples
AREAS = [key for key in FILES if key.split("/")[0] not in FRAMES]
NOT_IN_SCHEME = {  # groups of public weight tables that the public grouping scheme lacks
    "hangzhou": {"KBBZ"},
    "liaocheng-2022": {  # split by words; the scheme answers the ADRG
        *("BE1a", "BE1b", "CB1a", "CB1b", "IB3a", "IB3b", "IB3c", "IJ1a", "IJ1b", "LF1a", "LF1b"),
        *("QR1a", "QR1b", "RE1a", "RE1b", "RE1c", "RE1d", "RG1a", "RG1b"),
    },
    "lanzhou-2024": {"GB21", "GB23", "GB25", "YC13"},
}
DOCUMENTS = ("办法", "通知", "规定", "方案", "细则")
HEARSAY = ("默认", "示例", "非官方", "代替", "代用", "转引", "解读", "推算", "推断")
EXAMPLE_KEPT = {"taian/2025": {"point_value"}}  # no value is published; the notes say so
PLAIN_CASE = {
    "insurance_type": "310",
    "admission_type": "21",
    "status": "grouped",
    "reason": "grouped",
    "dip_kind": "core",
    "discharge_way": 1,
    "los_days": 8,
    "age_years": 50,
    "diagnoses": ["I10.x00"],
    "procedures": [],
    "principal": "I10.x00",
    "own_expense": Decimal(0),
    "self_pay_first": Decimal(0),
    "deductible": Decimal(0),
    "pool_paid": Decimal(0),
    "fund_paid": Decimal(0),
    "auxiliary_coefficient": Decimal(1),
    "unreasonable_cost": Decimal(0),
    "new_technology_cost": Decimal(0),
    "hospital_code": "H1",
    "hospital_cases": 1000,
    "area_cases": 1000,
}


@cache
def policy(key: str) -> Policy:
    return load_policy(FILES[key])


@cache
def built(key: str) -> tuple[list[Step], Lookups]:
    return build(policy(key), policy(key).on(policy(key).valid_from)), load_lookups(policy(key))


def priced(key: str, **case: Any) -> dict[str, Any]:
    """The columns of one plain case under a policy."""
    steps, lookups = built(key)
    names = needed((step.name, step.expr) for step in steps)
    return evaluate(steps, {name: PLAIN_CASE.get(name) for name in names} | case, lookups)


@cache
def scheme_groups(name: str) -> frozenset[str]:
    scheme = store.load(name)
    return frozenset(drg.drg for rows in scheme.drgs.values() for drg in rows)


def weight_rows(key: str) -> list[dict[str, str]]:
    table = policy(key).weights
    assert table is not None
    with table.path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def spots() -> list[dict[str, str]]:
    with (Path(__file__).parent / "areas.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("key", FILES)
def test_a_policy_loads_and_builds_its_steps_on_all_its_days(key: str) -> None:
    found = policy(key)
    assert found.id == key
    assert found.area == key.split("/", maxsplit=1)[0]
    epochs = found.epochs(found.valid_from, found.valid_to)
    assert epochs[0][0] == found.valid_from and epochs[-1][1] == found.valid_to
    for start, end in epochs:
        for day in (start, end):
            steps = build(found, found.on(day))
            assert [s.name for s in steps].count("amount") == 1
            assert set(needed((s.name, s.expr) for s in steps)) <= set(INPUTS)


@pytest.mark.parametrize("key", AREAS)
def test_an_area_names_its_scheme_and_its_weights(key: str) -> None:
    found = policy(key)
    kind = "dip" if found.method == "dip" else "drg"
    assert (ROOT / "tables" / kind / found.scheme / "scheme.toml").is_file()
    assert (found.weights is None) == (found.method == "dip")
    assert any("一" <= letter <= "鿿" for letter in found.name)
    assert found.name_en.isascii() or "’" in found.name_en


@pytest.mark.parametrize("key", [key for key in FILES if policy(key).weights])
def test_weights_are_of_groups_of_the_scheme(key: str) -> None:
    table = policy(key).weights
    assert table is not None
    weighted = {row["drg"] for row in weight_rows(key) if row["weight"]}
    named = NOT_IN_SCHEME.get(table.path.stem, set())
    assert weighted - scheme_groups(policy(key).scheme) == named & weighted
    assert len(weighted) > 600  # a whole table, not a few rows


@pytest.mark.parametrize("key", FILES)
def test_every_value_has_a_source_and_none_claims_more_than_was_seen(key: str) -> None:
    found = policy(key)
    cited: list[Any] = [dated for parameter in found.parameters.values() for dated in parameter.values]
    cited += [*found.routes, *(table for table in (found.weights, found.means) if table)]
    for item in cited:
        assert item.source.strip()
        if item.verified:
            assert item.article and any(word in item.source for word in DOCUMENTS), item.source
            assert not any(word in item.source for word in HEARSAY), item.source
    assert not found.validity_verified  # no day of a policy was seen in a document so far


@pytest.mark.parametrize("key", AREAS)
def test_no_area_inherits_an_example_unawares(key: str) -> None:
    examples = {
        name
        for name, parameter in policy(key).parameters.items()
        if any("示例" in dated.source for dated in parameter.values)
    }
    steps, _ = built(key)
    used = policy(key).on(policy(key).valid_from)
    build(policy(key), used)
    assert steps and examples & used.used.keys() == EXAMPLE_KEPT.get(key, set())


@pytest.mark.parametrize("case", spots(), ids=lambda c: f"{c['policy']}-{c['group']}-{c['outlier']}")
def test_an_amount_is_what_plain_arithmetic_gives(case: dict[str, str]) -> None:
    """Worked from the public figures, not from the policy files; ``working`` shows how."""
    coefficient = case["hospital_coefficient"]
    found = priced(
        case["policy"],
        group=case["group"],
        hospital_level=case["hospital_level"],
        insurance_type=case["insurance_type"],
        hospital_coefficient=Decimal(coefficient) if coefficient else None,
        total_cost=Decimal(case["total_cost"]),
        score=Decimal(case["score"]) if case["score"] else None,
    )
    assert found["outlier"] == case["outlier"]
    assert found["amount"] == Fraction(case["amount"]), case["working"]
    assert found["pay_status"] == "paid"


def test_every_further_area_has_a_worked_amount() -> None:
    five = {"lishui", "liaocheng", "qingyang", "tianmen", "yulin"}
    assert {key for key in AREAS if key.split("/")[0] not in five} == {case["policy"] for case in spots()}


PRINTED = [  # policy, level, its column in the weight table
    ("wuhan/2024", "1", "payment_1"),
    ("wuhan/2024", "2", "payment_2"),
    ("wuhan/2024", "3", "payment_3"),
    ("lanzhou/2024", "1", "payment_1"),
    ("lanzhou/2024", "2", "payment_2"),
    ("lanzhou/2024", "3", "payment_3"),
    ("lanzhou/2024", "3a", "payment_3a"),
    ("lanzhou/2024", "province_3a", "payment_province_3a"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("key", "level", "column"), PRINTED)
def test_standards_are_those_printed_with_the_weights(key: str, level: str, column: str) -> None:
    """Every group, to the fen that the source's own rounding leaves open."""
    wrong = []
    for row in weight_rows(key):
        for insurance, word in (("310", "employee"), ("390", "resident")):
            printed = Fraction(row[f"{column}_{word}"])
            case = {"group": row["drg"], "hospital_level": level, "insurance_type": insurance}
            standard = priced(key, **case, total_cost=Decimal("5000"))["standard"]
            if abs(standard - printed) > Fraction(1, 100):
                wrong.append((row["drg"], word, standard, printed))
    assert wrong == []


@pytest.mark.parametrize("key", ["beijing/2022", "beijing/2024"])
def test_one_rate_gives_all_printed_standards_of_beijing(key: str) -> None:
    """Weights have two decimals, standards whole yuan: only one whole rate fits every row."""
    rows = [row for row in weight_rows(key) if row["weight"]]
    assert len(rows) > 600
    bounds = [(Fraction(row["payment_standard"]), Fraction(row["weight"])) for row in rows]
    lowest = max((paid - Fraction("0.5")) / (weight + Fraction("0.005")) for paid, weight in bounds)
    highest = min((paid + Fraction("0.5")) / (weight - Fraction("0.005")) for paid, weight in bounds)
    fitting = [rate for rate in range(20_000, 21_000) if lowest <= rate <= highest]
    assert fitting == [20425]
    assert policy(key).parameters["base_rate"].values[0].value == fitting[0]


@pytest.mark.parametrize(("folder", "lang"), [("docs", "en"), ("docs/zh", "zh")])
def test_the_page_of_policies_is_up_to_date(folder: str, lang: str) -> None:
    """``python -m grouper.payment.docs.overview`` writes it anew."""
    assert (ROOT / folder / "policies.md").read_text(encoding="utf-8") == policies_page(lang)


@pytest.mark.parametrize("area", ["lishui", "liaocheng", "qingyang", "tianmen", "yulin"])
def test_the_page_of_an_area_names_its_policies_routes_and_tables(area: str) -> None:
    page = (ROOT / "docs" / "areas" / f"{area}.md").read_text(encoding="utf-8")
    for key in (key for key in AREAS if key.startswith(f"{area}/")):
        found = policy(key)
        tables = [table.path.stem for table in (found.weights, found.means) if table]
        for word in [key, found.scheme, *tables, *(route.name for route in found.routes)]:
            assert f"`{word}`" in page, (key, word)
        verified = [name for name, p in found.parameters.items() if any(d.verified for d in p.values)]
        verified += [route.name for route in found.routes if route.verified]
        if not verified:
            continue
        assert "Verified against the text" in page
        assert all(f"`{name}`" in page for name in verified), verified
    if not any(d.verified for k in AREAS if k.startswith(f"{area}/") for d in policy(k).routes):
        assert "Nothing is verified." in page


@pytest.mark.parametrize("area", ["yulin/2024", "lishui/2022"])
def test_a_policy_of_a_later_year_extends_one_with_dated_values(area: str, tmp_path: Path) -> None:
    """Of values that change by date the last goes on; those of years before are its parent's alone."""
    path = tmp_path / "next.toml"
    path.write_text(
        f'id = "next/2027"\nname = "下年"\nname_en = "next"\nextends = "{area}"\n'
        "valid_from = 2027-01-01\nvalid_to = 2027-12-31\n",
        encoding="utf-8",
    )
    later = load_policy(path)
    assert later.valid_from == date(2027, 1, 1)
    assert all(d.end >= later.valid_from for p in later.parameters.values() for d in p.values)
    later.on(date(2027, 6, 1))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("from = 2026-08-01\nto = 2026-07-01", "from"),
        ('from = "2026-07-01"', "from"),
        ("form = 2026-07-01", "form"),
    ],
)
def test_days_of_a_route_that_make_no_sense_are_refused(tmp_path: Path, more: str, told: str) -> None:
    with pytest.raises(TableError, match=told):
        load_policy(_with_route(tmp_path, more))


def test_a_route_holds_on_its_days_only(tmp_path: Path) -> None:
    policy = load_policy(_with_route(tmp_path, "from = 2026-07-01\nto = 2026-07-31"))
    (route,) = (route for route in policy.routes if route.name == "short")
    days = [date(2026, 6, 30), date(2026, 7, 1), date(2026, 7, 31), date(2026, 8, 1)]
    assert [route.holds(day) for day in days] == [False, True, True, False]
    starts = [start for start, _ in policy.epochs(date(2026, 1, 1), date(2026, 12, 31))]
    assert {date(2026, 7, 1), date(2026, 8, 1)} <= {*starts}
    assert load_policy(_with_route(tmp_path, "")).digest != policy.digest


def _with_route(folder: Path, more: str) -> Path:
    path = folder / "dated.toml"
    path.write_text(
        'id = "test/dated"\narea = "test"\nname = "试验"\nextends = "national/drg-rate"\n'
        "valid_from = 2026-01-01\nvalid_to = 2026-12-31\n"
        '[[routes]]\nname = "short"\nzh = "短住院"\nmethod = "by_item"\nsource = "试验"\nverified = true\n'
        f"when = {{ los_days = {{ at_most = 2 }} }}\n{more}\n",
        encoding="utf-8",
    )
    return path
