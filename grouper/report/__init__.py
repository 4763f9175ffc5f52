"""Reports of a settled month or a cleared year: pages, hospital statements and CSV feeds.

    data = ReportData.from_paths(Paths(cases=[...], hospitals=[...], pools=[...]), run_info)
    write_month(data, run_info, "reports/000001")
    write_statements(data, "reports/000001/hospitals")
    write_feeds(data, "reports/000001/csv")

The same tables and record give the same bytes: nothing here reads a clock.
docs/reports.md defines every figure.
"""

from __future__ import annotations

from grouper.report.data import Paths, ReportData, RunInfo
from grouper.report.feeds import write_feeds
from grouper.report.pages.page import write_month, write_year
from grouper.report.statement import write_statements

__all__ = ["Paths", "ReportData", "RunInfo", "write_feeds", "write_month", "write_statements", "write_year"]
