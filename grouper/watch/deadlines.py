"""Until when the years of a lake are to be cleared: the national deadlines against what was cleared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from grouper.payment.policy.clauses import Clause, deadline

if TYPE_CHECKING:
    import duckdb

WATCH, ALARM = 90, 30  # days before the last day; ours, no document names a lead


@dataclass(frozen=True)
class Clearing:
    """A year with settled months and no valid clearing. ``days``: until the last day, below 0 if past."""

    year: int
    last: date
    days: int
    clause: Clause

    @property
    def state(self) -> str:
        """ok, watch or alarm, as of indicators."""
        return "alarm" if self.days <= ALARM else "watch" if self.days <= WATCH else "ok"

    def text(self, lang: str) -> str:
        """The year, the last day and the clause in one line, "zh" or "en"."""
        source = f"{self.clause.document.named}{self.clause.article}"
        if lang == "en":
            left = f"{self.days} days left" if self.days >= 0 else f"{-self.days} days overdue"
            return f"the year {self.year} is not cleared: last day {self.last}, {left} ({source})"
        left = f"还有 {self.days} 天" if self.days >= 0 else f"已逾期 {-self.days} 天"
        return f"{self.year} 年度尚未清算：最迟 {self.last}，{left}（{source}）"


def open_clearings(connection: duckdb.DuckDBPyConnection, area: str, today: date) -> list[Clearing]:
    """The years of an area that are over and not cleared, with their deadlines; those that no clause speaks
    of are left out. ``connection``: with the view ``runs_current``; without it nothing is known."""
    there = "SELECT 1 FROM duckdb_views() WHERE view_name = 'runs_current'"
    if not connection.execute(there).fetchone():
        return []
    rows = connection.execute(
        "SELECT CAST(left(period, 4) AS INTEGER) AS year FROM runs_current WHERE area = ? "
        "GROUP BY 1 HAVING count(*) FILTER (WHERE kind = 'settle') > 0 "
        "AND count(*) FILTER (WHERE kind = 'clear') = 0 ORDER BY 1",
        [area],
    ).fetchall()
    found = []
    for (year,) in rows:
        known = deadline(year)
        if known is not None and today.year > year:
            last, clause = known
            found.append(Clearing(year, last, (last - today).days, clause))
    return found
