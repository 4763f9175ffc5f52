"""Statements that were sent, and objections, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from grouper.commands.text.aligned import aligned
from grouper.report.objection_form import REASONS, WISHES
from grouper.settlement.objections import DECISIONS_KNOWN, STATES

if TYPE_CHECKING:
    from grouper.settlement.objections import Count, Objection
    from grouper.settlement.sending import Sent


def sent_lines(done: Sent, lang: str) -> Iterator[str]:
    """How many folders there are, and where."""
    zh, entry = lang != "en", done.state.entry
    until = (
        (f"，申诉截止 {done.deadline}" if zh else f", objections until {done.deadline}")
        if done.deadline
        else ""
    )
    yield f"{entry.period} 运行 {entry.run}：{len(done.folders)} 家医院{until}" if zh else (
        f"{entry.period}, run {entry.run}: {len(done.folders)} hospitals{until}"
    )  # fmt: skip
    for folder in sorted({path.parent for path in done.folders.values()}):
        yield f"  {folder}"


def objection_lines(found: Sequence[Objection], lang: str) -> Iterator[str]:
    """Objections as a table."""
    zh = lang != "en"
    n = 0 if zh else 1
    heads = (("编号", "number"), ("医院", "hospital"), ("病例", "case"), ("事由", "reason"), ("诉求", "wish"),
             ("截止", "until"), ("状态", "state"), ("决定", "decision"), ("理由", "why"))  # fmt: skip
    table = [tuple(words[n] for words in heads)]
    for one in found:
        decision = DECISIONS_KNOWN[one.decision][0][n] if one.decision else ""
        amount = one.decided_amount or one.decided_points
        state = STATES[one.state][n] + (f" {one.settled_in}" if one.settled_in else "")
        table.append((
            one.id, one.hospital, one.record_id, REASONS[one.reason][n], WISHES[one.wish][n], one.deadline,
            state, f"{decision} {amount}".strip(), one.decided_reason or one.text,
        ))  # fmt: skip
    if found:
        yield from aligned(table)
    yield f"{len(found)} 件" if zh else f"{len(found)} objections"


def count_lines(counts: Sequence[Count], lang: str) -> Iterator[str]:
    """Objections of each period in a line, with the deadline."""
    zh = lang != "en"
    for one in counts:
        parts = [f"{STATES[state][not zh]} {number}" for state, number in one.by_state.items()]
        until = (f"截止 {one.deadline}" if zh else f"until {one.deadline}") if one.deadline else ""
        told = ("，" if zh else ", ").join(part for part in (until, *parts) if part)
        yield f"申诉 {one.period}：{one.total} 件" + (f"（{told}）" if told else "") if zh else (
            f"objections {one.period}: {one.total}" + (f" ({told})" if told else "")
        )  # fmt: skip
