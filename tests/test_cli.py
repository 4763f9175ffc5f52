"""The command line as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.commands.options.shared import LANGUAGES
from grouper.commands.reference import FILES, reference
from grouper.synth.rows import write_parquet

from .in_process import call
from .support import RECORD_COLUMNS, vectors

DOCS = Path(__file__).parent.parent / "docs"


def grouper(*arguments: object, stdin: bytes = b"", lang: str | None = None, cwd: Path | None = None):
    code, out, err = call(*arguments, stdin=stdin, lang=lang, cwd=cwd)
    return code, out, err.decode()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.parquet"
    pq.write_table(vectors("chs-drg-2.0").select(RECORD_COLUMNS).slice(0, 60), path)
    return path


def wanted() -> list[str]:
    return vectors("chs-drg-2.0")["expected_drg"].to_pylist()[:60]


def test_group_writes_the_file_and_sums_up(source: Path, tmp_path: Path) -> None:
    code, out, err = grouper("group", source, "-o", tmp_path / "out.parquet", "--scheme", "chs-drg-2.0")
    assert (code, out) == (0, b"")
    assert "60 条记录" in err and "入组" in err
    assert pq.read_table(tmp_path / "out.parquet")["drg"].to_pylist() == wanted()
    code, _, err = grouper(
        "group", source, "-o", tmp_path / "o.csv", "--scheme", "chs-drg-2.0", "--lang", "en", "--workers", 2
    )
    assert code == 0 and "60 records" in err


def test_data_goes_through_pipes(source: Path, tmp_path: Path) -> None:
    """Standard input to standard output, and only data on standard output."""
    _, csv_text, _ = grouper("group", source, "-o", "-", "--to", "csv", "--scheme", "chs-drg-2.0")
    code, out, err = grouper(
        "group", "-", "--format", "csv", "-o", "-", "--to", "jsonl", "--scheme", "chs-drg-2.0",
        "--prefix", "again_", stdin=csv_text,
    )  # fmt: skip
    assert code == 0, err
    assert [json.loads(line)["again_drg"] for line in out.decode().splitlines()] == wanted()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_explain_from_options_json_and_file_agree(source: Path, lang: str) -> None:
    record = vectors("chs-drg-2.0").select(RECORD_COLUMNS).slice(7, 1).to_pylist()[0]
    plain = {k: v for k, v in record.items() if v is not None}
    scheme = ("--scheme", "chs-drg-2.0", "--lang", lang)
    code, by_json, err = grouper("explain", "-", *scheme, stdin=json.dumps(plain).encode())
    assert code == 0, err
    code, by_file, err = grouper("explain", source, "--record-id", record["record_id"], *scheme)
    assert code == 0, err
    assert by_json.decode().splitlines()[-4:] == by_file.decode().splitlines()[-4:]
    options: list[object] = [x for dx in record["diagnoses"] for x in ("--dx", dx)]
    options += [x for proc in record["procedures"] for x in ("--proc", proc)]
    options += ["--sex", record["sex"], "--age", record["age_years"]]
    code, by_options, err = grouper("explain", *options, *scheme, "--json")
    assert code == 0, err
    assert json.loads(by_options)["result"]["drg"] in by_file.decode()


def test_explain_finds_a_settlement_by_its_number(tmp_path: Path) -> None:
    """A settlement list has no record id of its own; its settlement number names it."""
    message = {
        "setlinfo": {"setl_id": "S1", "gend": "1", "brdy": "1950-01-02", "adm_time": "2025-06-01"},
        "diseinfo": [
            {"diag_type": "1", "diag_code": "I10.x00", "maindiag_flag": "0"},
            {"diag_type": "1", "diag_code": "I63.900", "maindiag_flag": "1"},
        ],
        "oprninfo": [],
    }
    (tmp_path / "list.json").write_text(json.dumps([message]))
    allow = [x for field in ("age_days", "birth_weight_g") for x in ("--allow-missing", field)]
    code, out, err = grouper(
        "explain", tmp_path / "list.json", "--record-id", "S1", "--scheme", "chs-drg-2.0", *allow, "--json"
    )
    assert code == 0, err
    explained = json.loads(out)
    assert [c["code"] for c in explained["codes"]] == ["I63.900", "I10.x00"]
    assert explained["numbers"]["age"] == 75 and explained["result"]["status"] == "grouped"


def test_columns_proposes_a_map_that_works(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(
        "编号,主要诊断编码,其他诊断编码1,手术操作编码1,性别,年龄\n1,I63.900,I10.x00,,男,70\n",
        encoding="gb18030",
    )
    code, out, err = grouper("columns", path)
    assert code == 0 and "记录格式已知" not in err, err
    (tmp_path / "map.toml").write_bytes(out)
    code, _, err = grouper(
        "group", path, "-o", tmp_path / "o.parquet", "--scheme", "chs-drg-2.0",
        "--columns", tmp_path / "map.toml",
        "--allow-missing", "age_days", "--allow-missing", "birth_weight_g",
    )  # fmt: skip
    assert code == 0, err + out.decode()
    row = pq.read_table(tmp_path / "o.parquet").to_pylist()[0]
    assert row["status"] == "grouped" and row["编号"] == "1"


def test_columns_of_a_known_layout_says_so_first(source: Path) -> None:
    _, _, err = grouper("columns", source)
    assert err.startswith("记录格式已知：canonical")
    _, out, err = grouper("columns", source, lang="en")
    assert err.startswith("The layout of the file is known: canonical") and b"known" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "zh", "en"),
    [
        (["group", "x.csv", "-o", "y.csv"], 1, "缺少参数", "Missing option"),
        (["group", "x.csv", "-o", "y.csv", "--scheme", "atlantis"], 1, "没有方案", "there is no scheme"),
        (
            ["group", "none.csv", "-o", "y.csv", "--scheme", "chs-drg-2.0"],
            1,
            "没有文件 none.csv",
            "no file none.csv",
        ),
        (["group", "none.xlsx", "-o", "y.csv", "--scheme", "chs-drg-2.0"], 1, "没有文件", "there is no file"),
        (["columns", "none.xlsx"], 1, "没有文件", "there is no file"),
        (["explain", "--scheme", "chs-drg-2.0"], 1, "--dx", "--dx"),
        (["explain", "-", "--scheme", "chs-drg-2.0"], 1, "不是 JSON", "not JSON"),
        (["dance"], 1, "没有命令", "No such command"),
        (["tables", "dance"], 1, "没有命令", "No such command"),
        (["group", "--nonsense"], 1, "没有选项", "No such option"),
        (["audit", "lake", "--replay"], 1, "选项 --replay 后缺少取值", "requires an argument"),
        (["demo", "a", "b"], 1, "多出的参数：a b", "unexpected extra arguments"),
        (["demo", "--rows", "x"], 1, "'x' 不是整数", "not a valid integer"),
        (["demo", "--rows", "1"], 1, "1 不在范围 240<=x<=100000000 内", "not in the range"),
        (["demo", "--method", "x"], 1, "'x' 应为其一：'drg', 'dip'", "is not one of"),
        (
            ["pay", "a", "--policy", "x", "-o", "y", "--as-of", "1/2"],
            1,
            "应为日期",
            "does not match the format",
        ),
        (["pay", "a", "--policy", "x", "-o", "y", "--budget", "b"], 1, "没有 'b'", "does not exist"),
        (["status", "lake", "--json=x"], 1, "选项 --json 不接受取值", "does not take a value"),
    ],
)
def test_errors_are_one_message_and_an_exit_code(
    tmp_path: Path, arguments: list[str], code: int, zh: str, en: str
) -> None:
    for lang, text in (("zh", zh), ("en", en)):
        found, out, err = grouper(*arguments, lang=lang, cwd=tmp_path)
        assert (found, out) == (code, b""), err
        assert text in err
        assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_lacking_column_names_the_flag_that_maps_it(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("record_id,diagnoses,procedures,sex\n1,I63.900,,1\n")
    code, _, err = grouper(
        "group", "in.csv", "-o", "out.csv", "--scheme", "chs-drg-2.0", cwd=tmp_path, lang="en"
    )
    assert code == 1
    assert "age_years" in err and "--columns" in err and "--allow-missing" in err


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_speaks_the_language_wherever_the_option_stands(lang: str) -> None:
    word = {"zh": "选项", "en": "Options"}[lang]
    for arguments in (["--lang", lang, "group", "--help"], ["group", "--help", "--lang", lang], ["--help"]):
        code, out, _ = grouper(*arguments, lang=lang if arguments == ["--help"] else None)
        assert code == 0 and word in out.decode()


def test_the_reference_in_docs_is_what_help_says(tmp_path: Path) -> None:
    """Made in a process of its own: click remembers help options from earlier calls."""
    command = [sys.executable, "-P", "-m", "grouper.commands.reference", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for name in FILES.values():
        found, made = ((place / name).read_text(encoding="utf-8") for place in (DOCS, tmp_path))
        assert found == made, "run: python -m grouper.commands.reference docs"


def test_every_command_ends_its_help_with_an_example() -> None:
    for lang, word in (("zh", "示例："), ("en", "Example: ")):
        for part in reference(lang).split("```\n")[1::2]:
            body = part.split("\n选项" if lang == "zh" else "\nOptions")[0]
            assert word in body, part.splitlines()[0]


@pytest.mark.slow
def test_dip_goes_the_same_way(tmp_path: Path) -> None:
    """The same commands take a DIP catalogue: group, explain, tables."""
    source, target = tmp_path / "june.parquet", tmp_path / "dip.csv"
    write_parquet(source, 2000, month="2025-06", dirty=0.01)
    code, _, err = grouper("group", source, "-o", target, "--scheme", "dip-taian-2025", lang="en")
    assert code == 0 and "2,000 records" in err, err
    record = ["--dx", "K35.300", "--proc", "47.0100", "--age", 30, "--los", 5, "--discharge-way", 1]
    code, out, err = grouper("explain", "--scheme", "dip-taian-2025", *record, lang="zh")
    assert code == 0 and "K35.3:47.0100" in out.decode() and "分值" in out.decode(), err
    code, out, err = grouper("tables", "list", "--json")
    kinds = {row["id"]: row["kind"] for row in json.loads(out)}
    assert kinds["dip-taian-2025"] == "dip" and kinds["chs-drg-2.0"] == "drg"
    code, out, _ = grouper("tables", "show", "dip-taian-2025", "--code", "47.0100")
    assert code == 0 and "K35.3:47.0100" in out.decode()
    code, out, err = grouper(
        "tables", "verify", "dip-taian-2025", "dip-pingdingshan-2025-extended", lang="en"
    )
    assert code == 0 and "error 0" in err
    code, _, err = grouper("tables", "show", "dip-taian-2025", "--mdc", "MDCB", lang="en")
    assert code == 1 and "--code" in err
