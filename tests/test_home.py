"""Objects of the package in a notebook and in other processes: one line each, completed, pickled."""

from __future__ import annotations

import importlib
import pickle
import pydoc
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import grouper
from grouper import checks, coefficients, payment
from grouper.base.errors import DataError, GrouperError, UsageError
from grouper.base.shown import WIDEST
from grouper.lake.ledger import BrokenLedger
from grouper.payment.price.pricing import Priced
from grouper.records import NormaliseOptions, Sample, detect_layout

from .payment.pay_support import case, write_cases, write_policy
from .support import RECORD_COLUMNS, loaded, vectors

PACKAGES = ("grouper", "grouper.payment", "grouper.records", "grouper.checks", "grouper.coefficients")
RECORD = {
    "sex": 1, "age_years": 60, "diagnoses": ["J18.900"], "procedures": [], "los_days": 3, "discharge_way": 1,
}  # fmt: skip
# Public classes that hold an open source or a table of words, and no result that anybody prints.
NO_RESULTS = {"Normaliser", "Prepared", "RecordSource", "WordReader", "Missing", "Source", "OpenLake"}


def small() -> pa.Table:
    return vectors("chs-drg-2.0").select(RECORD_COLUMNS).slice(0, 200)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """One object of every public class, each with all that it can have."""
    folder = tmp_path_factory.mktemp("home")
    drg, policy, grouped = loaded("chs-drg-2.0"), write_policy(folder), write_cases(folder)
    paid = payment.pay(
        str(grouped), str(policy), str(folder / "paid.parquet"), what_if={"base_rate": "11000"}
    )
    (folder / "in.csv").write_text("record_id,sex,age_years,diagnoses\n1,1,60,J18.900\n", encoding="utf-8")
    answer = grouper.case(RECORD, "chs-drg-2.0", str(policy))
    found = checks.checked(RECORD | {"diagnoses": ["J18.900", "J18.900"]}, drg)
    options = grouper.Options(
        codes="clinical", allow_missing=("sex", "birth_weight_g"), stay="nights", lang="en"
    )
    missing = ("procedures", *drg.required)
    return [
        drg, loaded("dip-taian-2025"), drg.engine.scheme, loaded("dip-taian-2025").engine.scheme,
        drg.bind(small().schema), grouper.Options(), options, answer, drg.explain(RECORD),
        grouper.group_files(
            grouper.load_scheme("chs-drg-2.0", allow_missing=missing), [folder / "in.csv"], folder / "o.csv"
        ),
        payment.find_policy(str(policy)), paid, paid.priced,
        payment.explain_case(payment.find_policy(str(policy)), case("a", "15000.00", group="GE19")),
        found, checks.Finding("x", 1, "error", "很长" * 99, "", (), (), None, None, None, None, (), True),
        checks.load_rules(), checks.load_rules().rules[0], checks.CheckSummary("chs-drg-2.0", "", ["a"], "b"),
        coefficients.load("coefficients-example"), detect_layout(small().schema.names), NormaliseOptions(),
        Sample(["a"]),
    ]  # fmt: skip


def test_every_public_object_is_one_line(made: list[Any]) -> None:
    public = {
        name
        for package in map(importlib.import_module, PACKAGES)
        for name in package.__all__
        if isinstance(value := getattr(package, name), type) and not issubclass(value, GrouperError)
    }
    assert public - NO_RESULTS <= {type(each).__name__ for each in made}
    for each in made:
        assert len(repr(each)) <= WIDEST and "\n" not in repr(each), repr(each)
    assert repr(made[0]) == "<Grouper chs-drg-2.0: 634 DRG, insurance codes>"
    assert made[0]._repr_html_() == "<code>&lt;Grouper chs-drg-2.0: 634 DRG, insurance codes&gt;</code>"
    assert repr(grouper.Options(codes="clinical")) == "Options(codes='clinical')"


def test_every_public_object_goes_to_another_process(made: list[Any]) -> None:
    for each in made:
        again = pickle.loads(pickle.dumps(each))
        assert type(again) is type(each) and repr(again) == repr(each)
    drg = made[0]
    bound = pickle.loads(pickle.dumps(drg.bind(small().schema)))
    batch = small().combine_chunks().to_batches()[0]
    assert bound.group(batch).equals(drg.bind(small().schema).group(batch))
    paid = next(each for each in made if isinstance(each, payment.Paid))
    assert pickle.loads(pickle.dumps(paid)).hospitals.equals(paid.hospitals)
    assert isinstance(pickle.loads(pickle.dumps(paid.priced)), Priced)


