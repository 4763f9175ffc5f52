"""The summary of a payment run in words: counts, amounts, what was assumed, what is not verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from grouper.commands.text.aligned import aligned
from grouper.commands.text.ledger import AMOUNTS
from grouper.payment.api import Paid, total
from grouper.payment.policy import words
from grouper.payment.policy.describe import applying
from grouper.payment.policy.registry import label
from grouper.payment.price.gated import LEFT, NOT_IN_FORCE
from grouper.payment.price.pricing import Priced
from grouper.payment.price.whatif import WhatIf

SHOWN = 40  # hospitals of a what-if on the terminal


def report(done: Paid, lang: str) -> Iterator[str]:
    """The summary line by line, "zh" or "en"."""
    zh = lang != "en"
    priced = done.priced
    policy = priced.policy
    head = f"政策 {policy.id}：{policy.name}" if zh else f"Policy {policy.id}: {policy.name_en}"
    cases = priced.rows - priced.statuses[LEFT]
    told = f"{head}；{cases:,} 例" if zh else f"{head}; {cases:,} cases"
    if cases < priced.rows:
        told += f"（共 {priced.rows:,} 行）" if zh else f" of {priced.rows:,} rows"
    yield told
    yield from _statuses(done, lang)
    yield from _outside(priced, lang)
    yield from _amounts(done, lang)
    for odd in done.odd:
        yield f"  {'注意' if zh else 'note'}{'：' if zh else ': '}{odd.text(lang)}"
    if done.settlement is not None:
        yield from _settlement(done, lang)
    if "record_id" in priced.assumed:
        yield (
            "没有 record_id，以 settlement_id 为病例标识" if zh else "No record_id: cases go by settlement_id"
        )
    named = [words.column(name, lang) for name in priced.assumed if name != "record_id"]
    if named:
        yield (
            f"输入没有、按默认的列：{'、'.join(named)}"
            if zh
            else f"Not in the input, taken as default: {', '.join(named)}"
        )
    if done.what_if is not None:  # before the list, which is long
        yield from what_if_lines(done.what_if, lang)
    yield from _unverified(done, lang)
    labels = {
        "cases": ("病例", "cases"),
        "hospitals": ("医院结算表", "hospitals"),
        "pools": ("基金池汇总", "pools"),
        "what-if": ("对比", "what-if"),
    }
    for name, path in done.paths.items():
        yield f"{words.pick(labels[name], lang)}{'：' if zh else ': '}{path}"


def _statuses(done: Paid, lang: str) -> Iterator[str]:
    """Paid, held, outside and no case: rows and yuan, by reason."""
    priced = done.priced
    unit = "yuan" if lang == "en" else "元"
    routes = {route.name: (route.zh, route.en) for route in priced.policy.routes}
    for status, number in priced.statuses.items():
        inside = {key: n for key, n in priced.reasons.items() if key.partition(":")[0] == status}
        if number:
            share = 100 * number / max(priced.rows, 1)
            whole = sum((priced.costs[key] for key in inside), Decimal(0))
            told = f"{number:,} ({share:.2f}%)  {_yuan(whole)} {unit}"
            yield f"  {words.pick(words.STATUSES[status], lang)}  {told}"
        for key, count in inside.items():
            reason = key.partition(":")[2]
            cost = _yuan(priced.costs[key])
            told = f"    {count:,}  {words.reason(reason, lang, routes)} [{reason}]  {cost} {unit}"
            yield told + (_inputs(priced.places.get(key, {})) if status != "paid" else "")


def _inputs(found: Mapping[str, int]) -> str:
    """The inputs that rows come from, most first; "" where there is one input only."""
    told = sorted(found.items(), key=lambda item: -item[1])
    return f"  ({', '.join(f'{path} {rows:,}' for path, rows in told)})" if told else ""


def _outside(priced: Priced, lang: str) -> Iterator[str]:
    """Cases of days on which the policy does not apply, and the policies of the area that do."""
    if priced.outside is None:
        return
    policy, zh = priced.policy, lang != "en"
    days = " – ".join(dict.fromkeys(map(str, priced.outside)))
    number = f"{priced.reasons[f'held:{NOT_IN_FORCE}']:,}"
    own = f"{policy.valid_from} – {policy.valid_to}"
    yield (
        f"  注意：{number} 例的日期（{days}）不在政策 {policy.id} 的有效期（{own}）内，没有计价"
        if zh
        else f"  note: {number} of {days}, outside the validity of {policy.id} ({own}), not priced"
    )
    for other in applying(policy, *priced.outside):
        told = f"grouper group … --scheme {other.scheme}; grouper pay … --policy {other.id}"
        yield f"    按当日的政策另行分组、计价：{told}" if zh else f"    by a policy of their days: {told}"


def _amounts(done: Paid, lang: str) -> Iterator[str]:
    """Cost, amount and fund due (as priced), by pool and in all."""
    zh = lang != "en"
    names = ("total_cost", "amount", "fund_due")
    header = (
        ["基金池", "病例", "总费用", "应付总额", "基金应付"]
        if zh
        else ["pool", "cases", "total cost", "amount", "fund due"]
    )

    def cells(label: str, inside: list[dict[str, Any]]) -> list[str]:
        return [
            label,
            f"{sum(row['cases'] for row in inside):,}",
            *(_yuan(total(inside, name)) for name in names),
        ]

    pools = list(dict.fromkeys(row["pool"] for row in done.totals))
    rows = [
        header,
        *(
            cells(words.pool(pool, lang) if pool else "—", [r for r in done.totals if r["pool"] == pool])
            for pool in pools
        ),
    ]
    if len(pools) > 1:
        rows.append(cells("合计" if zh else "all", done.totals))
    yield from aligned(rows, right={1, 2, 3, 4}, indent="  ")


def _settlement(done: Paid, lang: str) -> Iterator[str]:
    """What the settlement made of the pools."""
    assert done.settlement is not None
    from grouper.payment.pool.factor import far_off
    from grouper.payment.pool.pool import describe

    zh = lang != "en"
    yield (
        ("按预算点值结算" if zh else "Settled at the budget value")
        if done.settlement.value == "budget"
        else ("按预算结算" if zh else "Settled")
    )
    header = (
        ["基金池", "预算", "可分配", "支付", "点值", "留下"] if zh
        else ["pool", "budget", "distributable", "paid", "point value", "residual"]
    )  # fmt: skip
    rows = [header]
    for name, settled in done.settlement.pools.items():
        told = describe(settled)
        amounts = (_money(told[key]) for key in ("budget", "distributable", "total"))
        rows.append([words.pool(name, lang), *amounts,
                     told["point_value"] or "—", _money(told["residual"])])  # fmt: skip
    yield from aligned(rows, right={1, 2, 3, 4, 5}, indent="  ")
    for odd in far_off({"pool": n} | describe(s) for n, s in done.settlement.pools.items()):
        yield f"  {'注意：' if zh else 'note: '}{odd.text(lang)}"
    if done.cleared:
        yield _cleared(done, zh)
    else:
        yield (
            "  没有清算：预算文件没有 hospitals（已预拨、保证金）"
            if zh
            else ("  no clearing: the budget file has no hospitals (prepaid, deposit)")
        )


def _cleared(done: Paid, zh: bool) -> str:
    """What the clearing came to over all hospitals: what is paid now, and what was offset or taken."""
    sums = {
        name: sum((amount or Decimal(0) for amount in done.hospitals[name].to_pylist()), Decimal(0))
        for name in ("deposit", "prepaid", "advanced", "advance", "audit", "payable", "carried", "final")
        if name in done.hospitals.column_names
    }
    shown = {name: amount for name, amount in sums.items() if amount or name in ("payable", "final")}
    told = [f"{AMOUNTS[name][not zh]} {_yuan(amount)}" for name, amount in shown.items()]
    return f"  清算（元）：{'，'.join(told)}" if zh else f"  clearing (yuan): {', '.join(told)}"


def _unverified(done: Paid, lang: str) -> Iterator[str]:
    """Every parameter used whose value nobody has checked, with its source."""
    zh = lang != "en"
    items = {(item["name"], item["source"], item["article"]): item for item in done.priced.unverified}
    if done.settlement is not None:
        terms = done.settlement.terms
        cited = [item for item in terms.cited.values() if not item["verified"]]
        items |= {(item["name"], item["source"], item["article"]): item for item in cited}
        if terms.assumed:
            pairs = sorted(terms.assumed.items())
            told = ("，" if zh else ", ").join(f"{label(n, lang)} [{n}] = {value}" for n, value in pairs)
            yield (
                f"政策没有规定、结算按默认：{told}"
                if zh
                else f"Not in the policy, settled by default: {told}"
            )
    if not items:
        return
    number = len({name for name, _, _ in items})
    yield f"用到的未核实参数 {number} 个：" if zh else f"{number} parameters used are not verified:"
    for name, source, article in sorted(items):
        yield f"    {label(name, lang)} [{name}]  {source}{' ' + article if article else ''}"


def what_if_lines(what_if: WhatIf, lang: str) -> Iterator[str]:
    """The side-by-side of a reform, hospital by hospital."""
    zh = lang != "en"
    changes = ", ".join(f"{name}={value}" for name, value in what_if.changes.items())
    yield f"如果 {changes}：" if zh else f"What if {changes}:"
    header = (
        ["医院", "病例", "应付总额", "改后", "差额", "%", "基金", "改后", "差额", "%"] if zh
        else ["hospital", "cases", "amount", "then", "difference", "%", "fund", "then", "difference", "%"]
    )  # fmt: skip
    rows = what_if.table.slice(0, SHOWN).to_pylist()
    cells = [_side_by_side(row, row["hospital_code"]) for row in rows]
    cells.append(_side_by_side(what_if.total, "合计" if zh else "all"))
    yield from aligned([header, *cells], right=set(range(1, 10)), indent="  ")
    more = what_if.table.num_rows - len(rows)
    if more > 0:
        yield f"  另有 {more:,} 家医院，见文件" if zh else f"  {more:,} more hospitals in the file"


def _side_by_side(row: dict[str, Any], label: str) -> list[str]:
    cells = [label, f"{row['cases']:,}"]
    for measure in ("amount", "fund"):
        cells += [_yuan(row[f"{measure}_{part}"]) for part in ("before", "after")]
        cells += [f"{row[f'{measure}_difference']:+,.2f}"]
        share = row[f"{measure}_percent"]
        cells += ["—" if share is None else f"{share:+.2f}"]
    return cells


def _yuan(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _money(text: str) -> str:
    return _yuan(Decimal(text))
