"""The reports of a run whose files are in place but which is not committed yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from grouper.base.paths import local_path
from grouper.base.provenance import software
from grouper.base.version import VERSION
from grouper.lake import ledger
from grouper.lake.layout import TABLES, Lake
from grouper.lake.ledger import Record
from grouper.payment.policy.areas import area_name
from grouper.payment.policy.policy import Policy
from grouper.settlement.history import history, months_paid, year_budget

if TYPE_CHECKING:
    from grouper.watch.facts import Facts


def write_reports(
    lake: Lake, record: Record, policy: Policy, assumed: Mapping[str, str], folder: Path,
    progress: Callable[[int, int | None], None] | None = None,
) -> None:  # fmt: skip
    """Pages, statements of hospitals and feeds of a run below ``folder``, which is made.

    ``record``: with the hash before it. ``progress`` is told the files of hospitals written, and how many
    there will be.
    """
    from grouper.report import ReportData, write_feeds, write_month, write_statements, write_year

    info = run_info(record, policy, assumed) | {
        "indicators": indicators(lake, record), "objections": _objections(lake, record),
        "history": history(lake, record), "year_budget": year_budget(record),
        "months": months_paid(lake, record),
    }  # fmt: skip
    info["parameters"] = [*info["parameters"], *_of_months(lake, record)]
    data = ReportData.from_paths(paths(lake, record), info)
    folder.mkdir()
    with data.open():
        (write_month if record.run["kind"] == "settle" else write_year)(data, info, folder)
        write_statements(data, folder / "hospitals", progress=progress)
        write_feeds(data, folder / "csv")


def _of_months(lake: Lake, record: Record) -> list[dict[str, Any]]:
    """The parameters of the months that a clearing rests on."""
    runs = [row["path"].split()[-1] for row in record.rows["inputs"] if row["role"] == "run"]
    if record.run["kind"] != "clear" or not runs:
        return []
    with ledger.opened(lake) as connection:
        return [row for run in runs for row in _parameters(ledger.read(connection, run))]


def _parameters(record: Record) -> list[dict[str, Any]]:
    return [row for row in record.rows["parameters"] if row["name"] != "person_key"]


def _objections(lake: Lake, record: Record) -> list[dict[str, Any]]:
    """The objections that the lake has before the run, by period."""
    from grouper.settlement.objections import STATES, counts

    return [
        {"period": one.period, "deadline": one.deadline, "total": one.total,
         "states": {STATES[name]: number for name, number in one.by_state.items()}}
        for one in counts(lake) if one.period[:4] == record.run["period"][:4]
    ]  # fmt: skip


def indicators(lake: Lake, record: Record) -> list[dict[str, Any]]:
    """The fund watch of the run's period, the run included, as reports show it."""
    from grouper.lake import views
    from grouper.watch import watch
    from grouper.watch.said import lines
    from grouper.watch.table import STATES

    run, kinds = record.run, ("current", "cleared")
    with views.connect(lake, before=run["run"], pending=record, kinds=kinds) as connection:
        if run["kind"] == "clear":
            views.as_cleared(connection, run["area"], int(run["period"]), run["run"])
        rows = watch(connection, run["area"], run["period"], facts=_facts(record)).to_pylist()
    return [
        {
            "zh": row["zh"],
            "en": row["en"],
            "value": None if row["value"] is None else f"{row['value']:.{row['digits']}f}",
            "unit": _unit(row["unit"]),
            "limit": lines(row["watch_line"], row["alarm_line"], _unit(row["unit"])),
            "state": STATES[row["state"]],
            "definition_zh": row["note_zh"] or row["definition_zh"],
            "definition_en": row["note_en"] or row["definition_en"],
            "source": row["source"],
        }
        for row in rows
    ]


def _facts(record: Record) -> Facts:
    """The budget of the year, where the month's budget file tells it."""
    from grouper.watch.facts import ALL, Facts
    from grouper.watch.periods import Period

    area, budget = record.run["area"], year_budget(record)
    year = Period(int(record.run["period"][:4]), 1, 12)
    values = {("annual_budget", year): {ALL: sum(budget.values(), Decimal(0))}} if budget else {}
    return Facts(area, "", "", values)


def _unit(name: str) -> tuple[str, str]:
    """A unit as it follows a number: a sign at once, a word after a blank."""
    from grouper.watch.definitions import UNITS

    _, zh, en = UNITS[name]
    return (zh if zh in "%‰" else f" {zh}", en if en in "%‰" else f" {en}")


def paths(lake: Lake, record: Record) -> Any:
    """The data files of a run, as reports take them."""
    from grouper.report import Paths

    found: dict[str, list[str]] = {table: [] for table in TABLES}
    for row in record.rows["outputs"]:
        if row["table_name"] in found:
            found[row["table_name"]].append(str(lake.root / row["path"]))
    found["records"] += _records(lake, found["cases" if record.run["kind"] == "clear" else "adjustments"])
    return Paths(**found)


def _records(lake: Lake, tables: Sequence[str]) -> list[str]:
    """The records of the runs that priced what ``tables`` speak of."""
    runs: set[str] = set()
    for table in tables:
        with pq.ParquetFile(local_path(Path(table))) as file:
            if "original_run" in file.schema_arrow.names:
                runs |= set(pc.unique(file.read(["original_run"])["original_run"]).to_pylist())
    runs.discard(None)
    if not runs:
        return []
    with ledger.opened(lake) as source:
        rows = source.execute(
            "SELECT path FROM outputs WHERE table_name = 'records' AND list_contains(?, run) ORDER BY path",
            [sorted(runs)],
        ).fetchall()
    return [str(lake.root / path) for (path,) in rows if (lake.root / path).is_file()]


def run_info(record: Record, policy: Policy, assumed: Mapping[str, str]) -> dict[str, Any]:
    """What reports tell of a run."""
    run = record.run
    told = json.loads(run["options_json"])
    parameters = _parameters(record)
    return {
        "run": run["run"], "kind": run["kind"], "area": run["area"], "area_name": area_name(run["area"]),
        "period": run["period"],
        "software": software(run["software"] or VERSION),
        "policy": {"id": policy.id, "name": policy.name, "name_en": policy.name_en,
                   "sha256": run["policy_sha256"], "method": policy.method},
        "scheme": {"id": run["scheme_id"], "sha256": run["scheme_sha256"]},
        "who": run["started_by"], "when": run["as_of"], "note": run["note"],
        "inputs": record.rows["inputs"], "parameters": parameters, "assumed": dict(assumed),
        "routes": {route.name: (route.zh, route.en) for route in policy.routes},
        "seal": record.sealed(run["previous_hash"] or ""),
        "codes": {r["reason"]: r["rows"] for r in record.rows["counts"] if r["status"] == "codes"},
        "reviews": {
            r["reason"]: (r["rows"], r["cost_fen"]) for r in record.rows["counts"] if r["status"] == "review"
        },
        "review_quota": {
            r["reason"]: r["rows"] for r in record.rows["counts"] if r["status"] == "review-quota"
        },
        "pseudonymised": bool(told.get("pseudonymise")), "draft": told.get("draft") is True,
    }  # fmt: skip
