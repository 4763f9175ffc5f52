"""A city as options and as files, and the command that writes it."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from grouper.base.errors import TableError, UsageError
from grouper.commands import cli
from grouper.commands.synth import parse_months
from grouper.payment.pool.budget import read_budget
from grouper.synth.city import SCHEMA, City, city_batches, expected_budget, write_city
from grouper.synth.city.hospitals import hospitals
from grouper.synth.city.write import POOLS

SMALL = City(rows=3_000, hospitals=40, dirty=0.2)


def test_options_survive_their_file(tmp_path):
    city = City(rows=5, seed=9, refunds=0.125, region="1199", hospitals=31)
    path = tmp_path / "city.toml"
    path.write_text(city.to_toml(), encoding="utf-8")
    assert City.read(path) == city
    path.write_text("rows = 7\nrefunds = 0\n", encoding="utf-8")
    assert City.read(path) == City(rows=7, refunds=0)


@pytest.mark.parametrize(
    ("text", "named"),
    [("row = 5\n", "row"), ('rows = "many"\n', "rows"), ("version = 99\n", "version"), ("=", "city.toml")],
)
def test_bad_files_are_refused(tmp_path, text, named):
    path = tmp_path / "city.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=named) as caught:
        City.read(path)
    assert named in caught.value.zh


@pytest.mark.parametrize(
    "options",
    [{"rows": -1}, {"year": 1900}, {"region": "99"}, {"hospitals": 5}, {"refunds": 0.5}, {"dirty": -0.1},
     {"readmissions": 0.2}, {"seed": -1}],
)  # fmt: skip
def test_options_out_of_range_are_named(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        City(**options)


@pytest.mark.parametrize("number", [30, 40, 120, 333])
def test_the_town_and_its_counties(number):
    made = hospitals(City(hospitals=number))
    here = [h for h in made if h.county != City().elsewhere]
    assert len(here) == number and len({h.code for h in made}) == len({h.name for h in made}) == len(made)
    assert {h.kind for h in here} == {"general", "psychiatric", "tcm", "rehabilitation"}
    alliances = {h.county: h.alliance for h in here}
    assert len(alliances) == 8 and len(set(alliances.values())) == 8 and alliances["339901"] == ""
    assert all(h.alliance == alliances[h.county] for h in here)


@pytest.mark.slow
def test_files_hold_the_rows(tmp_path):
    seen = []
    written = write_city(
        tmp_path / "c", SMALL, lambda done, total: seen.append((done, total)), months=[2, 11]
    )
    folder = tmp_path / "c"
    assert sorted(p.name for p in folder.iterdir()) == [
        "2025-02.parquet", "2025-11.parquet", "assessment.csv", "budget.toml", "city.toml", "hospitals.csv",
    ]  # fmt: skip
    rows = 0
    for month in (2, 11):
        path = folder / f"2025-{month:02}.parquet"
        made = list(city_batches(SMALL, month))
        assert pq.read_table(path).to_pylist() == [row for batch in made for row in batch.to_pylist()]
        assert pq.read_schema(path).names == SCHEMA.names
        rows += sum(batch.num_rows for batch in made)
    assert 0.1 < written.faults.total() / rows < 0.25
    assert b"version=2" in pq.read_schema(path).metadata[b"grouper.city"]
    assert written.rows == rows == sum(written.kinds.values()) and seen[-1] == (rows, rows)
    assert City.read(folder / "city.toml") == SMALL
    with (folder / "hospitals.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == [
        "hospital_code", "hospital_name", "hospital_level", "hospital_kind", "county", "alliance",
    ]  # fmt: skip
    assert len(table) == len(hospitals(SMALL))
    budget = tomllib.loads((folder / "budget.toml").read_text(encoding="utf-8"))
    pools = {kind: int(budget["pools"][pool]["budget"]) for kind, pool in POOLS.items()}
    assert pools == written.budget == expected_budget(SMALL)
    assert read_budget(folder / "budget.toml").yearly


def test_the_same_city_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write_city(tmp_path / name, SMALL, months=[3])
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_months_are_added_but_cities_never_mix(tmp_path):
    write_city(tmp_path, SMALL, months=[1])
    write_city(tmp_path, SMALL, months=[2])
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    with pytest.raises(UsageError, match="another city"):
        write_city(tmp_path, replace(SMALL, seed=5), months=[1])
    assert City.read(tmp_path / "city.toml") == SMALL


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hospitals.csv", "budget.toml", "assessment.csv", "2025-01.parquet"])
@pytest.mark.parametrize("city_first", [False, True])
def test_a_file_of_somebody_else_is_not_replaced(tmp_path, name, city_first):
    if city_first:
        write_city(tmp_path, SMALL, months=[1])
    (tmp_path / name).write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=name):
        write_city(tmp_path, SMALL, months=[1])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / name).unlink()
    (tmp_path / "notes.txt").write_text("mine")
    write_city(tmp_path, SMALL, months=[1])
    write_city(tmp_path, SMALL, months=[1])


def test_nothing_unfinished_is_left(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_city(tmp_path, SMALL, stop, months=[1])
    assert [path.name for path in tmp_path.iterdir()] == ["city.toml"]


def test_budget_is_a_round_figure_near_what_the_pool_pays():
    city = City(rows=40_000, dirty=0)
    paid = {"310": 0, "390": 0}
    for batch in city_batches(city):
        for row in batch.select(["insurance_type", "pool_paid", "region_code"]).to_pylist():
            if row["region_code"] != city.elsewhere:
                paid[row["insurance_type"]] += row["pool_paid"]
    for kind, amount in expected_budget(city).items():
        assert 0.95 < amount / float(paid[kind]) < 0.99
        assert len(str(amount).rstrip("0")) <= 3


def test_cost_table_can_be_made_anew(tmp_path):
    from grouper.synth.city import costs
    from grouper.synth.city.fit import fit

    weights = tmp_path / "weights.csv"
    weights.write_text("drg,weight\nES35,9.5\nBR15,0.7\n", encoding="utf-8")
    target = tmp_path / "cost.csv"
    fit(weights, target, "chs-drg-2.0", 30_000)
    made = costs._read(target)
    assert set(made) == {(name, operated) for name in costs.group_names() for operated in (0, 1)}
    assert made["ES3", 0][0] > 3_000 > made["BR1", 0][0]


def test_a_cost_table_of_another_shape_is_refused(tmp_path):
    from grouper.synth.city import costs

    path = tmp_path / "cost.csv"
    path.write_text("group,weight\n", encoding="utf-8")
    with pytest.raises(TableError, match="lacks the column operated"):
        costs._read(path)


def test_weights_without_their_columns_are_refused(tmp_path):
    from grouper.synth.city.costs import case_weights

    path = tmp_path / "w.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="--weights"):
        case_weights("chs-drg-2.0", path)


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "months"),
    [("1-12", list(range(1, 13))), ("3", [3]), ("1-3,12", [1, 2, 3, 12]), ("5,2-3", [2, 3, 5])],
)
def test_months_are_understood(text, months):
    assert parse_months(text) == months


@pytest.mark.parametrize("text", ["", "0", "13", "3-1", "a", "1-", "1;2"])
def test_other_months_are_not(text):
    with pytest.raises(UsageError, match="--months"):
        parse_months(text)


def test_command_writes_and_sums_up(tmp_path):
    target = tmp_path / "city"
    arguments = ["--rows", "2000", "--months", "1-2", "--seed", "3", "--hospitals", "40", "--dirty", "0"]
    done = CliRunner().invoke(cli, ["synth", "-o", str(target), *arguments, "--lang", "en"])
    assert done.exit_code == 0, done.output
    rows = sum(pq.read_metadata(path).num_rows for path in target.glob("*.parquet"))
    assert (
        f"{rows:,} rows of 2025 (invented, no patients)" in done.output
        and "refunds (negative)" in done.output
    )
    assert City.read(target / "city.toml") == City(rows=2000, seed=3, hospitals=40, dirty=0)
    again = CliRunner().invoke(
        cli, ["synth", "-o", str(tmp_path / "b"), "--city", str(target / "city.toml"), "--months", "1"]
    )
    assert again.exit_code == 0 and "行（模拟数据，非真实病人）" in again.output
    name = "2025-01.parquet"
    assert (tmp_path / "b" / name).read_bytes() == (target / name).read_bytes()


def test_command_wants_scheme_and_weights_together(tmp_path):
    done = CliRunner().invoke(cli, ["synth", "-o", str(tmp_path), "--scheme", "chs-drg-2.0"])
    assert isinstance(done.exception, UsageError) and "--weights" in str(done.exception)
