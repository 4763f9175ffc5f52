"""Diseases of primary care (基层病种) are paid alike at all levels: 医保发〔2025〕18号 Art. 13."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.base.errors import UsageError
from grouper.base.findings import Finding
from grouper.fitting.weights import Fitted, GroupWeight, WeightOptions, weights_text
from grouper.grouping.api import Grouper, Options
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.files import group_files
from grouper.grouping.locate import locate
from grouper.payment.api import pay
from grouper.payment.check.verify import verify_policy
from grouper.payment.policy.policy import Policy, find_policy, load_policy

from ..support import loaded
from .pay_support import grouper

DIP = "national/dip-3.0"
HYPERTENSION, INJURY = "I10.x00x002", "S06.000"  # of which DIP 3.0 lists the first
HEAD = (
    "record_id,hospital_code,hospital_level,insurance_type,sex,age_years,los_days,discharge_date,diagnoses,"
    "procedures,discharge_way,total_cost,own_expense,self_pay_first,deductible,pool_paid,fund_paid,"
    "admission_type,department,person_id"
)


def grouped(place: Path, codes: Sequence[tuple[str, str, str]], scheme: str, name: str) -> str:
    """A file of discharges of 2027 (record, level, diagnosis), grouped."""
    rows = [
        f"{record},H{level},{level},310,1,60,5,2027-02-06,{code},,1,5000,0,0,0,4000,4000,21,内科,{record}"
        for record, level, code in codes
    ]
    (place / "in.csv").write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    options = Options(allow_missing=("age_days", "birth_weight_g", "icu_hours"))
    group_files(Grouper(loaded(scheme).engine, options), [place / "in.csv"], place / name)
    return str(place / name)


@pytest.mark.parametrize("name", ["g.parquet", "g.csv"])
def test_the_mark_of_grouping_reaches_the_amount(tmp_path: Path, name: str) -> None:
    """The same packet is worth the same at levels 3 and 1; another one 1.05 and 0.9 times its score."""
    codes = [("a", "3", HYPERTENSION), ("b", "1", HYPERTENSION), ("c", "3", INJURY), ("d", "1", INJURY)]
    source = grouped(tmp_path, codes, "dip-3.0-example", name)
    pay(source, DIP, str(tmp_path / "o.parquet"))
    rows = {row["record_id"]: row for row in pq.read_table(tmp_path / "o.parquet").to_pylist()}
    assert [rows[key]["primary_care"] for key in "abcd"] == [True, True, False, False]
    coefficients = [rows[key]["coefficient"] for key in "abcd"]
    assert coefficients == [Decimal(1), Decimal(1), Decimal("1.05"), Decimal("0.9")]
    assert rows["a"]["standard"] == rows["b"]["standard"] == rows["a"]["score"]
    code, out, err = grouper("explain", tmp_path / "o.parquet", "--record-id", "b", "--policy", DIP)
    assert code == 0, err
    assert "DIP 基层病种的认定 目录中的条目和分组结果标记的病例：来源" in out


def test_a_file_without_the_mark_is_refused_not_guessed(tmp_path: Path) -> None:
    source = grouped(tmp_path, [("a", "3", HYPERTENSION)], "dip-3.0-example", "g.csv")
    text = Path(source).read_text(encoding="utf-8").replace('"primary_care"', '"another"')
    Path(source).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="primary_care"):
        pay(source, DIP, str(tmp_path / "o.parquet"))


def found(policy: Policy) -> list[Finding]:
    return [finding for finding in verify_policy(policy) if finding.kind == "primary-care"]


@pytest.mark.parametrize("name", [DIP, "national/drg-rate-3.0", "national/drg-points-3.0", "tianmen/2025"])
def test_the_shipped_policies_reach_all_of_them(name: str) -> None:
    assert found(find_policy(name)) == []


def test_thirty_one_groups_of_edition_3_are_marked_in_its_weights() -> None:
    located = locate("chs-drg-3.0")
    named = located.family.primary_care(located.load())
    policy = find_policy("national/drg-rate-3.0")
    assert named is not None and len(named) == 31 and policy.weights is not None
    with policy.weights.path.open(encoding="utf-8", newline="") as file:
        assert {row["drg"] for row in csv.DictReader(file) if row["basic"] == "true"} == named


@pytest.mark.slow
def test_a_policy_that_misses_them_is_told(tmp_path: Path) -> None:
    """No rule, a rule that does not look at the mark, weights without marks, a mark that nobody gives."""
    policy = find_policy(DIP)
    (unread,) = found(policy.changed({"primary_care_by": "kind"}))
    assert (unread.severity, unread.place) == ("warning", "primary_care_by")
    parameters = {k: v for k, v in policy.parameters.items() if k != "basic_group_coefficient"}
    (without,) = found(replace(policy, parameters=parameters))
    assert (without.severity, without.place) == ("warning", "basic_group_coefficient")
    (nobody,) = found(replace(policy, scheme="dip-taian-2025"))
    assert nobody.severity == "error" and "dip-taian-2025" in nobody.zh
    (tmp_path / "weights.csv").write_text("drg,weight,basic\nBR29,0.6,true\nBZ15,0.5,\n", encoding="utf-8")
    (tmp_path / "own.toml").write_text(
        'id = "own/2027"\narea = "own"\nextends = "national/drg-rate-3.0"\nname = "试验"\n'
        '[weights]\ntable = "weights.csv"\nsource = "s"\nverified = false\n',
        encoding="utf-8",
    )
    (unmarked,) = found(load_policy(tmp_path / "own.toml"))
    assert unmarked.place == "weights" and len(unmarked.details) == 30 and "BR29" not in unmarked.details


def test_weights_that_are_fitted_mark_them() -> None:
    """Under edition 3.0 the 31 groups of its list; a scheme that names none has no such column."""
    for scheme, number in (("chs-drg-3.0", 31), ("chs-drg-2.0", None)):
        made = loaded(scheme).compiled.scheme
        groups = [_group(drg.drg) for drg in {drg.drg: drg for _, drg in made.groups()}.values()]
        rows = list(csv.DictReader(weights_text(_fitted(made, groups)).splitlines()))
        marked = {row["drg"] for row in rows if row.get("basic") == "true"}
        assert marked == set(made.primary_care) and len(marked) == (number or 0)
        assert ("basic" in rows[0]) is (number is not None)


def _group(drg: str) -> GroupWeight:
    return GroupWeight(drg, "", None, None, 0, 0, 0, None, None, True, "no cases")


def _fitted(scheme: Scheme, groups: list[GroupWeight]) -> Fitted:
    """What a table of weights is written from; the rest of it is of the provenance."""
    made = object.__new__(Fitted)
    object.__setattr__(made, "scheme", scheme)
    object.__setattr__(made, "groups", groups)
    object.__setattr__(made, "options", WeightOptions())
    object.__setattr__(made, "year_weights", {})
    return made