@pytest.mark.parametrize("kind", [UsageError, DataError, BrokenLedger])
def test_errors_keep_both_texts_on_their_way(kind: type[GrouperError]) -> None:
    again = pickle.loads(pickle.dumps(kind(zh="缺少列 sex", en="lacks sex")))
    assert type(again) is kind and (again.zh, again.en, str(again)) == (
        "缺少列 sex",
        "lacks sex",
        "lacks sex",
    )


@pytest.mark.parametrize("name", PACKAGES)
def test_completion_and_help_show_the_public_names(name: str) -> None:
    package = importlib.import_module(name)
    assert set(package.__all__) <= set(dir(package))
    assert not {"annotations", "Any", "TYPE_CHECKING", "lazy"} & set(dir(package))
    page = pydoc.plain(pydoc.render_doc(package))
    assert not [n for n in package.__all__ if n not in page and n != "__version__"]


def test_plain_texts_are_the_same_texts(tmp_path: Path) -> None:
    batch = small().combine_chunks().to_batches()[0]
    usual = loaded("chs-drg-2.0").bind(batch.schema).group(batch)
    plain = grouper.load_scheme("chs-drg-2.0", plain=True).bind(batch.schema)
    assert not any(pa.types.is_dictionary(f.type) for f in plain.schema)
    assert any(pa.types.is_dictionary(f.type) for f in usual.schema)
    assert plain.group(batch).to_pylist() == usual.to_pylist()
    assert plain.group(batch).schema == plain.schema
    grouper.group_files(plain.grouper, [_written(tmp_path)], tmp_path / "plain.parquet")
    grouper.group_files(loaded("chs-drg-2.0"), [_written(tmp_path)], tmp_path / "usual.parquet")
    assert pq.read_table(tmp_path / "plain.parquet").equals(pq.read_table(tmp_path / "usual.parquet"))


def _written(folder: Path) -> str:
    pq.write_table(small(), folder / "in.parquet")
    return str(folder / "in.parquet")


def test_a_bound_grouper_finds_the_layout_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from grouper.grouping import api

    calls: list[pa.Schema] = []
    layout = api._layout
    monkeypatch.setattr(api, "_layout", lambda schema: (calls.append(schema), layout(schema))[1])
    batches = small().combine_chunks().to_batches(max_chunksize=10)
    drg = loaded("chs-drg-2.0")
    tied = drg.bind(small().schema)
    one = pa.Table.from_batches([tied.group(batch) for batch in batches])
    assert len(calls) == 1
    assert one.to_pylist() == pa.Table.from_batches(list(drg.group_batches(batches))).to_pylist()
    assert len(calls) == 2 and one.to_pylist() == drg.group(small()).to_pylist()


def test_a_relation_stays_on_its_connection() -> None:
    with duckdb.connect() as connection:
        records = small()
        relation = connection.from_arrow(records)
        connection.execute("CREATE TABLE names AS SELECT 'x' AS record_id")
        grouped = loaded("chs-drg-2.0").group(relation)
        assert connection.sql(
            "SELECT count(*) FROM grouped LEFT JOIN names USING (record_id)"
        ).fetchall() == [(200,)]
        assert grouped.columns == [*records.column_names, *loaded("chs-drg-2.0").result_names]


def test_a_frame_of_pandas_keeps_its_index_and_its_columns() -> None:
    frame = small().to_pandas().set_index(pandas.Index(range(1000, 1200)))
    grouped = loaded("chs-drg-2.0").group(frame)
    assert list(grouped.index) == list(frame.index)
    assert list(grouped.columns) == [*frame.columns, *loaded("chs-drg-2.0").result_names]
    assert list(grouped["drg"]) == loaded("chs-drg-2.0").group(small())["drg"].to_pylist()


def test_two_columns_of_one_name_are_refused() -> None:
    drg, records = loaded("chs-drg-2.0"), small()
    doubled = pa.table([*records.columns, records["sex"]], [*records.column_names, "sex"])
    frame = records.to_pandas()
    for data in (doubled, pandas.concat([frame, frame[["sex"]]], axis=1)):
        with pytest.raises(UsageError, match="two columns called sex"):
            drg.group(data)


def test_what_has_no_columns_is_refused_in_words() -> None:
    drg = loaded("chs-drg-2.0")
    struct = polars.from_arrow(small()).to_struct("all")
    for data in (struct, polars.Series([1]), pandas.Series([1]), pa.chunked_array([[1]])):
        with pytest.raises(DataError, match="is no dataframe"):
            drg.group(data)
    for data in ([{"sex": 1}], {"sex": [1]}, "in.parquet"):
        with pytest.raises(DataError, match="dataframe"):
            drg.group(data)
