"""Large, repeated and oddly counted payments: rules that flag records for a look, nothing more.

Each gives SQL of the flagged rows (``record_id`` and the columns it needs). A case that lacks one of these
columns is looked at by no rule; the indicator says how many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction

from grouper.base.exact import ceiling
from grouper.watch.definitions import Indicator
from grouper.watch.lake import Current
from grouper.watch.periods import Period

_STAY = ["person_id", "hospital_code", "admission_date", "discharge_date"]


def of_cases(lake: Current, indicator: Indicator, period: Period) -> tuple[str, list[str]]:
    """SQL of the cases that a rule looks at, and the columns without which it cannot."""
    given = indicator.values
    wanted: dict[str, Callable[[], list[str]]] = {
        "large_payments": lambda: [given["amount"]],
        "top_payments": lambda: [given["amount"]],
        "repeated_payments": lambda: list(given["keys"]),
        "many_stays": lambda: ["person_id", "hospital_code"],
        "overlapping_stays": lambda: _STAY,
    }
    columns = wanted[indicator.measure]()
    return lake.cases(period, ["record_id", *columns], given["statuses"]), columns


def large(lake: Current, indicator: Indicator, period: Period) -> str:
    """Amounts above a limit in yuan."""
    cases, (amount,) = of_cases(lake, indicator, period)
    return f"SELECT record_id FROM {cases} WHERE {amount} > {indicator.values['above']}"


def top(lake: Current, indicator: Indicator, period: Period) -> str:
    """The dearest per mille, at least one; equal amounts by record_id."""
    cases, (amount,) = of_cases(lake, indicator, period)
    number = lake.row(f"SELECT count({amount}) FROM {cases}")[0]
    share = number * Fraction(indicator.values["per_mille"]) / 1000
    return (
        f"SELECT record_id, {amount} FROM {cases} WHERE {amount} IS NOT NULL "
        f"ORDER BY {amount} DESC, record_id LIMIT {ceiling(share)}"
    )


def repeated(lake: Current, indicator: Indicator, period: Period) -> str:
    """Every record but the first (by record_id) of those that agree in all keys; dates by the day."""
    cases, keys = of_cases(lake, indicator, period)
    days = {key: f"CAST({key} AS DATE) AS {key}" if key.endswith("_date") else key for key in keys}
    return (
        f"{_several(cases, ['record_id', *days.values()], keys, keys, Decimal(1))} SELECT record_id FROM "
        f"(SELECT record_id, row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY record_id) AS place "
        "FROM several) WHERE place > 1"
    )


def many(lake: Current, indicator: Indicator, period: Period) -> str:
    """All stays of a person with more than a number of them in one month (in one hospital)."""
    cases, _ = of_cases(lake, indicator, period)
    keys = ["person_id", "month", *(["hospital_code"] if indicator.values["same_hospital"] else [])]
    known = ["person_id", "hospital_code"]
    several = _several(cases, ["record_id", "month", *known], known, keys, indicator.values["above"])
    return f"{several} SELECT record_id FROM several"


def overlapping(lake: Current, indicator: Indicator, period: Period) -> str:
    """Stays that begin while another of the person goes on (in the same hospital, or in another).

    A stay that begins on the day when another ends does not overlap it; of two that begin on one day the
    later record_id is flagged. Only persons with several stays are compared.
    """
    cases, _ = of_cases(lake, indicator, period)
    days = ["CAST(admission_date AS DATE) AS first", "CAST(discharge_date AS DATE) AS last"]
    columns = ["record_id", "person_id", "hospital_code", *days]
    where = "=" if indicator.values["same_hospital"] else "<>"
    return (
        f"{_several(cases, columns, _STAY, ['person_id'], Decimal(1))} "
        "SELECT DISTINCT b.record_id FROM several AS a JOIN several AS b "
        f"ON a.person_id = b.person_id AND a.hospital_code {where} b.hospital_code "
        "AND a.first < b.last AND b.first < a.last "
        "AND (a.first < b.first OR (a.first = b.first AND a.record_id < b.record_id))"
    )


def _several(
    cases: str, columns: Sequence[str], known: Sequence[str], keys: Sequence[str], above: Decimal
) -> str:
    """A WITH clause: ``several`` are the cases that agree in ``keys`` with more than ``above`` in all.

    They are few, and only they are sorted and compared; the rest is counted once.
    """
    test, same = " AND ".join(f"{name} IS NOT NULL" for name in known), ", ".join(keys)
    return (
        f"WITH looked AS NOT MATERIALIZED (SELECT {', '.join(columns)} FROM {cases} WHERE {test}), "
        f"several AS (SELECT * FROM looked SEMI JOIN (SELECT {same} FROM looked GROUP BY {same} "
        f"HAVING count(*) > {above}) AS many USING ({same}))"
    )


FLAGS: dict[str, Callable[[Current, Indicator, Period], str]] = {
    "large_payments": large,
    "top_payments": top,
    "repeated_payments": repeated,
    "many_stays": many,
    "overlapping_stays": overlapping,
}
