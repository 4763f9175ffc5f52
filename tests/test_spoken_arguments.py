"""Errors speak of arguments where Python calls, and of options on the command line."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import grouper
from grouper.base.errors import UsageError, as_arguments

from .in_process import call
from .support import RECORD_COLUMNS, loaded, vectors


def test_a_missing_column_is_mended_by_an_argument_or_by_an_option(tmp_path: Path) -> None:
    table = vectors("chs-drg-2.0").select(RECORD_COLUMNS).slice(0, 5).drop_columns(["sex"])
    with pytest.raises(UsageError) as caught:
        loaded("chs-drg-2.0").group(table)
    assert 'allow_missing=["sex"]' in str(caught.value) and "--" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    mended = grouper.load_scheme("chs-drg-2.0", allow_missing=["sex"]).group(table)
    assert mended.num_rows == table.num_rows
    (tmp_path / "in.csv").write_text("record_id,age_years,diagnoses\n1,60,J18.900\n", encoding="utf-8")
    code, _, err = call(
        "group", str(tmp_path / "in.csv"), "-o", str(tmp_path / "o.csv"), "--scheme", "chs-drg-2.0"
    )
    assert code == 1 and "--allow-missing sex" in err.decode() and "allow_missing" not in err.decode()


@pytest.mark.parametrize(
    ("option", "argument"),
    [
        (
            "go on by --allow-missing sex --allow-missing los_days.",
            'go on by allow_missing=["sex", "los_days"].',
        ),
        ("with --prefix, such as --prefix new_", 'with prefix=, such as prefix="new_"'),
        ("with --columns map.toml (x)", 'with columns=grouper.records.load_map("map.toml") (x)'),
        ("--as-of names one day", "as_of= names one day"),
        ("grouper settle --inputs", "grouper settle --inputs"),
        ("--columns-of", "--columns-of"),
    ],
)
def test_options_become_arguments(option: str, argument: str) -> None:
    assert as_arguments(option) == argument
