"""``grouper crosswalk``: every record once, under both schemes, and nothing read into equal codes."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from grouper import load_scheme
from grouper.base.errors import ReconciliationError, UsageError
from grouper.base.reasons import REASONS, STATUS_ZH
from grouper.commands import cli
from grouper.commands.crosswalk import HEADINGS
from grouper.grouping.crosswalk import SCHEMA, Crosswalk, Side, _reconcile, crosswalk
from grouper.synth.city import City, city_batches

from .in_process import call as run

OLD, NEW = "chs-drg-2.0", "chs-drg-3.0"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of an invented city, with refunds, faults and rows of several batches."""
    path = tmp_path_factory.mktemp("city") / "june.parquet"
    batches = list(city_batches(City(rows=12_000, seed=3), 6))
    pq.write_table(pa.Table.from_batches(batches), path, row_group_size=700)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"), [(OLD, NEW), (OLD, "dip-3.0"), ("dip-taian-2025", OLD)], ids=["drg", "drg-dip", "dip-drg"]
)
def test_it_counts_what_grouping_the_file_twice_gives(
    history: Path, tmp_path: Path, old: str, new: str
) -> None:
    """Cases and costs by pair, statuses among them; rows in = rows out; shares add up to 1."""
    code = {"chs": "drg", "dip": "dip_code"}
    table = pq.read_table(history)
    made = [load_scheme(name).group(table) for name in (old, new)]
    keys = [
        list(zip(*(t[column].to_pylist() for column in ("status", code[name[:3]], "reason")), strict=True))
        for name, t in zip((old, new), made, strict=True)
    ]
    cases: Counter[tuple[str | None, ...]] = Counter()
    costs: Counter[tuple[str | None, ...]] = Counter()
    for before, after, cost in zip(*keys, table["total_cost"].to_pylist(), strict=True):
        halves = ((s, g or None, None if s == "grouped" else why) for s, g, why in (before, after))
        pair = (*next(halves), *next(halves))
        cases[pair] += 1
        costs[pair] += cost or 0
    done = crosswalk(load_scheme(old), load_scheme(new), [history], tmp_path / "x.parquet")
    rows = pq.read_table(tmp_path / "x.parquet").to_pylist()
    names = [f"{side}_{name}" for side in ("old", "new") for name in ("status", "group", "reason")]
    found = {tuple(r[name] for name in names): r for r in rows}
    assert {key: r["cases"] for key, r in found.items()} == dict(cases) and len(found) == len(rows)
    assert {key: r["total_cost"] for key, r in found.items()} == dict(costs)
    assert done.rows == table.num_rows == sum(done.statuses(0).values()) == sum(done.statuses(1).values())
    for group in {tuple(r[name] for name in names[:3]) for r in rows}:
        own = [r for r in rows if tuple(r[name] for name in names[:3]) == group]
        assert {r["old_cases"] for r in own} == {sum(r["cases"] for r in own)}
        assert abs(sum(r["share"] for r in own) - 1) < Decimal("0.0001")
        assert [r["dominant"] for r in own] == [True] + [False] * (len(own) - 1)
        assert own[0]["cases"] == max(r["cases"] for r in own)


def test_equal_codes_of_two_editions_are_two_groups() -> None:
    """The main successor is the one with most cases, of equals the first by code, never the equal code."""
    done = Crosswalk(OLD, NEW, rows=7)
    old = Side("grouped", "AB19", "甲")
    for new, number in ((Side("grouped", "AB19", "乙"), 2), (Side("grouped", "AA19", "丙"), 2),
                        (Side("ungrouped", "", ""), 3)):  # fmt: skip
        done.cases[old, new] = number
    lines = list(done.lines())
    assert [(r["new_group"], r["dominant"]) for r in lines] == [
        (None, True),
        ("AA19", False),
        ("AB19", False),
    ]
    assert [r["share"] for r in lines] == [Decimal("0.428571"), Decimal("0.285714"), Decimal("0.285714")]
    assert all(r["total_cost"] is None and r["cost_share"] is None for r in lines)
    with pytest.raises(ReconciliationError):
        _reconcile(done, 8)


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.parquet"])
def test_the_command_writes_it_and_says_how_the_groups_fare(history: Path, tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    command = ["crosswalk", str(history), "--from", OLD, "--to", NEW, "-o", str(output), "--lang", "en"]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    rows = pq.read_metadata(history).num_rows
    assert f"{OLD} → {NEW}: {rows:,} records" in done.stderr and "main successor" in done.stderr
    if name.endswith("csv"):
        with output.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        assert tuple(lines[0]) == tuple(SCHEMA.names) and sum(int(r["cases"]) for r in lines) == rows
    assert output.stat().st_size > 1000


def test_in_chinese_it_has_chinese_headings_and_reasons_by_count(history: Path, tmp_path: Path) -> None:
    """With the mark that spreadsheets need; in English and for programs names stay what they are."""
    scheme = load_scheme(NEW)
    table = scheme.group(pq.read_table(history))
    why = Counter(table.filter(pc.field("status") == "ungrouped")["reason"].to_pylist())
    call = ("crosswalk", history, "--from", OLD, "--to", NEW, "-o")
    code, _, err = run(*call, tmp_path / "x.csv", "--lang", "zh")
    assert code == 0, err
    content = (tmp_path / "x.csv").read_bytes()
    assert content.startswith(codecs.BOM_UTF8)
    lines = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert [*lines[0]] == [*HEADINGS.values()] and {r["原状态"] for r in lines} <= {*STATUS_ZH}
    told: Counter[str] = Counter()
    for row in lines:
        told[row["新方案未入组原因"]] += int(row["例数"]) if row["新状态"] == "未入组" else 0
    words = {reason.code: reason.zh for reason in REASONS}
    assert +told == Counter({words[code]: n for code, n in why.items()})
    for code, number in why.items():
        assert f"    {number:,}  {words[code]} [{code}]" in err.decode()
    code, _, err = run(*call, tmp_path / "e.csv", "--lang", "en")
    assert code == 0 and not (tmp_path / "e.csv").read_bytes().startswith(codecs.BOM_UTF8)
    code, _, err = run(*call, tmp_path / "x.parquet", "--lang", "zh")
    assert code == 0 and pq.read_schema(tmp_path / "x.parquet").names == SCHEMA.names


def test_records_without_costs_have_shares_of_cases_only(history: Path, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(history).drop_columns(["total_cost"]), tmp_path / "h.parquet")
    crosswalk(load_scheme(OLD), load_scheme(NEW), [tmp_path / "h.parquet"], tmp_path / "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert table["total_cost"].null_count == table["cost_share"].null_count == table.num_rows


def test_an_input_that_is_the_output_is_refused(history: Path) -> None:
    with pytest.raises(UsageError, match="is an input"):
        crosswalk(load_scheme(OLD), load_scheme(NEW), [history], history)
