"""Words of a comparison, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from grouper.base.reasons import STATUS_NAMES, STATUS_ZH
from grouper.compare.sides import Side
from grouper.payment.policy import words
from grouper.report.numbers import number, yuan

if TYPE_CHECKING:
    from grouper.compare.compared import Compared

Pair = tuple[str, str]
PART_WORDS: dict[str, Pair] = {
    "value": ("点值", "value"),
    "weight": ("权重", "weight"),
    "group": ("换组", "group change"),
    "outlier": ("倍率", "outlier class"),
    "other": ("其他", "other"),
}
WEIGHTS: dict[str, Pair] = {
    "taken": ("取自政策", "taken from the policy"),
    "fitted": ("由本次病例测算", "fitted on these cases"),
    "none": ("无", "none"),
}
DIMENSION_WORDS: dict[str, tuple[Pair, Pair]] = {  # heading of the first column, title
    "hospital": (("医院", "Hospital"), ("各医院", "Hospitals")),
    "level": (("医院等级", "Level"), ("各等级", "Levels of hospitals")),
    "county": (("县区", "County"), ("各县区", "Counties")),
    "old_group": (("原病组", "Old group"), ("变化最大的原病组", "Old groups that change most")),
    "new_group": (("新病组", "New group"), ("变化最大的新病组", "New groups that change most")),
}


def of_policy(side: Side, zh: bool) -> str:
    """The policy of a side by its name; with fitted weights it says so. "" without a policy."""
    if side.policy is None:
        return ""
    name = side.policy.name if zh else side.policy.name_en
    if side.weights == "fitted":
        name += "，权重由本次病例测算" if zh else ", weights fitted on these cases"
    return name


def lines(done: Compared, zh: bool) -> Iterator[str]:
    """The summary: rows, both sides, statuses, notes, money with its parts, solved values."""
    left = sum(done.counts.left.values())
    yield (
        f"{done.counts.rows:,} 行：{done.counts.cases:,} 例，{left:,} 行不作病例"
        if zh
        else f"{done.counts.rows:,} rows: {done.counts.cases:,} cases, {left:,} that are no stays"
    )
    names = dict(zip(STATUS_NAMES, STATUS_ZH if zh else STATUS_NAMES, strict=True))
    comma = "，" if zh else ", "
    for side in (done.old, done.new):
        policy = f"{comma}{side.policy.id}" if side.policy else ""
        weights = f"{'权重' if zh else 'weights'}{' ' * (not zh)}{WEIGHTS[side.weights][not zh]}"
        found = [f"{names[s]} {n:,}" for s, n in done.statuses[side.name].items()]
        yield (
            f"  {'原' if zh else 'old'}" * (side is done.old)
            + f"  {'新' if zh else 'new'}" * (side is done.new)
            + f" {side.scheme}{policy}{comma}{weights}{comma}{comma.join(found)}"
        )
        for note in side.notes:
            yield f"    {note[not zh]}"
    if done.total is not None:
        told = done.total
        unit = "元" if zh else " yuan"
        percent = number(told["percent"], 2, True)
        yield (
            f"  {'金额' if zh else 'amounts'} {yuan(told['before'])} → {yuan(told['after'])}{unit}"
            f"{comma}{yuan(told['difference'], True)}{unit} ({percent}%)"
        )
        parts = [f"{pair[not zh]} {yuan(told[f'by_{name}'], True)}" for name, pair in PART_WORDS.items()]
        yield f"    {comma.join(parts)}"
    for each in done.neutral:
        before = "–" if each.before is None else number(each.before, 4)
        value = "点值" if zh else "value"
        pool = words.pool(each.pool, "zh" if zh else "en") if each.pool else ""
        yield f"    {value} {pool} {before} → {each.solved}"
