"""States of settlements, and what was done about them, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grouper.base.money import yuan_of
from grouper.commands.text.aligned import aligned
from grouper.lake.steps import APPROVE, ORDER, PAID, REJECT, REVIEW, Entry
from grouper.settlement.states import STEPS, Options, State

_SHOWN = (REVIEW, APPROVE, REJECT, ORDER, PAID)


def state_lines(states: Sequence[State], lang: str) -> Iterator[str]:
    """Every period with its runs that are valid, wait or were rejected: where it stands, and who did what."""
    zh = lang != "en"
    shown = [state for state in states if state.name not in ("replaced", "void")]
    head = (
        ("期间", "地区", "运行", "状态", "结算") if zh else ("period", "area", "run", "state", "settled by")
    )
    table = [(*head, *(STEPS[kind][not zh] for kind in _SHOWN))]
    for state in sorted(shown, key=lambda one: (one.entry.area, one.entry.period, one.entry.run)):
        entry = state.entry
        own = [_last(state.steps, kind) for kind in _SHOWN]
        table.append((entry.period, entry.area, entry.run, state.word(lang), _who(entry), *map(_who, own)))
    if len(table) > 1:
        yield "各期状态" if zh else "states"
        yield from aligned([row[: _filled(table)] for row in table], indent="  ")
    for state in shown:
        if (payment := _last(state.steps, PAID)) is not None:
            ordered, paid, off = (
                f"{yuan_of(payment.says.get(name, 0)):,.2f}"
                for name in ("ordered_fen", "paid_fen", "difference_fen")
            )
            yield (
                f"  {state.entry.period} 应拨 {ordered} 元，已登记拨付 {paid} 元，差额 {off} 元" if zh
                else f"  {state.entry.period}: {ordered} yuan ordered, {paid} known to be paid, "
                f"difference {off}"
            )  # fmt: skip
        for step in state.steps:
            if step.kind == REJECT and state.name == "rejected":
                told = f"{state.entry.period} {state.entry.run}"
                reason = step.says.get("reason", "")
                yield f"  {told} 退回原因：{reason}" if zh else f"  {told} rejected: {reason}"


def _filled(table: Sequence[Sequence[str]]) -> int:
    """Columns up to the last that says something."""
    return max(n + 1 for row in table[1:] for n, cell in enumerate(row) if cell)


def _last(found: Sequence[Entry], kind: str) -> Entry | None:
    return next((step for step in reversed(found) if step.kind == kind), None)


def _who(entry: Entry | None) -> str:
    return " ".join(part for part in (entry.who or "✓", entry.when) if part) if entry else ""


def option_lines(options: Options, lang: str) -> Iterator[str]:
    """What a lake asks of its settlements."""
    zh = lang != "en"
    told = []
    if options.two_persons:
        told.append("结算与审批须为两人" if zh else "two persons settle and approve")
    if options.approval:
        told.append(
            "须审批后方为有效（settle --draft）" if zh else "only approved drafts count (settle --draft)"
        )
    if told:
        yield ("湖选项：" if zh else "options: ") + ("；" if zh else "; ").join(told)


def step_line(state: State, lang: str) -> str:
    """A run after a step."""
    entry = state.entry
    if lang == "en":
        return f"{entry.area} {entry.period}, run {entry.run}: {state.word(lang)}"
    return f"{entry.area} {entry.period} 运行 {entry.run}：{state.word(lang)}"
