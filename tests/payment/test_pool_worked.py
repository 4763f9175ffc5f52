"""The worked examples of pools and clearing: case files that a reader of the rules can check."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from grouper.payment.packages.alliance import Sums, settle_alliance
from grouper.payment.packages.capitation import Package, settle_package
from grouper.payment.policy.parameters import Segment
from grouper.payment.pool.budget import Distributable, Entry
from grouper.payment.pool.clearing import pay_month, returned_deposit
from grouper.payment.pool.pool import Rule, Settled, Volume, settle

FILES = Path(__file__).parent / "pools"


def cases(kind: str) -> list[Any]:
    """The tables of a kind in all case files, named for pytest."""
    found = []
    for path in sorted(FILES.glob("*.toml")):
        for case in tomllib.loads(path.read_text(encoding="utf-8")).get(kind, ()):
            found.append(pytest.param(case, id=case["name"]))
    assert found
    return found


def fen(case: dict[str, Any], name: str) -> int:
    exact = Decimal(case.get(name, "0")) * 100
    assert exact == int(exact)
    return int(exact)


def volume(hospital: dict[str, Any], ratio: Fraction) -> Volume:
    return Volume(
        Fraction(hospital["points"]) * ratio,
        fen(hospital, "patients"),
        fen(hospital, "fixed"),
        fen(hospital, "by_item"),
        0,
        fen(hospital, "due") if "due" in hospital else None,
    )


def pool_of(case: dict[str, Any]) -> Settled:
    segments = tuple(
        Segment(Decimal(s["start"]), Decimal(s["base"]), Decimal(s["slope"])) for s in case.get("sharing", ())
    )
    limits = [
        Fraction(case[name]) if name in case else None for name in ("point_value_min", "point_value_max")
    ]
    rule = Rule(
        case["method"],
        case.get("outside", "inside"),
        Fraction(case["budget_value"]) if "budget_value" in case else None,
        (limits[0], limits[1]),
        segments or None,
        case.get("actual", "by_item"),
        case.get("surplus", "stays"),
    )
    money = Distributable(fen(case, "fund"), fen(case, "reserve"), fen(case, "carve_outs"))
    ratio = Fraction(case.get("ratio", "1"))
    volumes = {h["hospital"]: volume(h, ratio) for h in case["hospitals"]}
    return settle("pool", money, rule, volumes, case.get("value", "settlement"))


@pytest.mark.parametrize("case", cases("pool"))
def test_pool(case: dict[str, Any]) -> None:
    found = pool_of(case)
    due = {hospital: Decimal(d.total).scaleb(-2) for hospital, d in found.dues.items()}
    assert due == {h["hospital"]: Decimal(h["fund_due"]) for h in case["hospitals"]}
    assert Decimal(found.residual).scaleb(-2) == Decimal(case.get("residual", "0"))
    if "point_value" in case:
        assert found.value == Fraction(case["point_value"])
    if "point_value_exact" in case:
        assert found.exact == Fraction(case["point_value_exact"])
    if "bound" in case:
        assert found.bound == case["bound"]
    if "segment" in case:
        assert found.shared is not None and found.shared.segment == case["segment"]
    if "total" in case:
        assert found.total == fen(case, "total")
    if "balance" in case:
        assert found.fund_balance == fen(case, "balance")


@pytest.mark.parametrize("case", cases("month"))
def test_month(case: dict[str, Any]) -> None:
    entry = Entry(advance=fen(case, "advance"), audit=fen(case, "audit"))
    found = pay_month(fen(case, "due"), Fraction(case["guarantee"]), Fraction(case["prepay"]), entry=entry)
    for name in ("deposit", "prepaid", "deferred", "payable", "carried"):
        assert getattr(found, name) == fen(case, name), name


@pytest.mark.parametrize("case", cases("deposit"))
def test_deposit(case: dict[str, Any]) -> None:
    found = returned_deposit(
        fen(case, "deposit"), Fraction(case["score"]), Fraction(case["full"]), case.get("rule", "of_full")
    )
    assert found == fen(case, "returned")


@pytest.mark.parametrize("case", cases("package"))
def test_package(case: dict[str, Any]) -> None:
    of = Package(
        "H", "p", case["heads"], fen(case, "actual"), Fraction(case["factor"]), fen(case, "referral_out")
    )
    found = settle_package(
        of,
        Fraction(case["standard"]),
        keep=Fraction(case["keep"]),
        share=Fraction(case.get("share", "0")),
        limit=Fraction(case["limit"]) if "limit" in case else None,
    )
    for name in ("package", "surplus", "kept", "shared", "due"):
        assert getattr(found, name) == fen(case, name), name


@pytest.mark.parametrize("case", cases("alliance"))
def test_alliance(case: dict[str, Any]) -> None:
    of = Sums(
        "a", (), case["insured"], fen(case, "inside"), fen(case, "outside"), fen(case, "outpatient"),
        fen(case, "carve_outs"), Fraction(case["score"]) if "score" in case else None,
    )  # fmt: skip
    found = settle_alliance(
        of,
        Fraction(case["per_head"]),
        Fraction(case.get("reserve", "0")),
        keep=Fraction(case["keep"]),
        share=Fraction(case.get("share", "0")),
        limit=Fraction(case["limit"]) if "limit" in case else None,
    )
    for name in ("total", "balance", "kept", "shared"):
        assert getattr(found, name) == fen(case, name), name
