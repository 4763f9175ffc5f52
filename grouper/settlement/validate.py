"""What becomes of every row of the input: a case of the month, an adjustment, or a row of ``rejected``.

Table ``fate`` (n, fate, reason, partner) has a row for each row of ``rows`` that is no plain case:
"rejected" with its reason, "late" and "corrected" (priced as adjustments), "refund" (takes back ``partner``,
a record of a closed month). The order of the steps decides which reason a row with several faults gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from grouper.settlement import relations

if TYPE_CHECKING:
    import duckdb

_REFUND = "(refund_flag IS TRUE AND total_cost <= 0 OR total_cost < 0)"


@dataclass(frozen=True)
class Month:
    """The month being settled."""

    area: str
    first: date
    last: date

    @property
    def period(self) -> str:
        return f"{self.first:%Y-%m}"


def judge(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Make ``fate`` from the view ``rows``, the tables ``hospitals``, ``withdrawals`` and ``known``.

    ``known``: effective records of closed months that the rows may mean (record_id, settlement_id, visit_id,
    hospital_code, total_cost, period, run). Rows are named by ``n``.
    """
    relations.make(connection, relations.FATE)
    for step in (_unreadable, _refunds, _amounts, _hospitals, _duplicates, _withdrawn, _dates, _settled):
        step(connection, month)


def _left(connection: duckdb.DuckDBPyConnection) -> None:
    """View ``left_rows``: the rows whose fate is open."""
    relations.make(
        connection,
        relations.LEFT_ROWS,
        "SELECT r.* FROM judged AS r WHERE NOT EXISTS (SELECT 1 FROM fate AS f WHERE f.n = r.n)",
    )


def _reject(connection: duckdb.DuckDBPyConnection, reason: str, test: str) -> None:
    connection.execute(f"INSERT INTO fate SELECT n, 'rejected', {reason}, NULL FROM left_rows WHERE {test}")


