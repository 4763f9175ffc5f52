"""What a clearing is going to do: the year's budget, its months in the lake and all that it reads, found and
checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from grouper.base.certified import Certified
from grouper.base.errors import UsageError
from grouper.lake.formats import FORMAT
from grouper.lake.layout import Lake, check_area
from grouper.lake.ledger import check_files
from grouper.payment.policy.legacy_digest import digest_in
from grouper.payment.policy.policy import Policy, find_policy
from grouper.payment.pool.budget import Budget
from grouper.payment.pool.revision import read_revised
from grouper.settlement.corrections import Corrections, read_corrections
from grouper.settlement.plan import partial
from grouper.settlement.plan.asked import Asked, same
from grouper.settlement.plan.job import current_runs, digests_of
from grouper.settlement.states import may_settle

_IN_LEDGER_1 = same("year", "budget", "area", "policy", "corrections", "partial")
_IN_LEDGER_3 = _IN_LEDGER_1 | same("held_remain", "draft")


@dataclass(frozen=True)
class YearJob(Asked):
    """A year to clear, as the user asked for it. What is not in NAMES changes no result."""

    NAMES: ClassVar = {
        **dict.fromkeys((1, 2), _IN_LEDGER_1),
        3: _IN_LEDGER_3,
        4: _IN_LEDGER_3 | same("revision"),
    }
    DEFAULTS: ClassVar = {1: {"held_remain": True}, 2: {"held_remain": True}}

    year: str
    budget: str
    area: str = ""
    policy: str = ""
    corrections: tuple[str, ...] = ()
    partial: bool = False
    held_remain: bool = False
    revision: tuple[str, ...] = ()
    draft: bool = False
    who: str = ""
    when: str = ""
    note: str = ""
    threads: int | None = None
    memory: str = ""


@dataclass(frozen=True)
class YearPlan:
    """A job with what it names loaded. ``months``: period to run; ``after``: likewise of later years, whose
    adjustments may concern this one; ``whole``: the file of the year, where ``budget`` has the money of some
    of its months only."""

    job: YearJob
    area: str
    policy: Policy
    budget: Budget
    corrections: Corrections
    inputs: list[dict[str, Any]]
    months: Mapping[str, str]
    after: Mapping[str, str]
    format: int = FORMAT
    certified: Certified = field(default_factory=Certified)
    whole: Budget | None = None
    revised: Mapping[str, str] = field(default_factory=dict)

    @property
    def policy_digest(self) -> str:
        """The policy's, as the ledger has it in the format of this run."""
        return digest_in(self.policy, self.format)

    @property
    def assumed(self) -> dict[str, str]:
        """What the clearing goes by and the user should know."""
        return {**self.revised, **(partial.told(self.budget, self.whole) if self.whole else {})}

    def about(self, table: str) -> dict[str, Any]:
        return {
            "table": table, "kind": "clear", "area": self.area, "period": self.job.year,
            "policy": {"id": self.policy.id, "sha256": self.policy_digest},
            "inputs": [{"role": i["role"], "sha256": i["sha256"]} for i in self.inputs],
        }  # fmt: skip


def make_year_plan(lake: Lake, job: YearJob, *, before: str | None = None, format_: int = FORMAT) -> YearPlan:
    """Load what a job names; ``before`` and ``format_`` as in ``make_plan``.

    Raises UsageError where months are missing.
    """
    if not (len(job.year) == 4 and job.year.isascii() and job.year.isdigit() and job.year > "0000"):
        raise UsageError(
            zh=f"--year {job.year!r} 应为四位年份", en=f"--year {job.year!r} should have four digits"
        )
    if not (job.area or job.policy):
        raise UsageError(zh="请用 --area 或 --policy 指定政策", en="name the policy with --area or --policy")
    policy = find_policy(job.policy or job.area, date(int(job.year), 12, 31))
    area = check_area(job.area or policy.area)
    lake.must_exist()
    if before is None:
        may_settle(lake, area, "clear", job.year, job.draft, job.who)
    certified = Certified()
    revisions = [("revision", path) for path in job.revision]
    named = [("budget", job.budget), *revisions, *(("correction", path) for path in job.corrections)]
    inputs = digests_of(named, certified)
    revised = read_revised(job.budget, job.revision)
    budget = revised.budget
    if budget.period != job.year or (budget.area and budget.area != area):
        raise UsageError(
            zh=f"{job.budget}：period、area 应为 {job.year}、{area}，而不是 {budget.period}、{budget.area}",
            en=f"{job.budget}: period and area should be {job.year} and {area}, not {budget.period} and "
            f"{budget.area}",
        )
    current = current_runs(lake, area, before)
    months = {p: r for (kind, p), r in current.items() if kind == "settle" and p[:4] == job.year}
    missing = [f"{job.year}-{m:02d}" for m in range(1, 13) if f"{job.year}-{m:02d}" not in months]
    if not months or (missing and not job.partial):
        told = "、".join(missing)
        raise UsageError(
            zh=f"{area} {job.year} 年还没有结算：{told}；先结算这些月份，或用 --partial 只清算已有月份",
            en=f"{area} has not settled {', '.join(missing)}; settle them, or clear what there is "
            "by --partial",
        )
    after = {p: r for (kind, p), r in current.items() if kind == "settle" and p[:4] > job.year}
    check_files(lake, [*months.values(), *after.values()])
    corrections = read_corrections(job.corrections, tuple(budget.pools), numbered=format_ > 2)
    others = corrections.lists or corrections.of("withdrawal", "special_review", "decision")
    if others:
        raise UsageError(
            zh="年度清算的 --corrections 只接受 quality 和 audit_deduction；"
            "病例的更正请在最后一个月结算时给出",
            en="--corrections of a clearing takes quality and audit_deduction only; those of cases go into "
            "the settlement of the last month",
        )
    whole = budget if missing and format_ > 3 else None
    if whole:
        budget = partial.months_budget(lake, whole, months, before)
    return YearPlan(
        job, area, policy, budget, corrections, inputs, months, after, format_, certified, whole,
        revised.told(),
    )  # fmt: skip
