"""What a lake says of its runs and of one hospital."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import UsageError
from grouper.lake import ledger, steps, views
from grouper.lake.layout import Lake
from grouper.payment.policy.policy import find_policy
from grouper.settlement.history import months_paid
from grouper.settlement.reports import paths, run_info
from grouper.settlement.states import states

if TYPE_CHECKING:
    from grouper.report import ReportData


def runs(lake: Lake) -> list[dict[str, Any]]:
    """Every committed run and step, in order; ``current``: valid; ``state``: where it is, "" of a step."""
    named = {state.entry.run: state.name for state in states(lake.must_exist())}
    with views.connect(lake, kinds=()) as connection:
        current = {row[0] for row in connection.execute("SELECT run FROM runs_current").fetchall()}
        names = [n for n in ledger.COLUMNS["runs"] if n != "options_json"]
        rows = connection.execute(f"SELECT {', '.join(names)} FROM runs ORDER BY run").fetchall()
    return [
        dict(zip(names, row, strict=True)) | {"current": row[0] in current, "state": named.get(row[0], "")}
        for row in rows
    ]


def statement_of(
    lake: Lake, hospital: str, *, area: str = "", period: str = "", yearly: bool = False
) -> dict[str, Any]:
    """A hospital's rows of a month (default: the last) or a year, and its adjustments.

    Raises UsageError that says what there is.
    """
    _check_period(period, yearly)
    kind = "clear" if yearly else "settle"
    with views.connect(lake.must_exist()) as connection:
        valid = connection.execute(
            "SELECT area, period, run FROM runs_current WHERE kind = ? AND (? = '' OR area = ?) "
            "AND (? = '' OR period = ?) ORDER BY period DESC, run DESC",
            [kind, area, area, period, period],
        ).fetchall()
        areas = {row[0] for row in valid}
        if not valid or len(areas) > 1:
            raise _which(lake, areas, period)
        found_area, found_period, run = valid[0]
        table = "hospitals_cleared" if yearly else "hospitals_current"
        pools = _rows(
            connection,
            f"SELECT * FROM {table} WHERE run = ? AND hospital_code = ? ORDER BY pool",
            run,
            hospital,
        )
        if not pools:
            raise UsageError(
                zh=f"{found_period} 没有医院 {hospital}（--hospital）",
                en=f"{found_period} has no hospital {hospital} (--hospital)",
            )
        changes = _rows(
            connection,
            "SELECT * FROM adjustments_all WHERE run = ? AND hospital_code = ? ORDER BY adjustment_id",
            run,
            hospital,
        )
    return {
        "hospital": hospital, "name": pools[0].get("hospital_name") or "", "area": found_area,
        "period": found_period, "run": run, "seal": seal_of(read_run(lake, run)), "pools": pools,
        "adjustments": changes,
    }  # fmt: skip


def _check_period(period: str, yearly: bool) -> None:
    form, flag = (r"(?!0000)\d{4}", "--year") if yearly else (r"(?!0000)\d{4}-(0[1-9]|1[0-2])", "--month")
    if period and not re.fullmatch(form, period, re.ASCII):
        wanted = "YYYY" if yearly else "YYYY-MM"
        raise UsageError(zh=f"{flag} {period!r} 应为 {wanted}", en=f"{flag} {period!r} should be {wanted}")


def _which(lake: Lake, areas: set[str], period: str) -> UsageError:
    if areas:
        return UsageError(
            zh=f"{lake.root} 有多个地区：{'、'.join(sorted(areas))}；请用 --area 指定",
            en=f"{lake.root} has several areas: {', '.join(sorted(areas))}; name one with --area",
        )
    return UsageError(
        zh=f"{lake.root} 没有 {period or '这样'} 的有效运行；grouper status {lake.root} 可查看",
        en=f"{lake.root} has no valid run of {period or 'that kind'}; see grouper status {lake.root}",
    )


def _rows(connection: Any, sql: str, *parameters: str) -> list[dict[str, Any]]:
    done = connection.execute(sql, list(parameters))
    names = [item[0] for item in done.description]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def seal_of(record: ledger.Record) -> str:
    """What the statements of a run show of the chain: its hash without the reports."""
    return record.sealed(record.run["previous_hash"] or "")


def read_run(lake: Lake, run: str) -> ledger.Record:
    """A run as the ledger has it."""
    with ledger.opened(lake) as connection:
        return ledger.read(connection, run)


def write_published(lake: Lake, run: str, folder: Path, lang: str = "zh") -> list[Path]:
    """The sheets for publication of a run, in a folder outside of the lake. Raises UsageError."""
    from grouper.report.publication import write_publication

    data = _data(lake, run, folder)
    return write_publication(data, folder, lang)


def write_statement(lake: Lake, run: str, hospital: str, folder: Path) -> list[Path]:
    """The Excel file and the printable page of a hospital's statement, in a folder outside of the lake.

    Raises UsageError for a folder of the lake: its files are those of its runs.
    """
    from grouper.report import write_statements

    return list(write_statements(_data(lake, run, folder), folder, hospitals=[hospital]))


def _data(lake: Lake, run: str, folder: Path) -> ReportData:
    """The tables and record of a run, for papers in ``folder``, which is made. Raises UsageError for one of
    the lake."""
    from grouper.report import ReportData

    if folder.resolve().is_relative_to(lake.root.resolve()):
        raise UsageError(
            zh=f"{folder} 在结算湖 {lake.root} 之内，其中的文件属于各次运行；请换一个目录",
            en=f"{folder} lies in the lake {lake.root}, whose files are those of its runs: choose another "
            "folder",
        )
    record = read_run(lake, run)
    waits = run in steps.uncounted(steps.entries(lake))
    info = run_info(record, find_policy(record.run["policy_id"]), {})
    info |= {"draft": waits, "months": months_paid(lake, record)}
    data = ReportData.from_paths(paths(lake, record), info)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return data