def _unreadable(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Narrow table ``judged`` of what the steps read, and the rows that cannot be used at all."""
    levels = "SELECT hospital_code FROM hospitals WHERE hospital_level IS NOT NULL"
    relations.make(
        connection,
        relations.JUDGED,
        "SELECT n, role, coalesce(record_id, settlement_id) AS rid, "
        "coalesce(settlement_id, record_id) AS sid, visit_id, person_id, hospital_code, refund_of, "
        "refund_flag, valid_flag, total_cost, admission_date, discharge_date, "
        # a level that nobody knows does no harm where the table of hospitals gives it
        f"CASE WHEN fault = 'bad-value:hospital_level' AND hospital_code IN ({levels}) THEN NULL "
        "ELSE fault END AS fault, "
        "hash(hospital_code, person_id, admission_date, discharge_date, total_cost, pool_paid, fund_paid, "
        "diagnoses, procedures) AS content FROM rows",
    )
    _left(connection)
    reason = (
        "CASE WHEN rid IS NULL THEN 'no-id' WHEN valid_flag IS FALSE THEN 'invalid-flag' "
        "WHEN fault IS NOT NULL THEN fault WHEN total_cost IS NULL THEN 'no-amount' "
        "WHEN discharge_date IS NULL THEN 'no-date' END"
    )
    _reject(connection, reason, f"{reason} IS NOT NULL")


def _refunds(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Refunds meet their originals: by the id they name, else by visit (or person) and opposite cost.

    An original in a closed month comes before one of the same visit in this input: it is the older.
    """
    relations.make(connection, relations.REFUNDS, f"SELECT * FROM left_rows WHERE {_REFUND}")
    own = "SELECT n, {key} AS key, -total_cost AS cost FROM refunds AS r WHERE {key} IS NOT NULL AND " + _OPEN
    visit, person = (
        "visit_id || '|' || hospital_code",
        "person_id || '|' || hospital_code || '|' || discharge_date",
    )
    _pair(connection, own.format(key="refund_of"), _in_input("sid"), closed=False)
    _pair(connection, own.format(key="refund_of"), _in_lake("settlement_id"), closed=True)
    for key in (visit, person):
        unnamed = own.format(key=key) + " AND refund_of IS NULL"
        _pair(connection, unnamed, _in_lake(key), closed=True)
        _pair(connection, unnamed, _in_input(key), closed=False)
    _reject(connection, "CASE WHEN refund_flag THEN 'refund-unmatched' ELSE 'negative-cost' END", _REFUND)


_OPEN = "NOT EXISTS (SELECT 1 FROM fate AS f WHERE f.n = r.n)"


def _in_input(key: str) -> str:
    return (
        f"SELECT n, {key} AS key, total_cost AS cost, NULL::VARCHAR AS partner FROM left_rows "
        f"WHERE total_cost > 0 AND {key} IS NOT NULL"
    )


def _in_lake(key: str) -> str:
    return (
        f"SELECT NULL::BIGINT AS n, {key} AS key, total_cost AS cost, record_id AS partner FROM known "
        f"WHERE {key} IS NOT NULL AND record_id NOT IN "
        "(SELECT partner FROM fate WHERE partner IS NOT NULL)"
    )


def _pair(connection: duckdb.DuckDBPyConnection, refunds: str, originals: str, *, closed: bool) -> None:
    """The k-th refund of a key and an amount takes back the k-th original."""
    rank = "row_number() OVER (PARTITION BY key, cost ORDER BY {}) AS k"
    relations.make(
        connection,
        relations.PAIRS,
        f"SELECT r.n AS refund, o.n AS original, o.partner "
        f"FROM (SELECT *, {rank.format('n')} FROM ({refunds})) AS r "
        f"JOIN (SELECT *, {rank.format('n, partner')} FROM ({originals}) "
        f"WHERE (key, cost) IN (SELECT (key, cost) FROM ({refunds}))) AS o USING (key, cost, k)",
    )
    if closed:
        connection.execute("INSERT INTO fate SELECT refund, 'refund', 'refund', partner FROM pairs")
        return
    connection.execute(
        "INSERT INTO fate SELECT unnest([refund, original]), 'rejected', 'refund-netted', NULL FROM pairs"
    )


def _amounts(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    _reject(connection, "'refund-positive'", "refund_flag IS TRUE")
    _reject(connection, "'zero-cost'", "total_cost = 0")


def _hospitals(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    known = "SELECT hospital_code FROM hospitals"
    _reject(connection, "'unknown-hospital'", f"hospital_code IS NULL OR hospital_code NOT IN ({known})")


def _duplicates(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """One row per settlement and per record: the first of equal rows; a correction before an input."""
    for key in ("sid", "rid"):
        relations.make(
            connection,
            relations.TWICE,
            f"SELECT {key} AS key FROM left_rows GROUP BY 1 HAVING count(*) > 1",
        )
        relations.make(
            connection,
            relations.REPEATED,
            f"""SELECT n, role, {key} AS key,
              count(*) FILTER (role = 'correction') OVER (PARTITION BY {key}) AS corrections,
              min(content) OVER (PARTITION BY {key}, role)
                = max(content) OVER (PARTITION BY {key}, role) AS equal,
              row_number() OVER (PARTITION BY {key}, role ORDER BY n) AS k
            FROM left_rows WHERE {key} IN (SELECT key FROM twice)""",
        )
        connection.execute(
            """INSERT INTO fate SELECT n, 'rejected', reason, NULL FROM (
              SELECT n, CASE WHEN role = 'input' AND corrections > 0 THEN 'superseded'
                WHEN NOT equal THEN 'duplicate-conflict' WHEN k > 1 THEN 'duplicate' END AS reason
              FROM repeated)
            WHERE reason IS NOT NULL"""
        )


def _withdrawn(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Withdrawals of rows of this input; those of closed months are adjustments."""
    _reject(
        connection,
        "'withdrawn'",
        "sid IN (SELECT id FROM withdrawals) OR rid IN (SELECT id FROM withdrawals)",
    )


def _dates(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Discharged in the month: a case. Later: refused. Earlier: late, where that month was settled here."""
    _reject(connection, "'future-date'", f"discharge_date > DATE '{month.last}'")
    unknown = "strftime(discharge_date, '%Y-%m') NOT IN (SELECT period FROM closed_months)"
    _reject(connection, "'closed-year'", f"discharge_date < DATE '{month.first.year}-01-01' AND {unknown}")
    _reject(connection, "'month-not-settled'", f"discharge_date < DATE '{month.first}' AND {unknown}")


def _settled(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """What the lake knows already is a correction where it comes as one; what is left and early is late."""
    elsewhere = "strftime(l.discharge_date, '%Y-%m') <> k.period OR l.hospital_code <> k.hospital_code"
    found = f"l.n, l.role, k.record_id, {elsewhere} AS moved"
    in_lake = (
        f"SELECT {found} FROM left_rows AS l JOIN known AS k ON k.settlement_id = l.sid UNION "
        f"SELECT {found} FROM left_rows AS l JOIN known AS k ON k.record_id = l.rid"
    )
    moved = "bool_or(moved)"
    correction = f"role = 'correction' AND NOT {moved}"
    connection.execute(
        f"INSERT INTO fate SELECT n, CASE WHEN {correction} THEN 'corrected' ELSE 'rejected' END, "
        f"CASE WHEN {correction} THEN 'correction' WHEN role = 'correction' THEN 'correction-moves' "
        f"ELSE 'already-settled' END, CASE WHEN {correction} THEN min(record_id) END "
        f"FROM ({in_lake}) GROUP BY n, role"
    )
    connection.execute(
        f"INSERT INTO fate SELECT n, 'late', 'late', NULL FROM left_rows WHERE discharge_date < DATE "
        f"'{month.first}'"
    )
