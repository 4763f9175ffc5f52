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


def judge(
    connection: duckdb.DuckDBPyConnection, month: Month, interim: str = "hold", *, repeats_first: bool = True,
    conflicts_first: bool = True,
) -> None:  # fmt: skip
    """Make ``fate`` from the view ``rows``, the tables ``hospitals``, ``withdrawals`` and ``known``.

    ``known``: effective records of closed months that the rows may mean (record_id, settlement_id, visit_id,
    hospital_code, total_cost, period, run). Rows are named by ``n``. ``interim``: several bills of one stay
    are held ("hold"), or their money goes into the last of them ("join", table ``joined_bills``); "apart" is
    what version 0.1.0 did. ``repeats_first``: a row that is there twice is one row before refunds meet their
    originals, and a refund that was given before says so; not in runs of formats 1 and 2.
    ``conflicts_first``: of rows of one id that differ no refund chooses the case; not in formats 1 to 3.
    """
    relations.make(connection, relations.FATE)
    _unreadable(connection, month)
    if repeats_first:
        _same(connection, conflicts_first)
    _refunds(connection, parts=interim != "apart", again=repeats_first)
    for step in (_amounts, _hospitals, _duplicates, _withdrawn):
        step(connection, month)
    relations.make(connection, relations.JOINED_BILLS)
    if interim != "apart":
        _billed_before(connection)
        _bills(connection, join=interim == "join")
    for step in (_dates, _settled):
        step(connection, month)
    if interim != "apart":
        _net(connection)


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


def _same(connection: duckdb.DuckDBPyConnection, conflicts: bool) -> None:
    """Rows that are there twice, those that take back and those that are taken back apart."""
    for key in ("sid", "rid"):
        for sign, reason in gate.SIGNS:
            _repeated(connection, key, f"(FROM left_rows WHERE {sign})", reason if conflicts else gate.SAME)


def _refunds(connection: duckdb.DuckDBPyConnection, *, parts: bool, again: bool) -> None:
    """Refunds meet their originals: by the id they name, else by visit (or person) and opposite cost.

    An original in a closed month comes before one of the same visit in this input: it is the older.
    ``parts``: then refunds of a part of their original. ``again``: what was taken back before is told.
    """
    relations.make(connection, relations.REFUNDS, f"SELECT * FROM left_rows WHERE {gate.REFUND}")
    named = f"{gate.refunds('refund_of', '(FROM refunds)')} AND {_OPEN}"
    _pair(connection, named, gate.originals("sid", "left_rows"), closed=False)
    _pair(connection, named, _in_lake("settlement_id"), closed=True)
    for key, column in (gate.VISIT, "visit_id"), (gate.PERSON, "person_id"):
        unnamed = f"{gate.refunds(key, '(FROM refunds)')} AND {_OPEN} AND refund_of IS NULL"
        _pair(connection, unnamed, _in_lake(key), closed=True)
        _pair(connection, unnamed, gate.originals(key, _LIKE.format(column)), closed=False)
    differ = "(SELECT j.* FROM judged AS j JOIN fate AS f USING (n) WHERE f.reason = 'duplicate-conflict')"
    _reject(connection, f"'{gate.CONFLICT}'", gate.of_conflict(differ))
    if parts:
        _parts(connection)
    if again:  # not before: given again with its original, it takes that out
        own = "sid IS DISTINCT FROM refund_of AND sid IN (SELECT id FROM taken_back WHERE own)"
        _reject(connection, "'already-settled'", f"total_cost < 0 AND {own}")
    if parts:
        connection.execute(
            f"INSERT INTO fate SELECT DISTINCT r.n, 'rejected', '{gate.PARTIAL}:' || r.refund_of, NULL "
            "FROM refunds AS r JOIN known AS k ON k.settlement_id = r.refund_of "
            f"WHERE {_OPEN} AND r.total_cost < 0"
        )
    if again:
        whole = (
            "SELECT j.sid FROM judged AS j JOIN fate AS f USING (n) WHERE f.reason = 'refund-netted' "
            f"AND {gate.PLAIN} UNION ALL SELECT id FROM taken_back WHERE NOT own"
        )
        _reject(connection, f"'{gate.AGAIN}'", f"total_cost < 0 AND refund_of IN ({whole})")
    _reject(connection, gate.UNMATCHED, gate.REFUND)


