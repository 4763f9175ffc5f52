"""The layers beside cases as tables: capitation packages and county alliances of a period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from grouper.payment.packages.alliance import Allied, charge_cases, read_alliances, settle_alliances
from grouper.payment.packages.capitation import Capitated, read_packages, settle_packages
from grouper.payment.policy.policy import Policy
from grouper.payment.policy.terms import Terms

_YUAN = pa.decimal128(18, 2)


def capitation(policy: Policy, when: date, path: str) -> tuple[pa.Table, Terms]:
    """Packages of a CSV settled by the policy of a day: one row each, amounts in yuan.

    Raises what ``read_packages`` and ``settle_packages`` raise.
    """
    terms = Terms(policy.on(when))
    return _capitated(settle_packages(terms, read_packages(path))), terms


def _capitated(rows: Iterable[Capitated]) -> pa.Table:
    made = [
        {
            "institution": row.of.institution,
            "package_name": row.of.package,
            "pool": row.of.pool or None,
            "heads": row.of.heads,
            **_amounts(row, ("package", "available")),
            "referral_out": _yuan(row.of.referral_out),
            "actual": _yuan(row.of.actual),
            **_amounts(row, ("surplus", "kept", "returned", "shared", "borne", "due")),
            "prepaid": _yuan(row.of.prepaid),
            **_amounts(row, ("balance",)),
            "clauses": row.clauses,
        }
        for row in rows
    ]
    return _table(made, {"heads": pa.int64()})


def alliances(
    policy: Policy,
    when: date,
    path: str,
    cases: Sequence[str] = (),
    hospitals: str = "",
    persons: str | None = None,
) -> tuple[pa.Table, Terms, Decimal]:
    """Alliances of a CSV settled by the policy of a day, and the fund (yuan) of cases that belong to none.

    With ``cases`` (priced or settled Parquet) the care of the insured is charged to them, inside and
    outside; ``hospitals`` then names the table with hospital_code and alliance. Raises what
    ``charge_cases`` and ``settle_alliances`` raise.
    """
    terms = Terms(policy.on(when))
    found, others = read_alliances(path), 0
    if cases:
        charged = charge_cases(cases, found, hospitals, persons)
        found, others = charged.alliances, charged.others
    return _allied(settle_alliances(terms, found)), terms, _yuan(others)


def _allied(rows: Iterable[Allied]) -> pa.Table:
    made = [
        {
            "alliance": row.of.alliance,
            "counties": "|".join(row.of.counties),
            "insured": row.of.insured,
            "total": _yuan(row.total),
            **{name: _yuan(getattr(row.of, name)) for name in ("inside", "outside", "outpatient")},
            "carve_outs": _yuan(row.of.carve_outs),
            **_amounts(row, ("balance", "kept", "returned", "shared", "borne")),
            "clauses": row.clauses,
        }
        for row in rows
    ]
    return _table(made, {"insured": pa.int64()})


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def _amounts(row: Any, names: Sequence[str]) -> dict[str, Decimal]:
    return {name: _yuan(getattr(row, name)) for name in names}


def _table(rows: list[dict[str, Any]], kinds: dict[str, pa.DataType]) -> pa.Table:
    texts = ("institution", "package_name", "pool", "alliance", "counties", "clauses")
    names = list(rows[0]) if rows else []
    fields = [pa.field(name, kinds.get(name, pa.string() if name in texts else _YUAN)) for name in names]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))
