"""Whole files: rows in = rows out in order, results appear whole or not at all, and say what made them."""

from __future__ import annotations

import json
from pathlib import Path

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import grouper
from grouper.base.errors import DataError, ReconciliationError, UsageError
from grouper.grouping import files as run
from grouper.grouping.drg.engine import RESULT_COLUMNS
from grouper.synth.rows import write_parquet

from .support import NARROW, RECORD_COLUMNS, canonical, loaded, vectors


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.parquet"
    pq.write_table(vectors("chs-drg-2.0").select(RECORD_COLUMNS), path, row_group_size=100)
    return path


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("month") / "month.parquet"
    write_parquet(path, 12_000, seed=3, row_group=2_500, month="2025-06", dirty=0.05)
    return path


def expected() -> list[str]:
    return vectors("chs-drg-2.0")["expected_drg"].to_pylist()


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "xlsx"])
def test_every_format_holds_every_row_in_order(
    source: Path, tmp_path: Path, suffix: str, workers: int
) -> None:
    target = tmp_path / f"out.{suffix}"
    summary = grouper.group_files(loaded("chs-drg-2.0"), [source], target, workers=workers)
    read = {
        "parquet": polars.read_parquet,
        "csv": lambda p: polars.read_csv(p, infer_schema=False),
        "jsonl": polars.read_ndjson,
        "xlsx": polars.read_excel,
    }[suffix]
    frame = read(target)
    assert frame["drg"].to_list() == expected()
    assert frame["record_id"].to_list() == vectors("chs-drg-2.0")["record_id"].to_pylist()
    assert frame.columns == RECORD_COLUMNS + list(RESULT_COLUMNS)
    assert summary.rows == len(expected()) == sum(summary.statuses.values())


@pytest.mark.slow
def test_a_written_file_can_be_read_and_grouped_again(source: Path, tmp_path: Path) -> None:
    """Through every format and back: the codes survive as they were."""
    for suffix in ("csv", "jsonl", "xlsx"):
        first, second = tmp_path / f"one.{suffix}", tmp_path / f"two-{suffix}.parquet"
        grouper.group_files(loaded("chs-drg-2.0"), [source], first)
        again = grouper.load_scheme("chs-drg-2.0", prefix="again_")
        grouper.group_files(again, [first], second)
        assert pq.read_table(second)["again_drg"].to_pylist() == expected()


def test_many_inputs_follow_each_other(source: Path, tmp_path: Path) -> None:
    summary = grouper.group_files(loaded("chs-drg-2.0"), [source, source], tmp_path / "out.parquet")
    assert summary.rows == 2 * len(expected())
    assert pq.read_table(tmp_path / "out.parquet")["drg"].to_pylist() == expected() * 2


def test_same_input_gives_the_same_bytes_of_data(month: Path, tmp_path: Path) -> None:
    tables = []
    for name, workers in (("a", 1), ("b", 1), ("c", 4)):
        grouper.group_files(loaded("zhejiang-2024"), [month], tmp_path / f"{name}.parquet", workers=workers)
        raw = (tmp_path / f"{name}.parquet").read_bytes()
        footer = int.from_bytes(raw[-8:-4], "little")
        tables.append(raw[: -8 - footer])  # the footer holds the provenance, with the time it took
    assert tables[0] == tables[1] == tables[2]


