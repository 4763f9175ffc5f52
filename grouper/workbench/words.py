"""A CaseAnswer in words, Chinese or English, for a terminal or a letter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_AMOUNTS = {
    "standard": ("支付标准", "standard"),
    "amount": ("应付总额", "amount due in all"),
    "fund_due": ("基金应付", "fund due"),
    "person_paid": ("个人支付", "paid by the patient"),
    "income": ("医院所得", "income of the hospital"),
    "total_cost": ("总费用", "total cost"),
    "profit": ("盈亏（所得 − 总费用）", "profit or loss (income − total cost)"),
    "margin": ("应付总额 − 总费用", "amount due − total cost"),
}


def told(answer: Mapping[str, Any]) -> Iterator[str]:
    """The answer (``CaseAnswer.as_dict``) line by line."""
    writer = _Writer(answer)
    yield from writer.record()
    for scheme in answer["schemes"]:
        yield from writer.scheme(scheme)
    for price in answer["prices"]:
        yield from writer.price(price)
    yield from writer.missing()
    yield from writer.checks(answer["checks"])
    if answer["alternatives"] is not None:
        yield from writer.alternatives(answer["alternatives"])


class _Writer:
    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = answer

    def say(self, zh: str, en: str) -> str:
        return en if self.answer["lang"] == "en" else zh

    def record(self) -> Iterator[str]:
        record = self.answer["record"]
        if not record["stay"]["counts"]:
            yield self.say(f"不作病例：{record['stay']['text']}", f"no case: {record['stay']['text']}")
        for note in (*record["notes"], *record["dropped"]):
            field = f"{note['field']}{self.say('：', ': ')}" if note["field"] else ""
            yield f"{self.say('说明：', 'note: ')}{field}{note['text']}"

    def scheme(self, scheme: Mapping[str, Any]) -> Iterator[str]:
        yield ""
        yield self.say(f"方案 {scheme['scheme']['id']}", f"Scheme {scheme['scheme']['id']}")
        if scheme["explanation"] is None:
            yield f"  {scheme['status_text']}{self.say('：', ': ')}{scheme['reason_text']}"
        else:
            yield from (f"  {line}" for line in scheme["explanation"]["summary"])

    def price(self, price: Mapping[str, Any]) -> Iterator[str]:
        yield ""
        day = f"{self.say('，', ', ')}{price['day']}" if price["day"] else ""
        yield f"{self.say('支付', 'Payment')} {price['policy']['name'] or ''} [{price['policy']['id']}]{day}"
        yield f"  {price['status_text']}{self.say('（', ' (')}{price['reason_text']}{self.say('）', ')')}"
        if price["weight"]:
            weight = self.say("，权重（分值） ", ", weight ") + price["weight"]
            yield f"  {self.say('病组', 'group')} {price['group']}{weight}"
        for name, words in _AMOUNTS.items():
            if price["amounts"][name] is not None:
                yield f"  {self.say(*words)} {price['amounts'][name]} {self.say('元', 'yuan')}"
        yield from (f"  {estimate['text']}" for estimate in price["estimates"])
        for limit in price["limits"]:
            if limit["distance"] is not None:
                yield self.say(
                    f"  {limit['text']} {limit['yuan']} 元，相差 {limit['distance']} 元",
                    f"  {limit['text']} {limit['yuan']} yuan, {limit['distance']} yuan away",
                )
        for days in price["days"]:
            if days["distance"] is not None:
                yield self.say(
                    f"  {days['text']}：界限 {days['limit']} 天，相差 {days['distance']} 天",
                    f"  {days['text']}: limit {days['limit']} days, {days['distance']} away",
                )

    def missing(self) -> Iterator[str]:
        if not self.answer["missing"]:
            return
        yield ""
        yield self.say("缺少", "Missing")
        for lack in self.answer["missing"]:
            mend = self.say("；写 ", "; write ") + lack["mend"]
            yield f"  {lack['field']}{self.say('：', ': ')}{lack['why']}{mend}"
            for value in lack["values"]:
                yield (
                    f"    {value['policy']} {lack['field']}={value['value']} → {value['method_text']} "
                    f"{value['amount'] or '—'}"
                )

    def checks(self, found: Mapping[str, Any]) -> Iterator[str]:
        yield ""
        yield self.say(f"质控（{found['label']}）", f"Checks ({found['label']})")
        for item in found["items"]:
            yield self.say(
                f"  {item['scheme']}：发现 {len(item['findings'])} 条，通过 {len(item['passed'])} 条，"
                f"未评估 {len(item['not_evaluated'])} 条",
                f"  {item['scheme']}: {len(item['findings'])} findings, {len(item['passed'])} passed, "
                f"{len(item['not_evaluated'])} not evaluated",
            )
            if item["error"]:
                yield self.say(f"  无法核查：{item['error']}", f"  cannot be checked: {item['error']}")
            for finding in item["findings"]:
                mend = finding["mend"] and self.say("；", "; ") + finding["mend"]
                yield f"    [{finding['severity_text']}] {finding['text']}{mend}"

    def alternatives(self, found: Mapping[str, Any]) -> Iterator[str]:
        if not found["items"] and not found["missing"]:
            return
        yield ""
        yield self.say(f"核对（{found['label']}）", f"To check ({found['label']})")
        for item in found["items"]:
            groups = self.say("；", "; ").join(
                f"{group['group'] or self.say('无组', 'no group')} {group['group_name'] or ''}".strip()
                + (self.say("（同现在）", " (as now)") if group["same"] else "")
                for group in item["schemes"]
            )
            amounts = [
                f"{price['amount']} ({price['difference'] or '—'})"
                for price in item["prices"]
                if price["amount"]
            ]
            yield f"  {item['text']}{self.say('：', ': ')}{groups}" + (
                f"{self.say('，', ', ')}{' / '.join(amounts)} {self.say('元', 'yuan')}" if amounts else ""
            )
        for lack in found["missing"]:
            yield self.say(
                f"  未记录（不计金额）：{lack['text']}", f"  not recorded (no amount): {lack['text']}"
            )
