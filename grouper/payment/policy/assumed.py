"""What a month took of closed months though it has been changed since, in words.

``grouper.settlement.plan.past`` makes these assumptions: "policy 2025-12" or "scheme 2025-12", with the value
"<id>, changed since run 000012".
"""

from __future__ import annotations

import re

_NAME = re.compile(r"(policy|scheme) (\d{4}-\d{2})")
_VALUE = re.compile(r"(.+), changed since run (\d+)")
_ROLES = {"policy": ("支付政策", "policy"), "scheme": ("分组方案", "scheme")}


def in_words(name: str, value: str, lang: str) -> tuple[str, str] | None:
    """An assumption's name and value as people read them; None where it is one of another kind."""
    rule, told = _NAME.fullmatch(name), _VALUE.fullmatch(value)
    if not (rule and told):
        return None
    (role, period), (identity, run) = rule.groups(), told.groups()
    if lang == "en":
        return f"{_ROLES[role][1]} of {period}", f"{identity}, changed since run {run}; taken as it is now"
    return f"{period} 的{_ROLES[role][0]}", f"{identity}，运行 {run} 之后有改动，按现在的内容"
