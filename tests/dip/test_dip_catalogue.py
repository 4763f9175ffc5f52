"""Catalogues: the shipped ones, overlays, profiles, and errors that name file, line and column."""

from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from grouper.base.errors import TableError, UsageError
from grouper.codes import icd
from grouper.codes.book import CodeOptions
from grouper.grouping.dip import facts
from grouper.grouping.dip.compile import compile_catalogue
from grouper.grouping.dip.options import DEFAULTS, options_from
from grouper.grouping.dip.tables.catalogue import FILES, load, read_rows, scheme_folders
from grouper.grouping.tables.folders import digest

from .dip_support import FEATURES, catalogue, engine_of

HEADER = "code,kind,dx,procedures,related,treatment,aux,score,average_cost,packet,name\n"


def folder(tmp_path: Path, rows: str, options: str = "") -> Path:
    (tmp_path / "catalogue.csv").write_text(HEADER + rows, encoding="utf-8")
    (tmp_path / "scheme.toml").write_text(
        f'id = "mine"\nname = "mine"\narea = "here"\n[options]\n{options}', encoding="utf-8"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        (",core,K35.8,,,,,1,,,n\n", "code"),
        ("a,other,K35.8,,,,,1,,,n\n", "kind"),
        ("a,core,K35,,,,,1,,,n\n", "dx"),
        ("a,mixed,K35.8,,,surgical,,1,,,n\n", "dx"),
        ("a,core,K35.8,47.01++,,,,1,,,n\n", "procedures"),
        ("a,core,K35.8,47.01_54.51,,,,1,,,n\n", "procedures"),
        ("a,core,K35.8,,47.01,,,1,,,n\n", "related"),
        ("a,mixed,K35,,,surgery,,1,,,n\n", "treatment"),
        ("a,core,K35.8,,,surgical,,1,,,n\n", "treatment"),
        ("a,core,K35.8,,,,severity:6,1,,,n\n", "aux"),
        ("a,core,K35.8,,,,,one,,,n\n", "score"),
        ("a,core,K35.8,,,,,1.1234567,,,n\n", "score"),
        ("a,core,K35.8,,,,,1,x,,n\n", "average_cost"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, rows: str, column: str) -> None:
    with pytest.raises(TableError, match=rf"catalogue\.csv, line 3, column {column}:") as error:
        load(folder(tmp_path, "ok,core,A00.0,,,,,1,,,n\n" + rows))
    assert f"第 3 行列 {column}" in error.value.zh


def test_rows_that_contradict(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="a stands twice"):
        load(folder(tmp_path, "a,core,K35.8,,,,,1,,,n\na,core,K35.9,,,,,1,,,n\n"))
    with pytest.raises(TableError, match="packet P differ"):
        load(folder(tmp_path, "a,core,K35.8,,,,,1,,P,n\nb,core,K35.9,,,,,1,,P,n\n"))
    with pytest.raises(TableError, match="repeat a class"):
        load(folder(tmp_path, "a,core,K35.8,,,,age:1,1,,P,n\nb,core,K35.8,,,,age:1,1,,P,n\n"))


def test_a_missing_column_and_a_ragged_line(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("code,kind,dx\n", encoding="utf-8")
    with pytest.raises(TableError, match="the column procedures is missing"):
        read_rows(path)
    path.write_text(HEADER + "a,core\n", encoding="utf-8")
    with pytest.raises(TableError, match="row 2"):
        read_rows(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('colour = "red"', "no option colour"),
        ('repeats = "often"', "cannot be 'often'; it takes multiset, set"),
        ('tie_breaks = ["luck"]', "tie_breaks"),
        ('tie_breaks = ["exact", "exact"]', "tie_breaks"),
        ("severity_min_stay = true", "severity_min_stay"),
        ("severity_min_stay = -1", "severity_min_stay"),
        ('blank_code = "ZZ"', "has no row ZZ"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load(folder(tmp_path, "a,core,K35.8,,,,,1,,,n\n", options))


def test_an_overlay_adds_rows_and_options_to_its_base() -> None:
    base, more = catalogue("dip-pingdingshan-2025"), catalogue("dip-pingdingshan-2025-extended")
    assert more.rows[: len(base.rows)] == base.rows
    assert (len(more.rows), len(more.ranges)) == (len(base.rows) + 92, 88)
    assert base.blank is None
    assert more.blank is not None
    assert more.blank.score == Decimal("1485.354916")
    assert more.options == options_from({"blank_code": "KBBZ"}, "")
    assert more.digest not in (base.digest, digest(scheme_folders()[more.id], FILES))


def test_options_of_the_cities() -> None:
    assert catalogue("dip-pingdingshan-2025").options == DEFAULTS
    taian = catalogue("dip-taian-2025").options
    changed = {name for name, value in taian.as_dict().items() if value != DEFAULTS.as_dict()[name]}
    assert changed == {"mixed_class_from", "tie_breaks", "auxiliary"}
    for name in scheme_folders():
        assert load(name).meta["validity_verified"] is False


def test_profiles_of_a_folder() -> None:
    assert load(FEATURES, profile="demo-b").id == "demo-b"
    with pytest.raises(UsageError, match="choose with --profile: demo-a, demo-b, demo-c"):
        load(FEATURES)
    with pytest.raises(UsageError, match="demo-a"):
        load(FEATURES, profile="demo-z")
    with pytest.raises(UsageError, match="does not apply"):
        load("dip-taian-2025", profile="demo-a")


def test_extra_groups_and_profiles_by_path(tmp_path: Path) -> None:
    shutil.copy(FEATURES / "catalogue.csv", tmp_path)
    (tmp_path / "extra_groups.csv").write_text(HEADER + "X99:SS,mixed,X99,,,surgical,,5,,,n\n")
    for wanted in (False, True):
        profiles = {"only": {"options": {"extra_groups": wanted}}}
        (tmp_path / "profiles.json").write_text(json.dumps(profiles))
        assert (("X99", 3) in load(tmp_path).mixed) is wanted
    (tmp_path / "profiles.json").write_text("[]")
    with pytest.raises(TableError, match="object of option sets"):
        load(tmp_path)


def test_unknown_names_and_dates() -> None:
    with pytest.raises(UsageError, match="dip-taian-2025"):
        load("dip-nowhere")
    assert load("dip-taian-2025", date(2025, 7, 1)).id == "dip-taian-2025"
    with pytest.raises(UsageError, match="does not apply on 2024-12-31"):
        load("dip-taian-2025", date(2024, 12, 31))


def test_every_code_of_the_shipped_catalogues_is_official_but_for_the_noted_ones() -> None:
    known = {code.upper() for code in icd.procedures()}
    odd = {
        code
        for name in scheme_folders()
        for packets in catalogue(name).operative.values()
        for packet in packets
        for term in (*packet.main, *packet.related)
        for code in term
        if code.upper() not in known
    }
    assert odd == {"32.2800x008", "01.3901"}
    keys = {code[:5].upper() for code in icd.diagnoses()}
    for name in scheme_folders():
        assert {*catalogue(name).operative, *catalogue(name).conservative} <= keys


def test_the_columns_that_options_read() -> None:
    found = {
        name: compile_catalogue(catalogue(name)).fields for name in ("demo-b", "demo-c", "dip-taian-2025")
    }
    assert found["demo-b"] == ()
    assert found["demo-c"] == ("total_cost",)
    assert found["dip-taian-2025"] == ("age_years", "age_days", "los_days", "discharge_way", "icu_hours")


def test_charlson_prefixes_do_not_overlap() -> None:
    prefixes = [prefix for condition in facts.charlson() for prefix in condition.prefixes]
    assert len(prefixes) == len(set(prefixes))
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and b.startswith(a)]
    assert len(facts.charlson()) == 17
    names = {condition.name for condition in facts.charlson()}
    assert {c.suppressed_by for c in facts.charlson()} - {""} <= names


def test_severity_lists_are_those_of_the_drg_scheme() -> None:
    assert len(facts.complications()) == 12486
    assert sum(map(len, facts.exclusions().values())) == 27143
    assert facts.complications()["J96.000"] == ("MCC", "104")


def test_clinical_codes_are_converted_when_asked() -> None:
    pairs, still = icd.crosswalk("diagnosis"), catalogue("dip-pingdingshan-2025").conservative
    clinical = next(
        code
        for code, target in pairs.items()
        if code not in icd.diagnoses() and target[:5] != code[:5] and target[:5].upper() in still
    )
    batch = pa.RecordBatch.from_pydict(
        {"diagnoses": pa.array([[clinical]]), "procedures": pa.array([[]], pa.list_(pa.string()))}
    )
    codes = {
        clinical_: engine_of(catalogue("dip-pingdingshan-2025"), CodeOptions(clinical=clinical_))
        .group(batch)
        .columns[0]
        .to_pylist()[0]
        for clinical_ in (False, True)
    }
    assert codes[True].upper().startswith(pairs[clinical][:5].upper())
    assert codes[True] != codes[False]
