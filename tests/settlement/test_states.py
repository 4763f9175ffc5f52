"""A month is a draft until somebody approves it: what counts, who may, and that the chain has each step."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from grouper.base.errors import UsageError
from grouper.commands import cli
from grouper.lake import Lake, chain, ledger, steps
from grouper.lake.repair import repair
from grouper.settlement import states
from grouper.settlement.audit import audit
from grouper.settlement.month import settle_month
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.replay import replay
from grouper.settlement.year import clear_year

from . import settle_support as support


@pytest.fixture(scope="module")
def place() -> Path:
    return support.city(900, 0.03, (4, 5, 6))


@pytest.fixture(scope="module")
def drafted(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose April is a draft of Li."""
    root = tmp_path_factory.mktemp("lake") / "lake"
    settle_month(Lake(root), support.job(place, "2025-04", draft=True, who="Li"))
    return root


@pytest.fixture
def lake(drafted: Path, tmp_path: Path) -> Lake:
    shutil.copytree(drafted, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def _names(lake: Lake) -> list[str]:
    return [state.name for state in states.states(lake)]


def test_a_draft_counts_once_it_is_approved(lake: Lake, place: Path) -> None:
    assert _names(lake) == ["draft"] and support.rows(lake, "SELECT run FROM runs_current") == []
    with pytest.raises(UsageError, match=r"the draft of 2025-04 \(run 000001\) is not approved yet"):
        support.settle(lake, place, "2025-05")
    assert states.review(lake, "2025-04", who="Wang", note="seen").name == "reviewed"
    assert states.approve(lake, "1", who="Zhao").name == "approved"
    assert support.rows(lake, "SELECT run FROM runs_current") == [{"run": "000001"}]
    done = support.settle(lake, place, "2025-05")
    assert done.run == "000004" and _names(lake) == ["approved", "settled"]
    assert not audit(lake).findings and replay(lake, "000001").same and replay(lake, "000004").same


@pytest.mark.slow
def test_an_approved_month_pays_like_one_settled_at_once(lake: Lake, place: Path, tmp_path: Path) -> None:
    states.approve(lake, "2025-04", who="Zhao")
    other = Lake(tmp_path / "other")
    support.settle(other, place, "2025-04")
    lines = [{"kind": "withdrawal", "record_id": support.take(place, "2025-04")[0]["record_id"]}]
    told = str(support.corrections(tmp_path / "corrections.csv", lines))
    own, plain = (support.settle(one, place, "2025-05", corrections=(told,)) for one in (lake, other))
    assert own.record.rows["amounts"] == plain.record.rows["amounts"]
    assert own.record.run["adjustments_fen"] == plain.record.run["adjustments_fen"] < 0


@pytest.mark.slow
def test_a_rejected_draft_counts_for_nothing_and_is_made_again(lake: Lake, place: Path) -> None:
    with pytest.raises(UsageError, match="--reason"):
        states.reject(lake, "2025-04", who="Zhao", reason=" ")
    states.reject(lake, "2025-04", who="Zhao", reason="lists are not whole")
    assert _names(lake) == ["rejected"] and not support.rows(lake, "SELECT run FROM runs_current")
    with pytest.raises(UsageError, match="neither a draft nor a valid run of 2025-04"):
        states.approve(lake, "2025-04", who="Zhao")
    with pytest.raises(UsageError, match="run 000001 of 2025-04 is rejected"):
        states.approve(lake, "000001", who="Zhao")
    support.settle(lake, place, "2025-04", draft=True)
    support.settle(lake, place, "2025-04", draft=True)
    assert _names(lake) == ["rejected", "replaced", "draft"]
    with pytest.raises(UsageError, match="run 000003 of 2025-04 is replaced"):
        states.approve(lake, "3", who="Zhao")
    assert states.approve(lake, "2025-04", who="Zhao").entry.run == "000004"


@pytest.mark.slow
def test_an_approved_month_stays_until_its_new_draft_is_approved(lake: Lake, place: Path) -> None:
    states.approve(lake, "2025-04", who="Zhao")
    support.settle(lake, place, "2025-05")
    support.settle(lake, place, "2025-04", draft=True, reopen=True)  # 000004, which makes May invalid
    assert _names(lake) == ["approved", "settled", "draft"]
    current = "SELECT run FROM runs_current ORDER BY 1"
    assert support.rows(lake, current) == [{"run": "000001"}, {"run": "000003"}]
    states.approve(lake, "2025-04", who="Zhao")
    assert _names(lake) == ["replaced", "void", "approved"]
    assert support.rows(lake, current) == [{"run": "000004"}]


def test_a_draft_of_a_lake_that_has_changed_is_not_approved(lake: Lake) -> None:
    entry = steps.entries(lake)[0]
    found = [replace(entry, run="000000", period="2025-03", says={}), entry]
    later = replace(entry, run="000003", period="2025-03", says={})
    state = states.states_of(found)[1]
    states._as_it_was(lake, found, state)
    with pytest.raises(UsageError, match="other runs of 2025-03 are valid"):
        states._as_it_was(lake, [*found, later], state)


@pytest.mark.slow
def test_a_clearing_may_be_a_draft_too(lake: Lake, place: Path, tmp_path: Path) -> None:
    states.approve(lake, "2025-04", who="Zhao")
    codes = support.rows(lake, "SELECT DISTINCT hospital_code AS code FROM hospitals_current")
    scores = support.corrections(
        tmp_path / "scores.csv",
        [{"kind": "quality", "hospital_code": row["code"], "pool": "*", "score": "95"} for row in codes],
    )
    job = YearJob("2025", str(place / "budget.toml"), "tianmen", corrections=(str(scores),), partial=True,
                  held_remain=True, draft=True, who="Li")  # fmt: skip
    done = clear_year(lake, job, reports=False)
    current = "SELECT run FROM runs_current WHERE kind = 'clear'"
    assert _names(lake) == ["approved", "draft"] and not support.rows(lake, current)
    with pytest.raises(UsageError, match=r"the draft of 2025 .* is not approved yet"):
        support.settle(lake, place, "2025-05")
    states.approve(lake, "2025", who="Zhao")
    assert support.rows(lake, current) == [{"run": done.run}]
    with pytest.raises(UsageError, match="2025-05 is closed"):
        support.settle(lake, place, "2025-05")
    assert not audit(lake).findings and replay(lake, done.run).same


def test_two_persons(lake: Lake, place: Path) -> None:
    assert states.set_options(lake, who="Zhao", two_persons=True) == states.Options(two_persons=True)
    for step in (states.review, states.approve):
        for who in ("Ｌ i", "L\u0456", "l\u200bi", "L\u0399", "\u04cfi"):  # Cyrillic, unseen, Greek
            with pytest.raises(UsageError, match="settled it"):
                step(lake, "2025-04", who=who)
    with pytest.raises(UsageError, match="say by --who who does it"):
        states.approve(lake, "2025-04", who="  ")
    with pytest.raises(UsageError, match="say by --who who settles"):
        support.settle(lake, place, "2025-04", draft=True)
    assert states.approve(lake, "2025-04", who="Wang").counts
    assert not audit(lake).findings


def test_a_lake_may_require_approval_from_its_beginning(place: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with pytest.raises(UsageError, match="name what to set"):
        states.set_options(lake, who="Zhao", approval=None)
    states.set_options(lake, who="Zhao", approval=True, two_persons=True)
    with pytest.raises(UsageError, match="settle with --draft"):
        support.settle(lake, place, "2025-04", who="Li")
    support.settle(lake, place, "2025-04", who="Li", draft=True)
    assert states.set_options(lake, who="Zhao", approval=False) == states.Options(two_persons=True)
    assert [entry.kind for entry in steps.entries(lake)] == ["options", "settle", "options"]


def test_every_step_is_a_link_of_the_chain_and_a_lost_ledger_comes_back(lake: Lake, place: Path) -> None:
    states.review(lake, "2025-04", who="Wang", when="2025-05-03", note="seen")
    states.approve(lake, "2025-04", who="Zhao")
    before = steps.entries(lake), ledger.hashes(lake)
    assert chain.runs(lake) == ["000001", "000002", "000003"]
    lake.ledger.unlink()
    repair(lake, do=True)
    assert (steps.entries(lake), ledger.hashes(lake)) == before and not audit(lake).findings
    with pytest.raises(UsageError, match=r"run 000003 is a step \(approve\)"):
        replay(lake, "000003")


def test_audit_finds_a_step_about_nothing_and_an_approval_by_one_person(lake: Lake, tmp_path: Path) -> None:
    entry = steps.entries(lake)[0]
    with pytest.MonkeyPatch.context() as patch:
        states.set_options(lake, who="Zhao", two_persons=True)
        patch.setattr(states, "_second", lambda *_: None)
        states.approve(lake, "2025-04", who="li")
    from grouper.lake import commit

    with commit.new_run(lake) as (run, _):
        steps.enter(lake, run, steps.REVIEW, replace(entry, run="000009"), {}, who="Li")
    assert [(found.run, found.en) for found in audit(lake).findings] == [
        ("000003", "was approved by who settled it, where the lake required two persons"),
        ("000004", "is about run 000009, which the ledger does not have"),
    ]


def test_papers_of_a_draft_say_so(lake: Lake, tmp_path: Path) -> None:
    from grouper.settlement.show import write_statement

    report = lake.reports / "000001"
    page = next((report / "hospitals").glob("*.html"))
    for text in (report / "report.html", page):
        assert "草稿，未经审批" in text.read_text(encoding="utf-8")
    states.approve(lake, "2025-04", who="Zhao")
    write_statement(lake, "000001", page.stem, tmp_path)
    assert "草稿" not in (tmp_path / page.name).read_text(encoding="utf-8")


def test_the_commands_say_the_state_in_chinese(lake: Lake) -> None:
    run = CliRunner()

    def told(*words: str) -> str:
        done = run.invoke(cli, [*words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    place = str(lake.root)
    assert "草稿，待复核" in told("status", place)
    assert told("lake", "set", place, "--two-persons", "--who", "赵敏") == "湖选项：结算与审批须为两人\n"
    assert "运行 000001：已复核，待审批" in told(
        "review", place, "2025-04", "--who", "王芳", "--when", "5月3日"
    )
    assert "运行 000001：已审批" in told("approve", place, "1", "--who", "赵敏")
    status = told("status", place)
    assert "王芳 5月3日" in status and "赵敏" in status and "湖选项：结算与审批须为两人" in status
    assert "approved" in told("status", place, "--lang", "en")
    assert '"state": "approved"' in told("status", place, "--json")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Alice Ho", "Аlісе Но", True), ("Ωmega", "wmega", True), ("Nu", "Νυ", True), ("vu", "νυ", True),
        ("王五", "王 五", True), ("Zhang", "Zheng", False), ("Wang", "Wong", False), ("王五", "王伍", False),
    ],
)  # fmt: skip
def test_look_alike_letters_are_one_person(one: str, other: str, same: bool) -> None:
    asked = steps.Entry("000001", states.OPTIONS, says={"two_persons": True})
    found = states.same_person(
        [asked], steps.Entry("000002", "settle", who=one), steps.Entry("", "x", who=other)
    )
    assert found is same