def _parts(connection: duckdb.DuckDBPyConnection) -> None:
    """Refunds of a part: taken off the row that they name; held with what they may mean, where that is not
    one row or costs less than they take back. Each names the other."""
    open_ = f"(SELECT r.* FROM refunds AS r WHERE {_OPEN})"
    relations.make(
        connection,
        relations.PART_REFUNDS,
        f"SELECT n, of, net::DECIMAL(18,2) AS net FROM ({gate.parts(open_, 'left_rows')})",
    )
    connection.execute(
        "INSERT INTO fate SELECT DISTINCT unnest([n, of]), 'rejected', 'refund-netted', NULL "
        "FROM part_refunds WHERE net = 0"
    )
    _wait(connection, "SELECT n, of FROM part_refunds WHERE net < 0")
    connection.execute("DELETE FROM part_refunds WHERE net <= 0")
    connection.execute(f"INSERT INTO fate SELECT n, 'rejected', '{gate.PART}', NULL FROM part_refunds")
    for key, column in (gate.VISIT, "visit_id"), (gate.PERSON, "person_id"):
        _wait(connection, gate.unnamed(key, open_, _LIKE.format(column)))


def _wait(connection: duckdb.DuckDBPyConnection, pairs: str) -> None:
    """Refunds (n) and what they may mean (of) are held, each with the id of the other."""
    connection.execute(
        f"INSERT INTO fate SELECT x.a, 'rejected', '{gate.PARTIAL}:' || min(j.sid), NULL "
        f"FROM (SELECT n AS a, of AS b FROM ({pairs}) UNION SELECT of, n FROM ({pairs})) AS x "
        "JOIN judged AS j ON j.n = x.b GROUP BY x.a"
    )


def _net(connection: duckdb.DuckDBPyConnection) -> None:
    """A row whose refunds of a part were taken off, and that is no case of the month after all, waits with
    them; where it left by a rule of its own, they wait."""
    gone = (
        "SELECT p.n, p.of FROM part_refunds AS p JOIN fate AS f ON f.n = p.of "
        f"WHERE (f.fate <> 'rejected' OR f.reason <> '{gate.JOINED}')"
    )
    pairs = f"SELECT n AS a, of AS b FROM ({gone}) UNION SELECT of, n FROM ({gone} AND f.fate <> 'rejected')"
    connection.execute(
        f"UPDATE fate SET fate = 'rejected', partner = NULL, reason = '{gate.PARTIAL}:' || x.sid FROM "
        f"(SELECT a, min(j.sid) AS sid FROM ({pairs}) AS p JOIN judged AS j ON j.n = p.b GROUP BY a) AS x "
        "WHERE fate.n = x.a"
    )


# The rows that refunds may mean: few, of whose columns a key is made.
_LIKE = "(FROM left_rows WHERE {0} IN (SELECT {0} FROM refunds))"
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
        _repeated(connection, key, "(FROM left_rows)", gate.REPEATED)


def _repeated(connection: duckdb.DuckDBPyConnection, key: str, source: str, reason: str) -> None:
    relations.make(connection, relations.TWICE, gate.several(key, source))
    relations.make(connection, relations.REPEATED, gate.repeated(key, source, "(FROM twice)"))
    connection.execute(
        f"INSERT INTO fate SELECT n, 'rejected', {reason}, NULL FROM repeated WHERE {reason} IS NOT NULL"
    )


