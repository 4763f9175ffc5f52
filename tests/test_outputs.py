"""No command writes over a file that the same call reads, whichever option names it."""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from grouper.base.errors import UsageError
from grouper.commands import cli

from .in_process import call as run

# Every file named is there before the call.
REFUSED = """
group i.parquet -o i.parquet --scheme chs-drg-2.0
group i.parquet -o map.toml --to csv --columns map.toml --scheme chs-drg-2.0
group folder -o folder/part.parquet --scheme chs-drg-2.0
group i.parquet -o my/adrg.csv --scheme my
pay g.parquet --policy p.toml -o g.parquet
pay g.parquet --policy p.toml --hospitals g2-hospitals.csv -o g2.parquet
pay g.parquet --policy p.toml --decisions g2-what-if.csv -o g2.parquet
pay g2-pools.csv --policy p.toml -o g2.parquet
pay g.parquet --policy p.toml --budget b.parquet -o b.parquet
pay g.parquet --policy q.parquet -o q.parquet
weights fit i.parquet --scheme chs-drg-2.0 -o i.parquet
weights fit i.parquet --scheme chs-drg-2.0 --structure s.csv -o s.csv
weights fit w.json --scheme chs-drg-2.0 -o w.csv
crosswalk i.parquet --from chs-drg-2.0 --to chs-drg-3.0 -o i.parquet
coefficients i.parquet --parameters c.csv -o c.csv
indices i.parquet --parameters c.csv -o c.csv
capitation i.csv --policy lishui --as-of 2025-12-31 -o i.csv
alliance i.csv --policy lishui --as-of 2025-12-31 --cases g.parquet --hospitals h.csv -o h.csv
policy new town --from lishui --scheme chs-drg-2.0 --weights s.csv -o s.csv --force
policy new town --from p.toml --scheme chs-drg-2.0 -o p.toml --force
tables export my my/adrg.csv --force
tables diff my chs-drg-2.0 -o my/adrg.csv --force
watch lake --area lishui --facts f.toml -o f.toml
watch lake --area lishui -o w.csv --flagged lake/ledger.duckdb
lake sign lake --key my.key -o my.key
statement lake --hospital H1 --xlsx lake
statement lake --hospital H1 --html lake/reports/000001/hospitals
tables import my -o my --id x --name x --area x
settle --area lishui --month 2025-06 --input folder --budget b.toml --hospitals h.csv -o folder/lake
""".strip().splitlines()
_FILES = (".parquet", ".csv", ".toml", ".json", ".key")
FOLDERS = {"folder": "part.parquet", "my": "adrg.csv", "lake": "ledger.duckdb"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder, name in FOLDERS.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("mine")
    (tmp_path / "my" / "scheme.toml").write_text("mine")
    return tmp_path


@pytest.mark.parametrize("line", REFUSED)
def test_an_output_over_an_input_is_refused(place: Path, line: str) -> None:
    words = shlex.split(line)
    for word in words:
        if Path(word).suffix in _FILES and not Path(word).exists() and word not in ("g2.parquet", "w.csv"):
            Path(word).write_text("mine")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    done = CliRunner().invoke(cli, words)
    assert isinstance(done.exception, UsageError) and "is an input" in done.exception.en, done.output
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_an_id_is_not_taken_for_a_folder_of_its_name(place: Path) -> None:
    (place / "lishui").mkdir()
    (place / "lishui" / "a.csv").write_text("an older result")
    (place / "i.csv").write_text("institution\n")
    line = "capitation i.csv --policy lishui --as-of 2025-12-31 -o lishui/a.csv"
    done = CliRunner().invoke(cli, line.split())
    assert isinstance(done.exception, UsageError) and "is an input" not in done.exception.en


def test_every_command_with_an_output_is_guarded() -> None:
    """A command that is written tomorrow is guarded by its class, if it is of the common one."""
    from grouper.commands.options.shared import BilingualCommand

    def commands(group: click.Command) -> list[click.Command]:
        if not isinstance(group, click.Group):
            return [group]
        ctx = click.Context(group)
        inner = [group.get_command(ctx, name) for name in group.list_commands(ctx)]
        return [one for each in inner if each for one in commands(each)]

    found = commands(cli)
    assert len(found) > 25 and all(isinstance(command, BilingualCommand) for command in found)


def test_a_way_through_a_folder_that_is_not_there_leads_to_the_same_input(place: Path) -> None:
    """``none/../a.csv`` is a.csv, wherever ``none`` is."""
    (place / "a.csv").write_text("record_id,diagnoses\nr1,I63.900\n")
    done = CliRunner().invoke(cli, ["group", "a.csv", "-o", "none/../a.csv", "--scheme", "chs-drg-2.0"])
    assert isinstance(done.exception, UsageError) and "is an input" in done.exception.en, done.output
    assert (place / "a.csv").read_text().startswith("record_id")


@pytest.mark.parametrize(("lang", "mark"), [("zh", codecs.BOM_UTF8), ("en", b"")])
def test_a_csv_in_chinese_begins_with_the_mark_that_excel_needs(
    tmp_path: Path, lang: str, mark: bytes
) -> None:
    """As a file; standard output goes on to programs. What has the mark is read as what has none."""
    head = "record_id,diagnoses,procedures,sex,age_years,los_days,discharge_way\n"
    line = head + "a,K35.300,47.0100,1,30,6,1\n"
    (tmp_path / "in.csv").write_text(line, encoding="utf-8")
    call = ("group", "in.csv", "--scheme", "chs-drg-2.0", "--lang", lang)
    code, _, err = run(*call, "-o", "out.csv", cwd=tmp_path)
    assert code == 0, err
    plain = (tmp_path / "out.csv").read_bytes()
    assert plain.startswith(mark) and plain[len(mark) :].startswith(b'"record_id"')
    code, out, err = run(*call, "-o", "-", "--to", "csv", cwd=tmp_path)
    assert code == 0 and mark + out == plain
    code, _, err = run("group", "out.csv", *call[2:], "--prefix", "x_", "-o", "again.csv", cwd=tmp_path)
    assert code == 0, err
