"""What is compared: files as they come, or the stays of a lake that stand, written as one plain file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.sql import literal, quote
from grouper.base.tables_in import read_table
from grouper.grouping.files import input_digest
from grouper.lake.layout import Lake
from grouper.payment.price.inputs import DECIDED
from grouper.records.schema import CANONICAL
from grouper.research.columns import declared
from grouper.research.current import opened
from grouper.settlement.tables import write_sql

_PAID = ("hospital_level", "hospital_kind", "county", "offsite", "payment_method")


@dataclass(frozen=True)
class Given:
    """``scheme``, ``policy``: those of a lake, "" for files. ``hospitals``: code to name, level and county,
    as far as something tells them. ``about``: for provenance."""

    paths: list[str]
    scheme: str = ""
    policy: str = ""
    hospitals: dict[str, dict[str, str]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def of_files(inputs: Sequence[str], hospitals: str | None) -> Given:
    """Files, and what a table of hospitals says."""
    found: dict[str, dict[str, str]] = {}
    if hospitals:
        table = read_table(hospitals, needed=("hospital_code",), flag="--hospitals")
        for _, cells in table.rows:
            row = dict(zip(table.header, cells, strict=True))
            found[row["hospital_code"]] = {
                "name": row.get("hospital_name", ""),
                "level": row.get("hospital_level", ""),
                "county": row.get("county", ""),
            }
    return Given(list(inputs), hospitals=found, about={"inputs": [input_digest(path) for path in inputs]})


def of_lake(folder: Path, target: Path, period: str | None, area: str | None) -> Given:
    """Write the stays of the months of a lake that stand to ``target``, with what was decided of each.

    ``period``: YYYY or YYYY-MM. Raises UsageError where no month fits, or the months that do are of several
    areas, schemes or policies.
    """
    lake = Lake(folder).must_exist()
    with opened(lake) as connection:
        tests = ["kind = 'settle'"]
        if period:
            tests.append(f"starts_with(period || '-', {literal(period + '-')})")
        if area:
            tests.append(f"area = {literal(area)}")
        runs = connection.execute(
            "SELECT area, period, run, scheme_id, policy_id FROM periods WHERE "
            f"{' AND '.join(tests)} ORDER BY period, area"
        ).fetchall()
        if not runs:
            raise UsageError(
                zh=f"{folder}：没有符合条件的已结算月份；grouper status 可列出；请核对 --period、--area",
                en=f"{folder}: no settled month fits; grouper status lists them; check --period and --area",
            )
        _, _, _, scheme, policy = (_one(folder, runs, place) for place in range(5))
        sql = _records([run for _, _, run, _, _ in runs])
        rows = write_sql(connection, sql, target)
        names = connection.execute(
            "SELECT hospital_code, any_value(hospital_name), any_value(hospital_level), any_value(county) "
            "FROM hospital_names GROUP BY 1 ORDER BY 1"
        ).fetchall()
        head = connection.execute("SELECT hash FROM lake.runs ORDER BY run DESC LIMIT 1").fetchall()
    hospitals = {
        str(code): {"name": name or "", "level": str(level or ""), "county": str(county or "")}
        for code, name, level, county in names
    }
    about = {
        "lake": {"head": str(head[0][0]), "periods": [p for _, p, *_ in runs], "rows": rows},
    }
    return Given([str(target)], scheme, policy, hospitals, about)


def _one(folder: Path, runs: Sequence[tuple[str, ...]], place: int) -> str:
    """The one area, scheme or policy of the runs; periods and runs may differ."""
    found = sorted({run[place] or "" for run in runs})
    if len(found) > 1 and place in (0, 3, 4):
        zh, en, flag = {
            0: ("地区", "areas", "--area"),
            3: ("分组方案", "schemes", "--period"),
            4: ("支付政策", "policies", "--period"),
        }[place]
        raise UsageError(
            zh=f"{folder} 的月份用到多个{zh}：{'、'.join(found)}；请用 {flag} 选定其一",
            en=f"the months of {folder} have several {en}: {', '.join(found)}; choose by {flag}",
        )
    return found[0]


def _records(runs: Sequence[str]) -> str:
    """SQL of the stays as their columns came in, without what grouping made of them."""
    there = {column.name for column in declared()["records"]}
    own = [name for name in (*CANONICAL, *_PAID) if name in there]
    beside = {column.name for column in declared()["cases"]}
    decided = [name for name in DECIDED if name in beside and name not in own]
    columns = [f"r.{quote(name)}" for name in dict.fromkeys(own)] + [f"c.{quote(name)}" for name in decided]
    listed = ", ".join(map(literal, runs))
    return (
        f"SELECT {', '.join(columns)} FROM records AS r LEFT JOIN cases AS c "
        f"ON c.run = r.run AND c.record_id = r.record_id WHERE r.run IN ({listed}) "
        "ORDER BY r.hospital_code, r.discharge_date, r.record_id"
    )