def test_provenance_says_what_made_the_file(month: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    summary = grouper.group_files(loaded("zhejiang-2024"), [month], target)
    provenance = json.loads(pq.read_metadata(target).metadata[b"grouper.provenance"])
    assert provenance["scheme"]["id"] == "zhejiang-2024"
    assert provenance["scheme"]["sha256"] == loaded("zhejiang-2024").compiled.scheme.digest
    assert provenance["rows"] == 12_000 == sum(provenance["statuses"].values())
    assert provenance["reasons"] == dict(summary.reasons)
    assert provenance["inputs"][0]["bytes"] == month.stat().st_size
    assert len(provenance["inputs"][0]["sha256"]) == 64
    assert provenance["codes"]["diagnosis:notation"] > 0  # the dirty rows were seen


def test_a_failed_run_leaves_the_old_output(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.parquet"
    target.write_text("old")
    monkeypatch.setattr(
        run, "_reconcile", lambda *_: (_ for _ in ()).throw(ReconciliationError(zh="", en="lost a row"))
    )
    with pytest.raises(ReconciliationError):
        grouper.group_files(loaded("chs-drg-2.0"), [source], target)
    assert target.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_rows_that_do_not_add_up_are_refused() -> None:
    summary = run.Summary("s", [], "", "", rows=3)
    summary.reasons["grouped"] = 2
    with pytest.raises(ReconciliationError, match="do not add up"):
        run._reconcile(summary, 3)
    summary.reasons["no-mdc"] = 1
    summary.statuses.clear()
    with pytest.raises(ReconciliationError):
        run._reconcile(summary, 4)
    summary.statuses.clear()
    run._reconcile(summary, 3)


def test_an_error_in_a_thread_is_the_error_of_the_run(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.csv", tmp_path / "b.csv"
    header = "record_id,diagnoses,procedures,sex,age_years,age_days,birth_weight_g\n"
    good.write_text(header + "1,I10.x00,,1,60,,\n")
    bad.write_text(header + "2,I10.x00,,1,60,\n")
    for workers in (1, 2):
        with pytest.raises(DataError, match=r"b\.csv"):
            grouper.group_files(loaded("chs-drg-2.0"), [good, bad], tmp_path / "out.parquet", workers=workers)
    assert not (tmp_path / "out.parquet").exists()


def test_unusable_targets_are_refused_before_any_work(source: Path, tmp_path: Path) -> None:
    drg = loaded("chs-drg-2.0")
    with pytest.raises(UsageError, match="is an input"):
        grouper.group_files(drg, [source], source)
    with pytest.raises(UsageError, match="--to"):
        grouper.group_files(drg, [source], tmp_path / "out.dat")
    with pytest.raises(UsageError, match="cannot write"):
        grouper.group_files(drg, [source], tmp_path / "no folder" / "out.csv")
    assert pq.read_table(source).num_rows == len(expected())


def test_dirty_rows_are_told_apart(tmp_path: Path) -> None:
    """One row for each thing that can be wrong with a record, and its reason."""
    rows = [
        ("good", "I63.900", "", "1", "60", "grouped", "grouped"),
        ("lower case", "i63.900", "", "1", "60", "grouped", "grouped"),
        ("full width", "Ｉ６３．９００", "", "1", "60", "grouped", "grouped"),
        ("blanks", " I63.900 |-| ", "", "男", "60", "grouped", "grouped"),
        ("no principal", "-|I10.x00", "", "1", "60", "invalid", "no-principal-diagnosis"),
        ("no diagnosis", "", "", "1", "60", "invalid", "no-principal-diagnosis"),
        ("lost zero", "I63.900", "6.31", "1", "60", "invalid", "lost-zero"),
        ("bad sex", "I63.900", "", "x", "60", "invalid", "bad-sex"),
        ("age out of range", "I63.900", "", "1", "850", "invalid", "bad-age"),
        ("no sex", "N40.x00", "", "", "60", "needs-data", "missing-sex"),
        ("no sex but no matter", "I63.900", "", "", "60", "grouped", "grouped"),
        ("unknown code", "I63.999x999", "", "1", "60", "ungrouped", "principal-unknown"),
        ("unrelated operation", "I63.900", "47.0100", "1", "60", "ambiguous", "unrelated-procedure"),
    ]
    path = tmp_path / "in.csv"
    lines = [",".join([r[0], r[1], r[2], r[3], r[4], "", ""]) for r in rows]
    header = "record_id,diagnoses,procedures,sex,age_years,age_days,birth_weight_g"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    grouper.group_files(loaded("chs-drg-2.0"), [path], tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet").select(["record_id", "status", "reason"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [(r[0], r[5], r[6]) for r in rows]
    repaired = grouper.load_scheme("chs-drg-2.0", repair_codes=True)
    grouper.group_files(repaired, [path], tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["status"].to_pylist()[6] != "invalid"


@pytest.mark.parametrize(
    ("diagnosis", "operations", "age", "reason"),
    [
        ("P00.900", [], (0, 5), "unfitting-diagnosis"),  # no operation: a newborn outside MDCP
        ("I63.900", ["47.0100"], (60, None), "unrelated-procedure"),
    ],
)
def test_an_ambiguous_group_says_what_its_row_asks(
    diagnosis: str, operations: list[str], age: tuple[int, int | None], reason: str
) -> None:
    row = {
        "diagnoses": [[diagnosis]], "procedures": [operations], "sex": [1], "age_years": [age[0]],
        "age_days": [age[1]], "birth_weight_g": [3000],
    }  # fmt: skip
    (found,) = loaded("chs-drg-2.0").group(pa.table(row, schema=canonical(row, **NARROW))).to_pylist()
    assert (found["status"], found["reason"], found["drg"][1:]) == ("ambiguous", reason, "QY")


def test_clinical_codes_are_converted_when_the_file_says_so(tmp_path: Path) -> None:
    from grouper.codes import icd

    crosswalk = icd.crosswalk("diagnosis")
    drg = loaded("chs-drg-2.0")
    known = set(drg.compiled.diagnoses)
    clinical = next(c for c, t in sorted(crosswalk.items()) if c not in known and t in known and c[0] == "I")
    row = {"diagnoses": [[clinical]], "procedures": [[]], "sex": [1], "age_years": [60]}
    table = pa.table(
        row,
        schema=canonical(row, **NARROW),
    )
    allow = ["age_days", "birth_weight_g"]
    plain = grouper.load_scheme("chs-drg-2.0", allow_missing=allow).group(table).to_pylist()[0]
    assert plain["reason"] == "principal-unknown"
    converted = (
        grouper.load_scheme("chs-drg-2.0", allow_missing=allow, codes="clinical").group(table).to_pylist()[0]
    )
    direct = (
        grouper.load_scheme("chs-drg-2.0", allow_missing=allow)
        .group(table.set_column(0, "diagnoses", pa.array([[crosswalk[clinical]]])))
        .to_pylist()[0]
    )
    assert converted["drg"] == direct["drg"]
    assert direct["status"] == "grouped"
