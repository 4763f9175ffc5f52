"""What a month owes a hospital, fund by fund: the pool, and the other funds that hospitals advance by item.

The pool's money is what ``statements`` shares out. Serious illness, medical aid, civil servants and the large
amount of employees are paid by item as their records say: of every case that the pool pays, and of cases of
closed months by the difference that an adjustment makes. What was paid otherwise than ordered is carried to
the next settlement of the year, fund by fund.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.money import Fen, fen_of
from grouper.base.sql import scan
from grouper.lake.steps import PAID
from grouper.lake.views import scan_parts

if TYPE_CHECKING:
    import duckdb

Key = tuple[str, str]  # hospital, pool
POOL = "pool"
# Fund -> words, column of its amount in records.
OTHERS: dict[str, tuple[tuple[str, str], str]] = {
    "serious_illness": (("大病保险", "serious illness"), "serious_illness_paid"),
    "medical_aid": (("医疗救助", "medical aid"), "medical_aid_paid"),
    "civil_servant": (("公务员医疗补助", "civil servants"), "civil_servant_paid"),
    "large_amount": (("职工大额医疗费用补助", "large amounts"), "large_amount_paid"),
}
FUNDS: dict[str, tuple[str, str]] = {
    POOL: ("统筹基金", "pool fund"), **{name: words for name, (words, _) in OTHERS.items()}
}  # fmt: skip
DIFFERENCE = "paid_difference"  # paid otherwise than ordered, and carried; over-paid is positive


def name_of(fund: str, part: str) -> str:
    """The name in the ledger's ``amounts`` of a part ("due", "carried_in", "payable", "carried", "paid",
    "paid_difference") of a fund. Those of the pool stand there without the fund."""
    return part if fund == POOL and part != "paid" else f"{fund}:{part}"


def other_amounts(
    cases: str, records: str, columns: Collection[str], old: tuple[str, str, str, Collection[str]] | None
) -> str:
    """SQL of the other funds by hospital and pool in yuan, "" where no record has one: of cases that are
    paid, less what the cases had that an adjustment replaces.

    ``cases``, ``records`` (with ``columns``): SQL of the run's tables; ``old``: those of closed months, the
    run's adjustments, and the columns of the records.
    """
    parts = [_fund_rows(cases, records, columns, 1)]
    if old:
        then, had, adjustments, names = old
        replaced = (
            f"SELECT 1 FROM {adjustments} AS a WHERE a.record_id = c.record_id AND a.original_run = c.run"
        )
        parts.append(_fund_rows(then, had, names, -1, f" AND EXISTS ({replaced})", ("record_id", "run")))
    names = [column for _, column in OTHERS.values() if column in columns or (old and column in old[3])]
    if not names:
        return ""
    sums = ", ".join(f"sum(sign * coalesce({column}, 0)) AS {column}" for column in names)
    whole = " UNION ALL BY NAME ".join(part for part in parts if part)
    return f"SELECT hospital_code, pool, {sums} FROM ({whole}) GROUP BY 1, 2 ORDER BY 1, 2"


def _fund_rows(
    cases: str, records: str, columns: Collection[str], sign: int, where: str = "",
    by: Sequence[str] = ("record_id",),
) -> str:  # fmt: skip
    """SQL of the paid cases that have another fund, "" where none can; ``by``: what their records share."""
    names = [column for _, column in OTHERS.values() if column in columns]
    if not names:
        return ""
    key, some = ", ".join(by), " OR ".join(f"{column} <> 0" for column in names)
    return (
        f"SELECT c.hospital_code, c.pool, {sign} AS sign, r.* EXCLUDE ({key}) FROM {cases} AS c JOIN "
        f"(SELECT {key}, {', '.join(names)} FROM {records} WHERE {some}) AS r USING ({key}) "
        f"WHERE c.pay_status = 'paid'{where}"
    )


def read_others(
    connection: duckdb.DuckDBPyConnection, sql: str, pool_of: Mapping[str, str]
) -> dict[str, dict[Key, Fen]]:
    """Fund to fen by hospital and pool of the budget; ``pool_of``: the policy's pool to it."""
    found: dict[str, dict[Key, Fen]] = {fund: {} for fund in OTHERS}
    if not sql:
        return found
    done = connection.execute(sql)
    names = [item[0] for item in done.description or ()]
    for row in done.fetchall():
        told = dict(zip(names, row, strict=True))
        key = told["hospital_code"], pool_of.get(told["pool"], told["pool"])
        for fund, (_, column) in OTHERS.items():
            if told.get(column):
                found[fund][key] = found[fund].get(key, 0) + fen_of(told[column])
    return found


def staged_sql(connection: duckdb.DuckDBPyConnection, staged: Path) -> str:
    """``other_amounts`` of a month at work, over what it has in ``staged`` and the closed months' views."""
    files = {name: scan(staged / f"{name}.parquet") for name in ("cases", "records", "adjustments")}
    return _sql(connection, files)


