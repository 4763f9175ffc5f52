"""``docs/policies.md``: every shipped policy in one table, made from the policy files.

    python -m grouper.payment.docs.overview docs/policies.md
    python -m grouper.payment.docs.overview docs/zh/policies.md

A page below ``docs/zh`` is in Chinese. A test fails when a page no longer says what the files say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from grouper.base.whole import write_text
from grouper.payment.policy.policy import Policy, load_policy, policy_files
from grouper.payment.policy.words import METHODS

FRAMES = ("national", "base")  # areas that are no areas: what others extend
_HEAD = """\
# Shipped policies

[中文](zh/policies.md)

Made from `tables/policies/` by `python -m grouper.payment.docs.overview docs/policies.md`; do not edit.

A policy says how an area pays; [payment.md](payment.md) says what its parameters do. **Hardly a value here
was checked against an area's own document.** Most come from a public web calculator, some are documented
defaults; each value names its source, and a run lists those that it used without verification. The last
column counts values, routes and tables of a policy, with what it extends: verified, and not. The years are
mostly those in the name of the values' source. The five areas with a plan of their own have a page each:
[Lishui](areas/lishui.md), [Liaocheng](areas/liaocheng.md), [Qingyang](areas/qingyang.md),
[Tianmen](areas/tianmen.md), [Yulin](areas/yulin.md).

Hospital levels are `1`, `2`, `3`, and with a grade `2a`, `2b`, `3a`, `3b` (二甲, 二乙, 三甲, 三乙). Levels of
an area's own kind keep the word of the source (`A`, `县二级`, `中医Ⅱ级`). The table of hospitals
(`--hospitals`) gives them.

Areas on `chs-drg-2.0` with its reference weights have a public rate or point value, but no public grouping
or weights of their own: rate and weights may not belong together. Replace both before use.
"""
_FRAMES = """\
## Frames

Not for paying: what the areas extend. Their rates, point values and mean costs are examples; those of edition
3.0 (from 2027-01-01) have weights and scores fitted to an invented city. `grouper policy new` makes a policy
of one's own from any of these. What of them rests on national documents, in force or draft, is in
[national-clauses.md](national-clauses.md).
"""
_HEAD_ZH = """\
# 政策一览

[English](../policies.md) · [支付](payment.md) · [国家条款](national-clauses.md)

由 `python -m grouper.payment.docs.overview docs/zh/policies.md` 从 `tables/policies/` 生成，请勿手改。

一份政策说明一个地区怎样支付；各参数的含义见[支付](payment.md)。**几乎没有一项取值核对过本地原文**：
大多来自公开网页计算器，有的是注明的默认值；每个取值都写明出处，每次运行列出所用的未核实取值。
最后一列为政策（含所依据的上级政策）的取值、支付路径和表中已核实与未核实的个数。年份大多取自来源名称。
有本地方案的五个地区各有一页：[丽水](areas/lishui.md)、[聊城](areas/liaocheng.md)、
[庆阳（正宁）](areas/qingyang.md)、[天门](areas/tianmen.md)、[玉林](areas/yulin.md)。

医院等级为 `1`、`2`、`3`，区分甲乙等的为 `2a`、`2b`、`3a`、`3b`（二甲、二乙、三甲、三乙）；
地方自有的等级照来源（`A`、`县二级`、`中医Ⅱ级`）。等级由医院表（`--hospitals`）给出。

使用 `chs-drg-2.0` 及其参考权重的地区，有公开的费率或点值，没有公开的本地分组和权重：
费率与权重可能不相配，使用前两者都要换成本地的。
"""
_FRAMES_ZH = """\
## 国家框架和系列政策

不用于付款，供各地政策作底。其中的费率、点值、例均费用是示例；
3.0 版（2027-01-01 起）的权重和分值由虚构城市测算。`grouper policy new` 以其中任何一份为底写出本地政策。
哪些取值依据国家文件（现行或征求意见稿），见[国家条款](national-clauses.md)。
"""
_COLUMNS = ("policy", "area", "method", "scheme", "weights", "validity", "verified / not")
_COLUMNS_ZH = ("政策", "名称", "支付方式", "分组方案", "权重表", "有效期", "已核实／未核实")


def policies_page(lang: str = "en") -> str:
    """The whole page as Markdown, in English or Chinese."""
    zh = lang == "zh"
    policies = [load_policy(path) for path in policy_files().values()]
    areas = [p for p in policies if p.area not in FRAMES]
    frames = [p for p in policies if p.area in FRAMES]
    number, cities = len(areas), len({p.area for p in areas})
    told = f"## 地区\n\n{cities} 个地区的 {number} 套政策。\n" if zh else ""
    parts = [
        _HEAD_ZH if zh else _HEAD,
        told or f"## Areas\n\n{number} policies of {cities} areas.\n",
        _table(areas, zh),
        _FRAMES_ZH if zh else _FRAMES,
        _table(frames, zh),
    ]
    return "\n".join(parts)


def _table(policies: Iterable[Policy], zh: bool) -> str:
    columns = _COLUMNS_ZH if zh else _COLUMNS
    rows = [columns, tuple("---" for _ in columns), *(_row(p, zh) for p in policies)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(policy: Policy, zh: bool) -> tuple[str, ...]:
    verified = list(_verified(policy))
    unverified = "（未核实）" if zh else " (unverified)"
    code = (lambda name: f"`{name}`") if zh else str
    return (
        f"`{policy.id}`",
        policy.name,
        METHODS[policy.method][0] if zh else policy.method,
        code(policy.scheme or "–"),
        code(policy.weights.path.stem if policy.weights else "–"),
        f"{policy.valid_from} {'至' if zh else '–'} {policy.valid_to}"
        + ("" if policy.validity_verified else unverified),
        f"{sum(verified)} / {len(verified) - sum(verified)}",
    )


def _verified(policy: Policy) -> Iterator[bool]:
    for parameter in policy.parameters.values():
        yield from (dated.verified for dated in parameter.values)
    yield from (route.verified for route in policy.routes)
    yield from (table.verified for table in (policy.weights, policy.means) if table)


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/policies.md")
    write_text(target, policies_page("zh" if "zh" in target.parts else "en"))


if __name__ == "__main__":
    main()
