"""The reports of a run whose files are in place but which is not committed yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from grouper.base.provenance import software
from grouper.base.version import VERSION
from grouper.lake.layout import TABLES, Lake
from grouper.lake.ledger import Record
from grouper.payment.policy.areas import area_name
from grouper.payment.policy.policy import Policy


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
        "indicators": indicators(lake, record), "objections": _objections(lake, record)
    }  # fmt: skip
    data = ReportData.from_paths(paths(lake, record), info)
    folder.mkdir()
    with data.open():
        (write_month if record.run["kind"] == "settle" else write_year)(data, info, folder)
        write_statements(data, folder / "hospitals", progress=progress)
        write_feeds(data, folder / "csv")


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
    from grouper.watch.table import STATES

    run = record.run
    with views.connect(lake, pending=record, kinds=("current",)) as connection:
        rows = watch(connection, run["area"], run["period"]).to_pylist()
    return [
        {
            "zh": row["zh"],
            "en": row["en"],
            "value": None if row["value"] is None else f"{row['value']:.{row['digits']}f}",
            "unit": _unit(row["unit"]),
            "limit": "; ".join(line for line in (row["watch_line"], row["alarm_line"]) if line),
            "state": STATES[row["state"]],
            "definition_zh": row["note_zh"] or row["definition_zh"],
            "definition_en": row["note_en"] or row["definition_en"],
            "source": row["source"],
        }
        for row in rows
    ]


def _unit(name: str) -> tuple[str, str]:
    """A unit as it follows a number: a sign at once, a word after a blank."""
    from grouper.watch.definitions import UNITS

    _, zh, en = UNITS[name]
    return (zh if zh in "%‰" else f" {zh}", en if en in "%‰" else f" {en}")


def paths(lake: Lake, record: Record) -> Any:
    """The data files of a run, as reports take them."""
    from grouper.report import Paths

    found: dict[str, list[str]] = {table: [] for table in TABLES if table != "records"}
    for row in record.rows["outputs"]:
        if row["table_name"] in found:
            found[row["table_name"]].append(str(lake.root / row["path"]))
    return Paths(**found)


def run_info(record: Record, policy: Policy, assumed: Mapping[str, str]) -> dict[str, Any]:
    """What reports tell of a run."""
    run = record.run
    told = json.loads(run["options_json"])
    parameters = [p for p in record.rows["parameters"] if p["name"] != "person_key"]
    return {
        "run": run["run"], "kind": run["kind"], "area": run["area"], "area_name": area_name(run["area"]),
        "period": run["period"],
        "software": software(run["software"] or VERSION),
        "policy": {"id": policy.id, "name": policy.name, "name_en": policy.name_en,
                   "sha256": run["policy_sha256"]},
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
