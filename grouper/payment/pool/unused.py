"""What a budget file says and a run does not go by: named in the summary, or refused where money hangs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from grouper.base.errors import UsageError
from grouper.payment.policy import pool_names, words
from grouper.payment.policy.value_words import choice

if TYPE_CHECKING:
    from grouper.payment.policy.policy import Policy
    from grouper.payment.pool.budget import Budget

# What a hospital's row of a month says for the clearing of the year only.
_OF_THE_YEAR = ("prepaid", "deposit", "score")


class Unused(NamedTuple):
    """A key of a budget file, and why nothing went by it."""

    key: str
    zh: str
    en: str

    def text(self, lang: str) -> str:
        """In words, "zh" or "en"."""
        if lang == "en":
            return f"{self.key} of the budget file was not used: {self.en}"
        return f"预算文件的 {self.key} 没有用到：{self.zh}"


def check_pools(policy: Policy, budget: Budget) -> None:
    """Every member of the budget's pools is a pool of the policy, with a county or alliance where the policy
    has pools for these. Raises UsageError that lists the known, or says what is lacking or too much."""
    values = policy.on(budget.last)
    by = values.plain(pool_names.BY) if pool_names.BY in policy.parameters else None
    for pool in budget.pools.values():
        for member in pool.members:
            if pool_names.insurance(member) in policy.pools and bool(pool_names.part(member)) != bool(by):
                raise _parted(budget, policy, pool.name, member, by)
            if pool_names.insurance(member) not in policy.pools:
                known = words.pools_told(policy.pools)
                at = f"pools.{pool.name}"
                raise UsageError(
                    zh=f"{budget.where}：{at}：{member!r} 不是政策 {policy.id} 的基金池；可用：{known}",
                    en=f"{budget.where}: {at}: {member!r} is no pool of {policy.id}; known are {known}",
                )


def _parted(budget: Budget, policy: Policy, pool: str, member: str, by: str | None) -> UsageError:
    if by:
        such = f'"{member}/331121"'
        zh = f"{member!r} 要写明县（市、区）或医共体，如 {such}：政策 {policy.id} 按{choice(by, 'zh')}分池"
        en = f"{member!r} needs its county or alliance, such as {such}: pools of {policy.id} are by the "
        en += choice(by, "en")
    else:
        zh = f"{member!r}：政策 {policy.id} 的基金池不分县（市、区）或医共体（没有 {pool_names.BY}）"
        en = f"{member!r}: {policy.id} has no pools by county or alliance ({pool_names.BY} is not set)"
    return UsageError(zh=f"{budget.where}：pools.{pool}：{zh}", en=f"{budget.where}: pools.{pool}: {en}")


def refuse_without_lake(budget: Budget) -> None:
    """Advances that a run without a lake cannot work out: those by last year's dues, and what is left of them
    at the end of a year. Raises UsageError that names the key."""
    named = [key for key, entry in sorted(budget.hospitals.items()) if entry.advance_base]
    if budget.advance_base:
        raise UsageError(
            zh=f"{budget.where}：advance_base：pay 不知道上年各月的应付，不能据此计算预付金；"
            "请在 hospitals 中逐家写明 advance_base，或用 settle",
            en=f"{budget.where}: advance_base: pay does not know the dues of last year; give advance_base "
            "of each hospital in hospitals, or use settle",
        )
    if budget.yearly and named:
        hospital, pool = named[0]
        raise UsageError(
            zh=f"{budget.where}：hospitals：{hospital}、{pool} 的 advance_base：pay 不知道各月已冲抵"
            "多少预付金；全年请把尚未冲抵的余额写作 advance，或用 clear",
            en=f"{budget.where}: hospitals: advance_base of {hospital}, {pool}: pay does not know what the "
            "months offset; for a year give what is left as advance, or use clear",
        )


def not_used(policy: Policy, budget: Budget) -> list[Unused]:
    """The keys of a budget that settling by ``policy`` does not go by."""
    return [*_of_hospitals(budget), *_of_pools(policy, budget)]


def _of_hospitals(budget: Budget) -> Iterator[Unused]:
    if budget.yearly:
        return
    for name in _OF_THE_YEAR:
        rows = sum(getattr(entry, name) is not None for entry in budget.hospitals.values())
        if rows:
            yield Unused(
                f"hospitals.{name}",
                f"{rows} 行；月度按政策计算预拨和保证金，它们只用于年度清算",
                f"{rows} rows; a month computes its own, the clearing of a year goes by it",
            )


def _of_pools(policy: Policy, budget: Budget) -> Iterator[Unused]:
    values = policy.on(budget.last)
    method, formula = (
        values.plain(n) if n in policy.parameters else None for n in ("pool_method", "fund_formula")
    )
    for name, pool in budget.pools.items():
        if pool.point_value is not None and method == "standard":
            yield Unused(
                f"pools.{name}.point_value",
                "政策按标准支付，没有点值",
                "the policy pays standards and has no points",
            )
        if pool.pay_ratio is not None and (formula != "F3" or method == "standard"):
            yield Unused(
                f"pools.{name}.pay_ratio",
                f"支付比例只用于点数法的基金公式 F3，政策是 {formula}",
                f"the ratio belongs to points with the fund formula F3, the policy has {formula}",
            )
