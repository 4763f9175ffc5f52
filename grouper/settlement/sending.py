"""Statements sent to hospitals: a folder each, with a form to object by whose token binds it to the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.whole import refuse_existing, whole_folder
from grouper.lake import commit, steps
from grouper.lake.layout import Lake
from grouper.lake.steps import STATEMENTS
from grouper.payment.policy.policy import find_policy
from grouper.report import ReportData
from grouper.report.cells import file_name
from grouper.report.feeds import columns_of, write_csv
from grouper.report.numbers import Lang
from grouper.report.objection_form import write_form
from grouper.report.statement import write_statements
from grouper.report.statement_rows import hospitals_of
from grouper.settlement import states
from grouper.settlement.history import months_paid
from grouper.settlement.plan.key import key_mark, read_key
from grouper.settlement.reports import paths, run_info
from grouper.settlement.show import read_run
from grouper.settlement.tokens import token


@dataclass(frozen=True)
class Sent:
    """What was sent. ``folders``: hospital to its folder."""

    run: str
    state: states.State
    folders: dict[str, Path]
    deadline: str


def send_statements(
    lake: Lake, period: str, folder: Path, *, who: str, deadline: str = "", key: str = "", when: str = "",
    note: str = "", area: str = "", lang: str = "zh",
) -> Sent:  # fmt: skip
    """Write a folder for each hospital into ``folder``: the statement as workbook, page and CSV, and the
    form; and enter that in the chain, with the head that the tokens are over.

    ``deadline``: the last day of objections, YYYY-MM-DD; ``key``: a file whose key makes tokens that nobody
    else can make. Raises UsageError.
    """
    states.check_who(who)
    _check_day(deadline)
    refuse_existing(folder, force=False)  # before the chain says that it was written
    secret = read_key(key, "--key")
    state = states.find(lake, period, area)
    entry = state.entry
    record = read_run(lake, entry.run)
    waits = entry.run in steps.uncounted(steps.entries(lake))
    info = run_info(record, find_policy(record.run["policy_id"]), {}) | {
        "draft": waits, "months": months_paid(lake, record), "deadline": deadline,
    }  # fmt: skip
    data = ReportData.from_paths(paths(lake, record), info)
    with commit.new_run(lake) as (run, _), whole_folder(folder) as place:
        place.chmod(0o700)
        head, folders = commit.head(lake), {}
        with data.open() as query:
            for code in hospitals_of(query):
                own = place / file_name(code)
                write_statements(data, own, lang, hospitals=[code])
                _feeds(data, query, code, own)
                facts = {"token": token(entry.run, code, head, secret), "hospital": code,
                         "period": entry.period, "deadline": deadline}  # fmt: skip
                t = Lang(lang)
                title = t(f"{entry.period} 对账单申诉表", f"objections to the statement of {entry.period}")
                write_form(own / t("申诉表.xlsx", "objections.xlsx"), facts, title, t)
                folders[code] = folder / own.name
        says = {"head": head, "deadline": deadline, "hospitals": len(folders), "key": key_mark(secret)}
        steps.enter(lake, run, STATEMENTS, entry, says, who=who, when=when, note=note)
    return Sent(run, states.find(lake, entry.run), folders, deadline)


def _check_day(text: str) -> None:
    try:
        if text and date.fromisoformat(text).isoformat() != text:
            raise ValueError
    except ValueError as error:
        raise UsageError(
            zh=f"--until {text!r} 应为 YYYY-MM-DD", en=f"--until {text!r} should be YYYY-MM-DD"
        ) from error


def _feeds(data: ReportData, query: Any, code: str, folder: Path) -> None:
    """The hospital's own rows as CSV."""
    for table, source in (("cases", "cases"), ("adjustments", "adjustments"), ("rejected", "rejected")):
        names = columns_of(table, data)
        listed = ", ".join(f'"{name}"' for name in names)
        rows = query.stream(f"SELECT {listed} FROM {source} WHERE hospital_code = ? ORDER BY ALL", [code])
        write_csv(folder / f"{table}.csv", names, rows)
