"""The text that the policies of the tests begin with; each goes on to its own parameters."""

from __future__ import annotations

_IDENTITY = """
id = "test/{name}"
area = "test"
name = "试验政策"
name_en = "Test policy"
method = "{method}"
scheme = "{scheme}"
valid_from = 2025-01-01
valid_to = 2025-12-31
"""
POOLS = """
[pools]
employee = ["310"]
resident = ["390"]
"""
WEIGHTS = """
[weights]
table = "weights.csv"
source = "试验权重"
verified = true
"""
LONG_STAY = """
[[routes]]
name = "long_stay"
zh = "长期住院按项目"
en = "long stays by item"
method = "by_item"
when = { los_days = { above = 60 } }
source = "试验办法"
article = "第三条"
verified = true
"""


def identity(name: str, method: str, scheme: str = "") -> str:
    """The lines before the first table: who, what and when; without ``scheme`` the policy names none."""
    text = _IDENTITY.format(name=name, method=method, scheme=scheme)
    return text if scheme else text.replace('scheme = ""\n', "")


def drg_head(name: str, method: str, scheme: str = "") -> str:
    """What a policy of DRGs has before its parameters: two pools, weights.csv, long stays by item."""
    return identity(name, method, scheme) + POOLS + WEIGHTS + LONG_STAY
