"""Formats of files, and digests that are over what is said and not over how Python holds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from grouper.base import canonical, provenance
from grouper.base.errors import DataError, GrouperError
from grouper.base.formats import FORMATS
from grouper.base.paths import tables_dir
from grouper.coefficients import parameters as coefficients
from grouper.grouping.drg.tables import store
from grouper.indices import parameters as indices
from grouper.payment.policy.legacy_digest import legacy_digest
from grouper.payment.policy.parameters import Dated
from grouper.payment.policy.policy import load_policy
from grouper.payment.pool.budget import parse_budget, read_budget
from grouper.records import load_map
from grouper.settlement.plan.job import Job
from grouper.settlement.plan.year_job import YearJob
from grouper.watch import definitions, facts

OLD = Path(__file__).parent / "data" / "lake-0.1.0"
BUDGET: dict[str, Any] = {
    "area": "lake", "period": "2025",
    "pools": {"employee": {"budget": "10.50", "point_value": "0.850"}, "resident": {"budget": 7}},
    "hospitals": [{"hospital_code": "H1", "pool": "employee", "prepaid": "1", "score": "92.5"}],
}  # fmt: skip


def _shipped(name: str) -> Callable[[Path], Path]:
    def copy(folder: Path) -> Path:
        return Path(shutil.copy(tables_dir() / name, folder))

    return copy


def _written(text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "file.toml").write_text(text, encoding="utf-8")
        return folder / "file.toml"

    return write


def _of_old(name: str) -> Callable[[Path], Path]:
    def copy(folder: Path) -> Path:
        shutil.copytree(OLD / Path(name).parent, folder, dirs_exist_ok=True)
        return folder / Path(name).name

    return copy


def _catalogue(folder: Path) -> Path:
    shutil.copytree(tables_dir() / "dip" / "dip-taian-2025", folder, dirs_exist_ok=True)
    return folder / "scheme.toml"


FILES: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any], str]] = {
    "scheme": (_of_old("scheme/scheme.toml"), lambda path: store.load_folder(path.parent), "scheme"),
    "catalogue": (_catalogue, lambda path: _load_catalogue(path.parent), "scheme"),
    "policy": (_of_old("policy/lake.toml"), load_policy, "policy"),
    "policy below": (_of_old("policy/frame.toml"), lambda p: load_policy(p.with_name("lake.toml")), "policy"),
    "budget": (_of_old("budget-2025.toml"), read_budget, "budget"),
    "indices": (_shipped("dip/auxiliary/indices.toml"), indices.load, "indices"),
    "coefficients": (_shipped("dip/auxiliary/coefficients-example.toml"), coefficients.load, "coefficients"),
    "watch": (_shipped("watch/common.toml"), lambda p: definitions.load("x", p), "watch"),
    "facts": (_written('area = "lake"\nsource = "x"\n'), lambda p: facts.read_facts(p, "lake"), "watch"),
    "columns": (_written('[fields]\nsex = "性别"\n'), load_map, "columns"),
}


def _load_catalogue(folder: Path) -> Any:
    from grouper.grouping.dip.tables import catalogue

    return catalogue.load(folder)


def _with_format(path: Path, value: str) -> None:
    path.write_text(f"format = {value}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")


@pytest.mark.parametrize("kind", FILES)
def test_a_file_may_say_its_format_and_a_newer_one_is_refused(kind: str, tmp_path: Path) -> None:
    make, read, name = FILES[kind]
    newest = FORMATS[name]
    for value, told in (
        (str(newest), ""),
        (str(newest + 1), f"format {newest + 1} is newer"),
        ('"x"', "'x'"),
    ):
        folder = tmp_path / value.strip('"')
        folder.mkdir()
        path = make(folder)
        read(path)
        _with_format(path, value)
        if not told:
            read(path)
            continue
        with pytest.raises(GrouperError) as caught:
            read(path)
        assert told in caught.value.en and path.name in caught.value.en


def test_a_result_says_its_format_and_that_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    assert provenance.stamped(rows=1)["format"] == FORMATS["provenance"]
    table = pa.table({"a": [1]})
    pq.write_table(
        table.replace_schema_metadata({provenance.PROVENANCE_KEY: '{"format": 9}'}), tmp_path / "p"
    )
    with pytest.raises(DataError, match="provenance format 9 is newer than 2"):
        provenance.read(pq.read_metadata(tmp_path / "p").metadata, "p")
    assert provenance.read(pq.read_metadata(next(OLD.glob("lake/pools/*/*/*/*/*"))).metadata, "p")["table"]


@given(st.fractions() | st.decimals(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_has_one_text_whatever_its_type(number: Fraction | Decimal | int) -> None:
    text = canonical.number_text(number)
    assert Fraction(text) == Fraction(number)
    assert text == canonical.number_text(Fraction(number))
    assert "E" not in text and text != "-0" and not (("." in text) and text.endswith("0"))


def test_the_canonical_text_is_this() -> None:
    told = {
        "b": (1, Decimal("0.850"), Fraction(1, 3), None, True),
        "a": date(2025, 3, 1),
        "字": {"z": "", "y": []},
    }
    text = '{"a":"2025-03-01","b":["1","0.85","1/3",null,true],"字":{"y":[],"z":""}}'
    assert canonical.canonical_text(told) == text
    for wrong in (1.5, {1: 2}, {"a": {3}}, Dated):
        with pytest.raises(TypeError):
            canonical.digest(wrong)


def test_the_names_in_a_digest_are_these_whatever_the_fields_are_called() -> None:
    data = load_policy(OLD / "policy" / "lake.toml").as_data()
    assert sorted(data) == [
        "area", "id", "means", "method", "name", "name_en", "notes", "parameters", "pools", "routes",
        "scheme", "valid_from", "valid_to", "validity_verified", "weights",
    ]  # fmt: skip
    assert sorted(data["weights"]) == ["sha256", "source", "verified"]
    assert sorted(data["routes"][0]) == [
        "article", "en", "method", "name", "reference_group", "source", "verified", "when", "zh",
    ]  # fmt: skip
    assert data["routes"][3]["when"] == [{"admission_type": ["2105"]}, {"los_days": {"above": Decimal(60)}}]
    parameter = data["parameters"]["high_threshold"]
    assert sorted(parameter) == ["by", "values"]
    assert sorted(parameter["values"][0]) == ["article", "from", "source", "to", "value", "verified"]
    assert parameter["values"][0]["value"][0] == {"up_to": Decimal(1), "value": Decimal(3)}
    budget = parse_budget(BUDGET).as_data()
    assert sorted(budget) == ["area", "hospitals", "period", "pools"]
    assert sorted(budget["pools"]["employee"]) == [
        "budget", "carve_outs", "members", "pay_ratio", "point_value", "reserve", "source",
    ]  # fmt: skip
    assert sorted(budget["hospitals"][0]) == [
        "advance", "audit", "deposit", "hospital_code", "pool", "prepaid", "score",
    ]  # fmt: skip


def test_the_digests_of_the_old_policy_are_these() -> None:
    """They stand in ledgers: one that changes makes runs that nobody can compute again."""
    policy = load_policy(OLD / "policy" / "lake.toml")
    assert legacy_digest(policy) == "834361b3190b4d4a777636961b367eb3c32c06ac699c08962ae260c43bcb1f85"
    assert policy.digest == "85cb1060cbdf0861307ad17f508ad52df796c96dd774d0a731662d48afc57351"
    assert (
        read_budget(OLD / "budget-2025.toml").digest
        == "302eadbb1a8166de91abaff2e9135fcd0f1e593e355bd6ec3245ea47815df1b0"
    )


def test_no_digest_is_over_a_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    path = OLD / "policy" / "lake.toml"
    before = load_policy(path)
    told = before.digest, legacy_digest(before), parse_budget(BUDGET).digest
    for kind in (Dated, type(before.parameters["sharing"]), type(parse_budget(BUDGET).pools["employee"])):
        monkeypatch.setattr(kind, "__repr__", lambda self: "renamed")
    again = load_policy(path)
    assert (again.digest, legacy_digest(again), parse_budget(BUDGET).digest) == told


def test_a_digest_changes_with_what_is_said_and_not_with_how(tmp_path: Path) -> None:
    shutil.copytree(OLD / "policy", tmp_path, dirs_exist_ok=True)
    path = tmp_path / "lake.toml"
    text = path.read_text(encoding="utf-8")
    own = load_policy(path).digest

    def digest(before: str, after: str) -> str:
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
        return load_policy(path).digest

    assert digest("[weights]", "# a comment\n[weights]") == own
    assert digest('low_threshold = { value = "0.4"', 'low_threshold = { value = "0.40"') == own
    assert digest('low_threshold = { value = "0.4"', 'low_threshold = { value = "0.41"') != own
    assert digest("above = 60", "above = 61") != own
    assert digest('notes = [\n  "', 'notes = [\n  "!') != own
    assert load_policy(OLD / "policy" / "lake.toml").changed({"point_value": "80"}).digest != own
    (tmp_path / "weights.csv").write_text("drg,weight\n", encoding="utf-8")
    assert digest("", "") != own


def test_the_order_of_entries_counts_only_where_the_first_wins(tmp_path: Path) -> None:
    shutil.copytree(OLD / "policy", tmp_path, dirs_exist_ok=True)
    path = tmp_path / "lake.toml"
    text = path.read_text(encoding="utf-8")

    def digest(entries: str) -> str:
        whole = text.replace('by = ["level"]\nvalue = { "*" = "1" }', f'by = ["level", "pool"]\n{entries}')
        assert whole != text
        path.write_text(whole, encoding="utf-8")
        return load_policy(path).digest

    exact = [digest(f"value = {{ {a}, {b} }}") for a, b in _both('"3/a" = "1"', '"2/a" = "2"')]
    starred = [digest(f"value = {{ {a}, {b} }}") for a, b in _both('"3/*" = "1"', '"*/a" = "2"')]
    assert exact[0] == exact[1] and starred[0] != starred[1]


def _both(a: str, b: str) -> list[tuple[str, str]]:
    return [(a, b), (b, a)]


def test_a_budget_has_one_digest_whatever_the_order_of_its_keys() -> None:
    own = parse_budget(BUDGET).digest
    turned = {**BUDGET, "pools": dict(reversed(BUDGET["pools"].items()))}
    assert parse_budget(dict(reversed(turned.items()))).digest == own
    assert parse_budget({**BUDGET, "period": "2026"}).digest != own
    assert parse_budget({**BUDGET, "hospitals": []}).digest != own


@pytest.mark.parametrize("job", [Job("2025-01", ("a",), "b", "h"), YearJob("2025", "b")])
def test_every_option_of_a_job_stands_in_the_ledger_or_changes_no_result(job: Job | YearJob) -> None:
    without = {"who", "when", "note", "threads", "memory", "shared"}
    for names in job.NAMES.values():
        assert set(names.values()) <= {field.name for field in fields(job)}
    assert set(job.NAMES[FORMATS["lake"]].values()) == {field.name for field in fields(job)} - without
    assert type(job).from_json(replace(job, who="x", note="y").as_json()) == job


def test_an_option_that_a_format_has_not_is_named() -> None:
    with pytest.raises(DataError, match="options_json of the ledger has colour, which format 1 has not"):
        Job.from_json('{"month": "2025-01", "colour": "red"}', 1)
