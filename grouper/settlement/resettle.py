"""Months that a reopened one made invalid, settled again from the inputs that the ledger names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from grouper.base.errors import UsageError
from grouper.base.money import Fen
from grouper.lake import ledger, steps
from grouper.lake.layout import Lake
from grouper.settlement.month import Done, settle_month
from grouper.settlement.plan.job import Job, make_plan
from grouper.settlement.replay import same_inputs
from grouper.settlement.stage import Stage, no_stage
from grouper.settlement.states import State, options_of, states

if TYPE_CHECKING:
    from grouper.lake.ledger import Record

SUMS = ("fund_due", "adjustments", "prepaid", "deposit", "payable")  # amounts that are compared


@dataclass(frozen=True)
class Again:
    """A month settled again. ``before``, ``after``: sums of ``SUMS`` in fen; ``draft``: it waits for
    approval; ``changed``: policy or scheme is no longer that of the first run."""

    period: str
    old: str
    done: Done
    before: dict[str, Fen]
    after: dict[str, Fen]
    draft: bool
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Waiting:
    """A month to settle again, with what its invalid run has in the ledger."""

    period: str
    area: str
    record: Record

    @property
    def job(self) -> Job:
        return Job.from_json(self.record.run["options_json"], self.record.format)


def waiting(lake: Lake, first: str, area: str = "") -> list[Waiting]:
    """The invalid months from ``first`` (YYYY-MM) on, in order.

    Raises UsageError where there is none, where an earlier one is invalid as well, and for several areas.
    """
    lake.must_exist()
    void = [s for s in states(lake) if s.name == "void" and s.entry.kind == "settle"]
    void = [s for s in void if not area or s.entry.area == area]
    areas = sorted({s.entry.area for s in void})
    if len(areas) > 1:
        raise UsageError(
            zh=f"{lake.root} 有多个地区的月份失效：{'、'.join(areas)}；请用 --area 指定",
            en=f"months of several areas are invalid: {', '.join(areas)}; name one with --area",
        )
    periods = sorted(s.entry.period for s in void)
    if earlier := [period for period in periods if period < first]:
        raise UsageError(
            zh=f"{'、'.join(earlier)} 也已失效，须先重做；请用 --from {earlier[0]}",
            en=f"{', '.join(earlier)} are invalid too and come first: --from {earlier[0]}",
        )
    if first not in periods:
        told = "、".join(periods) or "无"
        raise UsageError(
            zh=f"{first} 没有失效的运行；失效的月份：{told}（settle --reopen 之后才有）",
            en=f"{first} has no invalid run; invalid months: {', '.join(periods) or 'none'} (they come of "
            "settle --reopen)",
        )
    return [_waiting(lake, state) for state in sorted(void, key=lambda s: s.entry.period)]


def _waiting(lake: Lake, state: State) -> Waiting:
    with ledger.opened(lake) as source:
        record = ledger.read(source, state.entry.run)
    return Waiting(state.entry.period, state.entry.area, record)


def check_inputs(months: list[Waiting]) -> None:
    """Every file of every month is where the ledger says and what it says, before the first is settled.

    Raises DataError that names the file.
    """
    for month in months:
        same_inputs(month.record)


def resettle(
    lake: Lake, months: list[Waiting], *, who: str = "", when: str = "", note: str = "",
    threads: int | None = None, memory: str = "", stage: Stage = no_stage, reports: bool = True,
) -> Iterator[Again]:  # fmt: skip
    """Settle the months again, each as a run of its own; a draft ends it, as the next builds on its approval.

    Raises what ``settle_month`` raises; months before stay settled.
    """
    check_inputs(months)
    approval = options_of(steps.entries(lake)).approval
    for month in months:
        same_inputs(month.record)  # meanwhile another program may have written
        old = month.job
        job = replace(
            old, reopen=False, draft=old.draft or approval, who=who, when=when, threads=threads,
            memory=memory, note=note or f"resettle {month.record.run['run']}",
        )  # fmt: skip
        plan = make_plan(lake, job)
        done = settle_month(lake, job, plan, stage, reports=reports)
        changed = tuple(
            name for name in ("policy", "scheme") if done.record.run[f"{name}_id"]
            and _differs(name, month.record, done.record)
        )  # fmt: skip
        yield Again(
            month.period, month.record.run["run"], done, _sums(month.record), _sums(done.record), job.draft,
            changed,
        )  # fmt: skip
        if job.draft:
            return


def _differs(name: str, then: Record, now: Record) -> bool:
    """By the digests of one format; those of older formats are taken otherwise, so that ids must do."""
    column = f"{name}_sha256" if then.format == now.format or name == "scheme" else f"{name}_id"
    return bool(then.run[column] != now.run[column])


def _sums(record: Record) -> dict[str, Fen]:
    return {name: sum(row["fen"] for row in record.rows["amounts"] if row["name"] == name) for name in SUMS}


def cleared(lake: Lake, area: str) -> list[str]:
    """The years whose clearing is invalid and must be run again."""
    found = [s.entry for s in states(lake) if s.name == "void" and s.entry.kind == "clear"]
    return sorted(entry.period for entry in found if not area or entry.area == area)
