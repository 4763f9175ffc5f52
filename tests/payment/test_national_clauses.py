"""The national clauses: every one is used or says why not, limits are warned of, drafts stay drafts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.base.errors import TableError
from grouper.payment import pay
from grouper.payment.check.verify import verify
from grouper.payment.docs.clauses_page import citing, clauses_page
from grouper.payment.explain.explain import explain_case
from grouper.payment.explain.row import priced_row
from grouper.payment.policy.clauses import clauses, deadline, documents
from grouper.payment.policy.policy import load_policy, policy_files
from grouper.payment.policy.registry import PARAMETERS

from .pay_support import case, write_cases, write_policy
from .policy_text import identity

ROOT = Path(__file__).parent.parent.parent
OWN = identity("own", "drg_rate", "chs-drg-2.0") + 'extends = "national/drg-rate"\n'


@pytest.mark.parametrize("clause", clauses().values(), ids=lambda clause: clause.id)
def test_every_clause_is_used_or_says_why_not(clause: object) -> None:
    """By a parameter that a shipped policy sets with it, by a deadline, by a validity; else by its reason."""
    if clause.use == "parameter":
        assert clause.parameter in PARAMETERS
        assert citing().get(clause.id), f"no shipped policy cites {clause.id} for {clause.parameter}"
    elif clause.use == "deadline":
        assert deadline(int(clause.unit)) == (date.fromisoformat(clause.value), clause)
    elif clause.use == "validity":
        start = date.fromisoformat(clause.value)
        three = [p for p in map(load_policy, policy_files().values()) if "-3.0" in p.scheme]
        assert three and all(p.valid_from == start for p in three)
    else:
        assert clause.reason_zh and clause.reason_en and not clause.parameter


def test_all_documents_are_there_and_say_what_they_are() -> None:
    assert {d.id for d in documents().values()} == {c.document.id for c in clauses().values()}
    drafts = {d.id for d in documents().values() if not d.in_force}
    assert drafts == {"dip-3.0-draft"}
    assert all("征求意见稿" in documents()[one].title for one in drafts)


def test_no_value_that_rests_on_a_draft_counts_as_verified() -> None:
    for path in policy_files().values():
        for parameter in load_policy(path).parameters.values():
            for dated in parameter.values:
                if any(not clauses()[one].document.in_force for one in dated.clauses):
                    assert not dated.verified and "征求意见稿" in dated.source


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('low_threshold = { value = "0.5", clause = "d-low", verified = true }', "never verified"),
        ('guarantee_rate = { value = "0.05", clause = "m26", verified = false }', "no national clause about"),
        ('guarantee_rate = { value = "0.05", clause = "p99", verified = false }', "no national clause about"),
        ('guarantee_rate = { value = "0.05", verified = false }', "source or clause"),
    ],
)
def test_a_clause_that_does_not_fit_is_refused(tmp_path: Path, given: str, told: str) -> None:
    (tmp_path / "p.toml").write_text(f"{OWN}[parameters]\n{given}\n", encoding="utf-8")
    with pytest.raises(TableError, match=told):
        load_policy(tmp_path / "p.toml")


def test_source_and_article_of_a_value_come_from_its_clause() -> None:
    value = load_policy(policy_files()["national/drg-rate"]).parameters["guarantee_rate"].values[0]
    assert value.article == "第二十六条" and value.source.startswith(
        "《按病种付费医疗保障经办管理规程（2025版）》"
    )
    assert value.clauses == ("p26",)


@pytest.mark.parametrize(
    ("given", "kind", "days"),
    [
        ('guarantee_rate = { value = "0.06", source = "s", verified = true }', "national-limit", "2027"),
        ('guarantee_rate = { value = "0.05", source = "s", verified = true }', None, "2027"),
        ('guarantee_rate = { value = "0.06", source = "s", verified = true }', None, "2023"),
        (
            'special_review_quota = { value = "0.06", source = "s", verified = true }',
            "national-limit",
            "2027",
        ),
        ('quota_base = { value = "hospital", source = "s", verified = true }', "national-rule", "2027"),
        (
            'basic_group_coefficient = { value = "0.9", source = "s", verified = true }',
            "national-rule",
            "2027",
        ),
    ],
)
def test_a_policy_beyond_a_clause_in_force_is_warned_of(
    tmp_path: Path, given: str, kind: str | None, days: str
) -> None:
    """In its days only: a policy of 2023 knew no clause of 2025."""
    text = OWN.replace("2025-01-01", f"{days}-01-01").replace("2025-12-31", f"{days}-12-31")
    (tmp_path / "p.toml").write_text(f"{text}[parameters]\n{given}\n", encoding="utf-8")
    found = [f for f in verify([str(tmp_path / "p.toml")]) if f.kind.startswith("national")]
    assert [(f.kind, f.severity, f.place) for f in found] == (
        [(kind, "warning", given.split(maxsplit=1)[0])] if kind else []
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('advance_months = { value = "3", source = "s", verified = true }', ["3 is not about 1"]),
        ('advance_months = { value = "1", clause = "m26", verified = true }', []),
        (
            'special_review_quota = { value = "0.005", clause = "p21-dip", verified = true }\n'
            'quota_base = { value = "pool", source = "s", verified = true }',
            ["cites the national clause p21-dip, which is of DIP scores; this policy is of DRG"],
        ),
    ],
)
def test_what_is_only_about_a_number_and_clauses_of_another_method_are_warned_of(
    tmp_path: Path, given: str, told: list[str]
) -> None:
    text = OWN.replace("2025-01-01", "2026-01-01").replace("2025-12-31", "2026-12-31")
    (tmp_path / "p.toml").write_text(f"{text}[parameters]\n{given}\n", encoding="utf-8")
    found = [
        f.en
        for f in verify([str(tmp_path / "p.toml")])
        if f.severity == "warning" and f.kind.startswith(("national", "clause"))
    ]
    assert len(found) == len(told) and all(words in en for words, en in zip(told, found, strict=True))


def test_a_policy_that_limits_reviews_without_a_base_is_told_of_it(tmp_path: Path) -> None:
    quota = '\nspecial_review_quota = { value = "0.05", source = "s", verified = true }\n'
    path = write_policy(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("[parameters]\n", f"[parameters]{quota}", 1))
    (found,) = [f for f in verify([str(path)]) if f.kind.startswith("national")]
    assert found.place == "quota_base" and "pool" in found.en


def test_reviews_of_small_hospitals_count_in_the_area(tmp_path: Path) -> None:
    """40 cases under DRG, no hospital with more than two: two reviews (5 %) are taken, the dearest; stays by
    item, and cases that cannot be grouped, are no discharges under DRG."""
    more = (
        'special_review_quota = { value = "0.05", source = "s", verified = true }\n'
        'quota_base = { value = "pool", source = "s", verified = true }\n'
    )
    cases = [case(f"c{n:02}", "12000.00", hospital_code=f"H{n // 2}") for n in range(40)]
    cases += [case(f"l{n}", "12000.00", los_days=90) for n in range(20)]
    cases += [case(f"i{n}", "12000.00", status="invalid", reason="no-principal-diagnosis") for n in range(20)]
    asked = {"c01": "30000.00", "c05": "31000.00", "c09": "29000.00"}
    cases = [
        row | {"total_cost": type(row["total_cost"])(asked.get(row["record_id"], "12000.00"))}
        for row in cases
    ]
    write_cases(tmp_path, cases)
    (tmp_path / "d.csv").write_text(
        "record_id,special_review\n" + "".join(f"{name},by_item\n" for name in asked), encoding="utf-8"
    )
    policy = write_policy(tmp_path)
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text.replace("[parameters]\n", f"[parameters]\n{more}", 1), encoding="utf-8")
    pay(str(tmp_path / "grouped.parquet"), str(policy), str(tmp_path / "o.parquet"),
        decisions=str(tmp_path / "d.csv"))  # fmt: skip
    found = {row["record_id"]: row for row in pq.read_table(tmp_path / "o.parquet").to_pylist()}
    assert {name: found[name]["review_result"] for name in asked} == {
        "c01": "taken", "c05": "taken", "c09": "over-quota",
    }  # fmt: skip
    assert {row["area_cases"] for row in found.values()} == {40}
    row, _ = priced_row(str(tmp_path / "o.parquet"), "c09")
    told = explain_case(load_policy(policy), row, stored=row)
    assert told.differences == ()
    assert "3 > ⌊0.05 × 40⌋" in told.text("zh")
    assert "特例单议上限的基数 统筹地区出院病例" in told.text("zh")


@pytest.mark.parametrize(("folder", "lang"), [("docs", "en"), ("docs/zh", "zh")])
def test_the_page_of_clauses_is_up_to_date(folder: str, lang: str) -> None:
    """``python -m grouper.payment.docs.clauses_page`` writes it anew."""
    assert (ROOT / folder / "national-clauses.md").read_text(encoding="utf-8") == clauses_page(lang)
