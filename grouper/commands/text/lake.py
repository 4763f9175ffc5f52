"""What is done to a lake, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from grouper.lake.whole import SHORT

if TYPE_CHECKING:
    from grouper.lake.repair import Plan

SHOWN = 50  # lines of one kind


def head_line(head: str, run: str, lang: str) -> str:
    """The head of a chain, short and full."""
    if not head:
        return "链头 -（还没有运行）" if lang != "en" else "chain head - (no run yet)"
    zh = f"链头 {head[:SHORT]}  {head}（运行 {run}）"
    return zh if lang != "en" else f"chain head {head[:SHORT]}  {head} (run {run})"


def shortened(lines: list[str], zh: bool) -> Iterator[str]:
    """The first lines, and how many more there are."""
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"  …（另有 {len(lines) - SHOWN} 行）" if zh else f"  … ({len(lines) - SHOWN} more)"


def plan_lines(plan: Plan, done: bool, lang: str) -> Iterator[str]:
    """What a repair does, or did; and what cannot be proven."""
    zh = lang != "en"
    if plan.nothing:
        yield "无需修复" if zh else "nothing to repair"
    if plan.rebuild:
        yield (
            f"重建账本（{plan.rebuild[0]}），共 {len(plan.runs)} 次运行：" if zh
            else f"make the ledger again ({plan.rebuild[1]}), of {len(plan.runs)} runs:"
        )  # fmt: skip
        sources = {"chain": ("链中的记录", "its record in the chain"), "ledger": ("原账本", "the ledger")}
        yield from shortened([
            f"  {run.record.run['run']}  {run.record.run['area']} {run.record.run['period']}  "
            f"{run.hash[:SHORT]}  {sources[run.source][not zh]}"
            for run in plan.runs
        ], zh)  # fmt: skip
    if plan.fill:
        yield (
            f"补写链中的记录：{'、'.join(plan.fill)}" if zh
            else f"write the records in the chain of {', '.join(plan.fill)}"
        )  # fmt: skip
    for run in plan.interrupted:
        yield f"了结被中断的运行 {run}" if zh else f"end the interrupted run {run}"
    yield from _aside(plan, zh)
    if plan.unproven:
        yield "无法证明：" if zh else "not proven:"
        yield from shortened([f"  {one.run or '-'}  {one.zh if zh else one.en}" for one in plan.unproven], zh)
    if plan.nothing:
        return
    if done:
        yield "已完成；请运行 grouper audit" if zh else "done; run grouper audit"
    else:
        yield "以上只是计划；加 --do 执行" if zh else "this is the plan; --do carries it out"


def _aside(plan: Plan, zh: bool) -> Iterator[str]:
    from grouper.lake.repair import lost

    if not plan.aside:
        return
    yield (
        f"移到 {plan.folder}（附清单 list.csv，不删除）：{len(plan.aside)} 个文件" if zh
        else f"set aside in {plan.folder}, with list.csv, nothing deleted: {len(plan.aside)} files"
    )  # fmt: skip
    yield from shortened([f"  {name}" for name in plan.aside], zh)
    for run, number in sorted(lost(plan).items()):
        yield (
            f"  运行 {run}：没有记录证明，其 {number} 个数据文件移出；如有账本备份，请先恢复备份再试" if zh
            else f"  run {run}: no record proves it, its {number} data files leave the lake; where there "
            "is a backup of the ledger, restore that first"
        )  # fmt: skip
