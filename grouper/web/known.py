"""The schemes and policies that a request may name: those that are shipped, by id. A path is none of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from typing import Any

from grouper.base.errors import UsageError
from grouper.grouping.family import families
from grouper.payment.policy import describe


class Unknown(UsageError):
    """A scheme or policy that the server does not have."""


@cache
def schemes() -> tuple[dict[str, Any], ...]:
    """The shipped schemes as ``grouper tables list`` has them, with their ``kind``; national ones first."""
    found = [{"kind": each.KIND, **row} for each in families() for row in each.listing()]
    return tuple(sorted(found, key=lambda row: (row["area"] != "national", row["kind"], row["id"])))


@cache
def policies() -> tuple[dict[str, Any], ...]:
    """The shipped policies as ``grouper policy list`` has them."""
    return tuple(describe.listing())


@cache
def scheme_ids() -> frozenset[str]:
    return frozenset(row["id"] for row in schemes())


@cache
def policy_ids() -> frozenset[str]:
    return frozenset(row["id"] for row in policies())


@cache
def areas() -> frozenset[str]:
    return frozenset(row["area"] for row in policies())


def scheme(name: str) -> str:
    """``name``, when it is a shipped scheme. Raises Unknown with near names."""
    if name not in scheme_ids():
        raise _unknown("方案", "scheme", name, scheme_ids())
    return name


def policy(name: str) -> str:
    """``name``, when it is a shipped policy or an area that has some. Raises Unknown with near names."""
    if name not in policy_ids() and name not in areas():
        raise _unknown("政策", "policy", name, policy_ids() | areas())
    return name


def _unknown(zh: str, en: str, name: str, known: Iterable[str]) -> Unknown:
    near = difflib.get_close_matches(name[:60], sorted(known), 3, cutoff=0.5)
    return Unknown(
        zh=f"没有{zh} {name[:60]!r}" + (f"；相近：{'、'.join(near)}" if near else ""),
        en=f"no {en} {name[:60]!r}" + (f"; near: {', '.join(near)}" if near else ""),
    )
