"""What becomes of every row of the input: a case of the month, an adjustment, or a row of ``rejected``.

Table ``fate`` (n, fate, reason, partner) has a row for each row of ``rows`` that is no plain case:
"rejected" with its reason, "late" and "corrected" (priced as adjustments), "refund" (takes back ``partner``,
a record of a closed month). The order of the steps decides which reason a row with several faults gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from grouper.records import gate
from grouper.settlement import relations

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Month:
    """The month being settled."""

    area: str
    first: date
    last: date

    @property
    def period(self) -> str:
        return f"{self.first:%Y-%m}"


def judge(connection: duckdb.DuckDBPyConnection, month: Month, interim: str = "hold") -> None:
    """Make ``fate`` from the view ``rows``, the tables ``hospitals``, ``withdrawals`` and ``known``.

    ``known``: effective records of closed months that the rows may mean (record_id, settlement_id, visit_id,
    hospital_code, total_cost, period, run). Rows are named by ``n``. ``interim``: several bills of one stay
    are held ("hold"), or their money goes into the last of them ("join", table ``joined_bills``); "apart" is
    what version 0.1.0 did.
    """
    relations.make(connection, relations.FATE)
    for step in (_unreadable, _refunds, _amounts, _hospitals, _duplicates, _withdrawn):
        step(connection, month)
    relations.make(connection, relations.JOINED_BILLS)
    if interim != "apart":
        _bills(connection, join=interim == "join")
    for step in (_dates, _settled):
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
        "refund_flag, valid_flag, interim_flag, total_cost, admission_date, discharge_date, "
        # a level that nobody knows does no harm where the table of hospitals gives it
        f"CASE WHEN fault = 'bad-value:hospital_level' AND hospital_code IN ({levels}) THEN NULL "
        f"ELSE fault END AS fault, {gate.content(gate.CONTENT)} AS content FROM rows",
    )
    _left(connection)
    reason = gate.unusable(fault="fault")
    _reject(connection, reason, f"{reason} IS NOT NULL")


def _refunds(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Refunds meet their originals: by the id they name, else by visit (or person) and opposite cost.

    An original in a closed month comes before one of the same visit in this input: it is the older.
    """
    relations.make(connection, relations.REFUNDS, f"SELECT * FROM left_rows WHERE {gate.REFUND}")
    named = f"{gate.refunds('refund_of', '(FROM refunds)')} AND {_OPEN}"
    _pair(connection, named, gate.originals("sid", "left_rows"), closed=False)
    _pair(connection, named, _in_lake("settlement_id"), closed=True)
    for key in (gate.VISIT, gate.PERSON):
        unnamed = f"{gate.refunds(key, '(FROM refunds)')} AND {_OPEN} AND refund_of IS NULL"
        _pair(connection, unnamed, _in_lake(key), closed=True)
        _pair(connection, unnamed, gate.originals(key, "left_rows"), closed=False)
    _reject(connection, gate.UNMATCHED, gate.REFUND)


_OPEN = "NOT EXISTS (SELECT 1 FROM fate AS f WHERE f.n = r.n)"


def _in_lake(key: str) -> str:
    return (
        f"SELECT NULL::BIGINT AS n, {key} AS key, total_cost AS cost, record_id AS partner FROM known "
        f"WHERE {key} IS NOT NULL AND record_id NOT IN "
        "(SELECT partner FROM fate WHERE partner IS NOT NULL)"
    )


def _pair(connection: duckdb.DuckDBPyConnection, refunds: str, originals: str, *, closed: bool) -> None:
    """Pairs of refunds and originals, of this input or of a closed month."""
    relations.make(connection, relations.PAIRS, gate.pairs(refunds, originals))
    if closed:
        connection.execute("INSERT INTO fate SELECT refund, 'refund', 'refund', partner FROM pairs")
        return
    connection.execute(
        "INSERT INTO fate SELECT unnest([refund, original]), 'rejected', 'refund-netted', NULL FROM pairs"
    )


def _amounts(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    for reason, test in gate.AMOUNTS:
        _reject(connection, f"'{reason}'", test)


def _hospitals(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    known = "SELECT hospital_code FROM hospitals"
    _reject(connection, "'unknown-hospital'", f"hospital_code IS NULL OR hospital_code NOT IN ({known})")


def _duplicates(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """One row per settlement and per record: the first of equal rows; a correction before an input."""
    for key in ("sid", "rid"):
        relations.make(connection, relations.TWICE, gate.several(key, "(FROM left_rows)"))
        relations.make(connection, relations.REPEATED, gate.repeated(key, "(FROM left_rows)", "(FROM twice)"))
        connection.execute(
            f"INSERT INTO fate SELECT n, 'rejected', {gate.REPEATED}, NULL FROM repeated "
            f"WHERE {gate.REPEATED} IS NOT NULL"
        )


def _withdrawn(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Withdrawals of rows of this input; those of closed months are adjustments."""
    _reject(
        connection,
        "'withdrawn'",
        "sid IN (SELECT id FROM withdrawals) OR rid IN (SELECT id FROM withdrawals)",
    )


def _bills(connection: duckdb.DuckDBPyConnection, *, join: bool) -> None:
    """Bills of a stay with several, marked as interim or of one visit: held, or joined into the last."""
    visits = f"(FROM left_rows WHERE {gate.VISIT} IS NOT NULL)"
    relations.make(connection, relations.VISITS, gate.several(gate.VISIT, visits))
    relations.make(connection, relations.BILLS, gate.bills("(FROM left_rows)", "(FROM visits)"))
    reason = f"CASE WHEN of IS NULL THEN 'interim' WHEN n <> of THEN '{gate.JOINED}' END"
    reason = reason if join else "'interim'"
    connection.execute(
        f"INSERT INTO fate SELECT n, 'rejected', {reason}, NULL FROM bills WHERE {reason} IS NOT NULL"
    )
    if join:
        sums = ", ".join(
            f"CASE WHEN count(r.{name}) = count(*) THEN sum(r.{name})::DECIMAL(18,2) END AS {name}"
            for name in relations.SUMMED
        )
        days = "greatest(date_diff('day', min(b.admitted), max(b.discharged)), 1)::INTEGER"
        relations.make(
            connection,
            relations.JOINED_BILLS,
            "SELECT b.of AS n, min(b.admitted) AS admission_date, "
            f"coalesce({days}, sum(r.los_days)::INTEGER) AS los_days, {sums} "
            "FROM bills AS b JOIN rows AS r ON r.n = b.n WHERE b.of IS NOT NULL "
            "GROUP BY b.of",
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