def lake_sql(connection: duckdb.DuckDBPyConnection, paths: Mapping[str, str]) -> str:
    """The same of a run in the lake; the views are of the lake as it was before it."""
    return _sql(connection, {name: scan_parts([path]) for name, path in paths.items()})


def _sql(connection: duckdb.DuckDBPyConnection, files: Mapping[str, str]) -> str:
    columns = connection.sql(f"SELECT * FROM {files['records']} LIMIT 0").columns
    old = None
    there = "SELECT 1 FROM duckdb_views() WHERE view_name = 'records_effective'"
    if connection.execute(there).fetchone():
        had = connection.sql("SELECT * FROM records_effective LIMIT 0").columns
        old = ("cases_effective", "records_effective", files["adjustments"], had)
    return other_amounts(files["cases"], files["records"], columns, old)


def differences(
    connection: duckdb.DuckDBPyConnection, area: str, months: Mapping[str, str], fund: str
) -> dict[Key, Fen]:
    """Fen paid beyond what was ordered (negative: less), of months that no later one of ``months`` (period to
    run) has taken: counted from the first payment that is known of a hospital."""
    total: dict[Key, Fen] = {}
    for period, run in sorted(months.items()):
        paid = _payments(connection, area, period)
        if not paid:
            continue
        due = amounts_of(connection, [run], name_of(fund, "payable"))
        later = [other for name, other in months.items() if name > period]
        seen: set[Key] = set()
        for step in paid:
            taken = any(other > step for other in later)
            for key, fen in amounts_of(connection, [step], name_of(fund, "paid")).items():
                change = fen - (0 if key in seen else due.get(key, 0))
                seen.add(key)
                if not taken:
                    total[key] = total.get(key, 0) + change
    return {key: fen for key, fen in total.items() if fen}


def clearing_differences(
    connection: duckdb.DuckDBPyConnection, area: str, until: str = "9999"
) -> dict[Key, Fen]:
    """The same of clearings of years before ``until``, which no valid month of any year has taken: those that
    were settled after a payment became known take it. A clearing that recovers orders nothing."""
    valid = connection.execute(
        "SELECT kind, period, run FROM runs_current WHERE area = ? ORDER BY period", [area]
    ).fetchall()
    months = [run for kind, _, run in valid if kind == "settle"]
    total: dict[Key, Fen] = {}
    for period, run in [(period, run) for kind, period, run in valid if kind == "clear" and period < until]:
        due = {key: max(fen, 0) for key, fen in amounts_of(connection, [run], "final").items()}
        seen: set[Key] = set()
        for step in _payments(connection, area, period):
            for key, fen in amounts_of(connection, [step], name_of(POOL, "paid")).items():
                change = fen - (0 if key in seen else due.get(key, 0))
                seen.add(key)
                if not any(month > step for month in months):
                    total[key] = total.get(key, 0) + change
    return {key: fen for key, fen in total.items() if fen}


def _payments(connection: duckdb.DuckDBPyConnection, area: str, period: str) -> list[str]:
    """The steps that say what was paid for a period, in order."""
    rows = connection.execute(
        "SELECT run FROM runs WHERE kind = ? AND area = ? AND period = ? ORDER BY run", [PAID, area, period]
    ).fetchall()
    return [run for (run,) in rows]


def amounts_of(connection: duckdb.DuckDBPyConnection, runs: Sequence[str], name: str) -> dict[Key, Fen]:
    """An amount of the ledger by hospital and pool, summed over runs."""
    if not runs:
        return {}
    rows = connection.execute(
        "SELECT hospital_code, pool, sum(fen)::BIGINT FROM amounts WHERE list_contains(?, run) AND name = ? "
        "GROUP BY 1, 2 ORDER BY 1, 2",
        [list(runs), name],
    ).fetchall()
    return {(hospital, pool): fen for hospital, pool, fen in rows}


def others_due(
    due: Mapping[Key, Fen], carried: Mapping[Key, Fen], paid: Mapping[Key, Fen], fund: str
) -> list[dict[str, Any]]:
    """The rows of the ledger for another fund: what is due, what earlier months left to take (positive) and
    over-paid, what is payable, and what is carried on (negative)."""
    rows = []
    for hospital, pool in sorted(due.keys() | carried.keys() | paid.keys()):
        key = hospital, pool
        own, left, over = due.get(key, 0), carried.get(key, 0), paid.get(key, 0)
        rest = own - left - over
        parts = {"due": own, "carried_in": left + over, DIFFERENCE: over, "payable": max(rest, 0),
                 "carried": min(rest, 0)}  # fmt: skip
        rows += [
            {"hospital_code": hospital, "pool": pool, "name": name_of(fund, part), "fen": fen}
            for part, fen in parts.items()
            if fen or part in ("due", "payable")
        ]
    return rows
