"""What a report sets a period against: the other periods of the lake, and the budget of the year."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.digests import sha256
from grouper.base.exact import decimal_of
from grouper.base.money import yuan_of
from grouper.base.sql import literal
from grouper.base.toml_in import read_toml
from grouper.lake import views
from grouper.payment.pool.budget import read_budget

if TYPE_CHECKING:
    import duckdb

    from grouper.lake.layout import Lake
    from grouper.lake.ledger import Record

COUNTS = ("cases", "paid", "held", "outside")
MONEY = ("total_cost", "paid_cost", "income", "fund_due", "adjustments", "due_total", "prepaid", "payable")


def history(lake: Lake, record: Record) -> list[dict[str, Any]]:
    """The months of the run's year and of the year before, the run's own among them, and their clearings: a
    row for each period and pool with counts, yuan, and the budget of the period; by period and pool."""
    run = record.run
    found: list[dict[str, Any]] = []
    before = run["run"]
    with views.connect(lake, before=before, pending=record, kinds=("current", "cleared")) as connection:
        for kind in ("current", "cleared"):
            found += _rows(connection, kind, run["area"], int(run["period"][:4]))
    return sorted(found, key=lambda row: (row["period"], row["pool"]))


def _rows(connection: duckdb.DuckDBPyConnection, kind: str, area: str, year: int) -> Iterator[dict[str, Any]]:
    known = connection.execute("SELECT view_name FROM duckdb_views()").fetchall()
    if (f"hospitals_{kind}",) not in known or (f"pools_{kind}",) not in known:
        return
    own = set(connection.sql(f"SELECT * FROM hospitals_{kind} LIMIT 0").columns)
    sums = ", ".join(
        f"coalesce(sum({name if name in own else 'NULL'}), 0) AS {name}" for name in (*COUNTS, *MONEY)
    )
    month = "printf('%04d-%02d', year, month)" if kind == "current" else "printf('%04d', year)"
    of = f"area = {literal(area)} AND year BETWEEN {year - 1} AND {year}"
    done = connection.execute(
        f"SELECT h.*, b.budget FROM (SELECT {month} AS period, pool, {sums} FROM hospitals_{kind} "
        f"WHERE {of} AND pool IS NOT NULL GROUP BY ALL) AS h LEFT JOIN (SELECT {month} AS period, pool, "
        f"sum(budget) AS budget FROM pools_{kind} WHERE {of} GROUP BY ALL) AS b USING (period, pool)"
    )
    names = [item[0] for item in done.description or ()]
    for row in done.fetchall():
        yield dict(zip(names, row, strict=True))


PAID = (
    "fund_due", "adjustments", "due_total", "deposit", "prepaid", "deferred", "earlier_years", "advanced",
    "advance", "audit", "carried_in", "payable", "carried",
)  # fmt: skip


def months_paid(lake: Lake, record: Record) -> list[dict[str, Any]]:
    """What the months of the run's year, up to it, shared out and paid: a row (yuan) for each period,
    hospital and pool."""
    run = record.run
    with views.connect(lake, before=run["run"], pending=record, kinds=("current",)) as connection:
        own = set(connection.sql("SELECT * FROM hospitals_current LIMIT 0").columns)
        names = ", ".join(f"{name if name in own else 'NULL'} AS {name}" for name in PAID)
        done = connection.execute(
            "SELECT printf('%04d-%02d', year, month) AS period, hospital_code, pool, "
            f"{names} FROM hospitals_current WHERE area = ? AND year = ? ORDER BY 1, 2, 3",
            [run["area"], int(run["period"][:4])],
        )
        titles = [item[0] for item in done.description or ()]
        rows = [dict(zip(titles, row, strict=True)) for row in done.fetchall()]
    return [row for row in rows if row["period"] <= run["period"] or len(run["period"]) == 4]


def year_budget(record: Record) -> dict[str, Decimal]:
    """The budget of the whole year by pool (yuan), as the file says that the month read, if it is still the
    same; nothing where the file is gone or gives a month only."""
    rows = [row for row in record.rows["inputs"] if row["role"] == "budget"]
    path = Path(rows[0]["path"]) if rows else None  # the tables that the file names come after it
    if path is None or not path.is_file() or sha256(path) != rows[0]["sha256"]:
        return {}
    budget = read_budget(path)
    if budget.yearly:
        return {name: yuan_of(pool.budget) for name, pool in budget.pools.items()}
    given = {name: pool.get("annual_budget") for name, pool in read_toml(path)["pools"].items()}
    return {name: value for name, text in given.items() if (value := decimal_of(text)) is not None}
