"""``docs/policies.md``: every shipped policy in one table, made from the policy files.

    python -m grouper.payment.docs.overview docs/policies.md

A test fails when the page no longer says what the files say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from grouper.base.whole import write_text
from grouper.payment.policy.policy import Policy, load_policy, policy_files

FRAMES = ("national", "base")  # areas that are no areas: what others extend
_HEAD = """\
# Shipped policies

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
_COLUMNS = ("policy", "area", "method", "scheme", "weights", "validity", "verified / not")


def policies_page() -> str:
    """The whole page as Markdown."""
    policies = [load_policy(path) for path in policy_files().values()]
    areas = [p for p in policies if p.area not in FRAMES]
    frames = [p for p in policies if p.area in FRAMES]
    parts = [
        _HEAD,
        f"## Areas\n\n{len(areas)} policies of {len({p.area for p in areas})} areas.\n",
        _table(areas),
        _FRAMES,
        _table(frames),
    ]
    return "\n".join(parts)


def _table(policies: Iterable[Policy]) -> str:
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS), *(_row(p) for p in policies)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(policy: Policy) -> tuple[str, ...]:
    verified = list(_verified(policy))
    return (
        f"`{policy.id}`",
        policy.name,
        policy.method,
        policy.scheme or "–",
        policy.weights.path.stem if policy.weights else "–",
        f"{policy.valid_from} – {policy.valid_to}" + ("" if policy.validity_verified else " (unverified)"),
        f"{sum(verified)} / {len(verified) - sum(verified)}",
    )


def _verified(policy: Policy) -> Iterator[bool]:
    for parameter in policy.parameters.values():
        yield from (dated.verified for dated in parameter.values)
    yield from (route.verified for route in policy.routes)
    yield from (table.verified for table in (policy.weights, policy.means) if table)


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/policies.md")
    write_text(target, policies_page())


if __name__ == "__main__":
    main()
