"""What corrections are worth, limits, ranking and lakes: by the one pricing, for a record as for a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from grouper.base.errors import UsageError
from grouper.checks import check_files, check_record, checked
from grouper.payment.policy.policy import find_policy
from tests.in_process import call
from tests.support import loaded

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

SCHEME, POLICY = "zhejiang-2022", "lishui"
CASE: dict[str, Any] = {
    "record_id": "1", "hospital_code": "H1", "hospital_level": "3", "insurance_type": "310",
    "admission_type": "21", "diagnoses": ["R55.x00x012", "K29.500"], "procedures": [], "sex": 1,
    "age_years": 60, "los_days": 6, "discharge_way": 1, "admission_date": "2025-06-01",
    "discharge_date": "2025-06-07", "total_cost": "9000", "department": "03", "person_id": "p",
}  # fmt: skip


def write(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "june.parquet"
    pl.DataFrame(list(rows), infer_schema_length=None).write_parquet(path)
    return path


def test_a_correction_has_its_money_alike_in_a_record_and_a_file(tmp_path: Path) -> None:
    policy = find_policy(POLICY)
    other = {**CASE, "record_id": "2", "person_id": "q", "diagnoses": ["K29.500"]}
    summary = check_files(
        loaded(SCHEME), [write(tmp_path, CASE, other)], tmp_path / "found.parquet", policy=policy
    )
    found = pl.read_parquet(tmp_path / "found.parquet").filter(pl.col("rule") == "symptom-principal")
    [finding] = [f for f in check_record(CASE, loaded(SCHEME), policy) if f.id == "symptom-principal"]
    assert found["money"].to_list() == [finding.money] and finding.money
    assert (finding.correction, finding.group, finding.corrected_group) == (
        "principal=K29.500",
        "FV35",
        "GW15",
    )
    assert summary.tallies["symptom-principal"].money == abs(finding.money)


def test_without_what_the_policy_reads_a_record_has_no_money_and_a_file_is_refused(tmp_path: Path) -> None:
    less = {name: value for name, value in CASE.items() if name != "insurance_type"}
    [finding] = [f for f in check_record(less, loaded(SCHEME), POLICY) if f.id == "symptom-principal"]
    assert finding.correction and finding.money is None
    with pytest.raises(UsageError, match="insurance_type"):
        check_files(loaded(SCHEME), [write(tmp_path, less)], tmp_path / "x.csv", policy=find_policy(POLICY))
    assert not (tmp_path / "x.csv").exists()


def test_a_scheme_that_is_not_the_policys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=SCHEME):
        check_files(loaded("chs-drg-2.0"), [write(tmp_path, CASE)], policy=find_policy(POLICY))


def test_a_cost_near_the_limit_is_found_and_one_far_from_it_passes(tmp_path: Path) -> None:
    plain = {**CASE, "diagnoses": ["K29.500"]}
    policy = find_policy(POLICY)
    costs = [str(cost) for cost in range(2000, 40001, 500)]
    rows = [{**plain, "record_id": c, "person_id": c, "total_cost": c} for c in costs]
    target = tmp_path / "found.parquet"
    check_files(loaded(SCHEME), [write(tmp_path, *rows)], target, policy=policy)
    edge = pl.read_parquet(target).filter(pl.col("rule") == "edge-of-limits")
    limit = float(edge["text"].str.extract(r"([\d.]+) 元")[0])
    expected = {c for c in costs if abs(float(c) - limit) * 100 <= limit * 10}
    assert set(edge["record_id"]) == expected and 0 < len(expected) < len(costs)


def test_rules_of_money_are_not_evaluated_without_a_policy(tmp_path: Path) -> None:
    summary = check_files(loaded(SCHEME), [write(tmp_path, CASE)])
    assert summary.tallies["edge-of-limits"].lacks == ("policy",)
    assert summary.tallies["symptom-principal"].money is None


def test_ranking_puts_errors_before_hints_and_keeps_every_finding(tmp_path: Path) -> None:
    man = {**CASE, "record_id": "2", "person_id": "q", "diagnoses": ["O80.000"]}
    fine = {**CASE, "record_id": "3", "person_id": "r", "diagnoses": ["K35.300"], "procedures": ["47.0901"]}
    path = write(tmp_path, CASE, man, fine)
    summary = check_files(loaded(SCHEME), [path], tmp_path / "ranked.parquet", rank=True)
    ranked = pl.read_parquet(tmp_path / "ranked.parquet")
    assert ranked["record_id"][0] == "2" and "3" not in ranked["record_id"].to_list()
    assert ranked["score"].is_sorted(descending=True)
    assert sum(ranked[name].sum() for name in ("errors", "warnings", "hints")) == summary.findings


def test_the_command_ranks_with_a_policy(tmp_path: Path) -> None:
    path = write(tmp_path, CASE)
    code, out, err = call("check", path, "--policy", POLICY, "--rank", "-o", tmp_path / "ranked.csv")
    assert code == 0, err.decode()
    assert "涉及" in out.decode() and "symptom-principal" in (tmp_path / "ranked.csv").read_text("utf-8-sig")


def test_a_policy_adds_nothing_but_money() -> None:
    with_money = checked(CASE, loaded(SCHEME), POLICY)
    without = checked(CASE, loaded(SCHEME))
    assert [f.id for f in with_money.findings] == [f.id for f in without.findings]
    assert with_money.not_evaluated == without.not_evaluated


def test_two_corrections_of_one_record_have_each_their_money(tmp_path: Path) -> None:
    both = {**CASE, "diagnoses": ["R13.x00", "C16.900"], "procedures": ["38.9301", "43.7x01"]}
    target = tmp_path / "found.parquet"
    check_files(loaded(SCHEME), [write(tmp_path, both)], target, policy=find_policy(POLICY))
    found = pl.read_parquet(target).filter(pl.col("correction").is_not_null())
    alone = {f.id: f.money for f in check_record(both, loaded(SCHEME), POLICY) if f.correction}
    assert dict(found.select("rule", "money").iter_rows()) == alone
    assert len(set(found["correction"])) > 1


def test_a_refund_has_no_money_and_an_empty_file_no_findings(tmp_path: Path) -> None:
    refund = {**CASE, "record_id": "2", "person_id": "q", "total_cost": "-5"}
    fine = {**CASE, "record_id": "3", "person_id": "r", "diagnoses": ["K29.500"]}
    target = tmp_path / "found.parquet"
    check_files(loaded(SCHEME), [write(tmp_path, refund, fine)], target, policy=find_policy(POLICY))
    found = pl.read_parquet(target).filter(pl.col("rule") == "symptom-principal")
    assert found["money"].to_list() == [None]
    empty = tmp_path / "none.csv"
    empty.write_text(",".join(CASE) + "\n", encoding="utf-8")
    for rank in (False, True):
        policy = find_policy(POLICY)
        assert check_files(loaded(SCHEME), [empty], tmp_path / "n.csv", policy=policy, rank=rank).rows == 0