def _withdrawn(connection: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Withdrawals of rows of this input; those of closed months are adjustments."""
    _reject(
        connection,
        "'withdrawn'",
        "sid IN (SELECT id FROM withdrawals) OR rid IN (SELECT id FROM withdrawals)",
    )


def _billed_before(connection: duckdb.DuckDBPyConnection) -> None:
    """Bills of a stay of which another bill was paid in a closed month, or waits in one and is not here, are
    held: each names the other. A bill that this run takes back no longer counts."""
    visit = gate.VISIT
    gone = (
        "k.record_id IN (SELECT partner FROM fate WHERE partner IS NOT NULL) OR "
        "k.record_id IN (SELECT id FROM withdrawals) OR k.settlement_id IN (SELECT id FROM withdrawals)"
    )
    connection.execute(
        f"INSERT INTO fate SELECT l.n, 'rejected', 'interim-settled:' || min(k.settlement_id), NULL "
        f"FROM (SELECT *, {visit} AS visit FROM left_rows) AS l "
        f"JOIN (SELECT *, {visit} AS visit FROM known) AS k USING (visit) WHERE NOT ({gone}) "
        "AND l.sid NOT IN (SELECT settlement_id FROM known WHERE settlement_id IS NOT NULL) "
        "AND l.rid NOT IN (SELECT record_id FROM known) GROUP BY l.n"
    )
    _left(connection)
    connection.execute(
        f"INSERT INTO fate SELECT l.n, 'rejected', 'interim-waiting:' || min(w.settlement_id), NULL "
        f"FROM (SELECT *, {visit} AS visit FROM left_rows) AS l "
        f"JOIN (SELECT *, {visit} AS visit FROM waiting_bills) AS w USING (visit) "
        "WHERE w.settlement_id NOT IN (SELECT sid FROM judged WHERE sid IS NOT NULL) GROUP BY l.n"
    )


def _bills(connection: duckdb.DuckDBPyConnection, *, join: bool) -> None:
    """Bills of a stay with several, marked as interim or of one visit: held, or joined into the last; and
    rows with refunds of a part of them."""
    visits = f"(FROM left_rows WHERE {gate.VISIT} IS NOT NULL)"
    relations.make(connection, relations.VISITS, gate.several(gate.VISIT, visits))
    relations.make(connection, relations.BILLS, gate.bills("(FROM left_rows)", "(FROM visits)"))
    reason = f"CASE WHEN of IS NULL THEN 'interim' WHEN n <> of THEN '{gate.JOINED}' END"
    reason = reason if join else "'interim'"
    connection.execute(
        f"INSERT INTO fate SELECT n, 'rejected', {reason}, NULL FROM bills WHERE {reason} IS NOT NULL"
    )
    if not join:
        connection.execute("DELETE FROM bills")
    connection.execute(
        "INSERT INTO bills SELECT DISTINCT of, of, admission_date, discharge_date, FALSE FROM part_refunds "
        "JOIN judged AS j ON j.n = of WHERE of NOT IN (SELECT n FROM bills)"
    )
    connection.execute(
        "INSERT INTO bills SELECT p.n, b.of, b.admitted, b.discharged, TRUE FROM part_refunds AS p "
        "JOIN bills AS b ON b.n = p.of"
    )
    _sum(connection)


def _sum(connection: duckdb.DuckDBPyConnection) -> None:
    """Table ``joined_bills``: the money of all bills of a stay, less that of refunds of a part of them; the
    days of several bills."""
    sums = ", ".join(
        f"CASE WHEN count(r.{name}) = count(*) THEN sum(r.{name})::DECIMAL(18,2) END AS {name}"
        for name in relations.SUMMED
    )
    own = "FILTER (NOT b.refund)"
    days = "greatest(date_diff('day', min(b.admitted), max(b.discharged)), 1)::INTEGER"
    relations.make(
        connection,
        relations.JOINED_BILLS,
        f"SELECT b.of AS n, min(b.admitted) AS admission_date, CASE WHEN count(*) {own} = 1 "
        f"THEN min(r.los_days) {own} ELSE coalesce({days}, sum(r.los_days) {own}) END::INTEGER AS los_days, "
        f"{sums} FROM bills AS b JOIN rows AS r ON r.n = b.n WHERE b.of IS NOT NULL GROUP BY b.of",
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
