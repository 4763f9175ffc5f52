"""Weight on admission and at birth are two fields of every layout that has them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from grouper.base.errors import UsageError
from grouper.base.reasons import Flag
from grouper.records import Normaliser, detect_layout
from grouper.records.columns import layout_map

CODES = {"diagnoses": pa.array([["P07.200"]] * 2), "procedures": pa.array([[]] * 2, pa.list_(pa.string()))}


@pytest.mark.parametrize(
    ("layout", "birth", "admission"),
    [
        ("settlement-list", "nwb_bir_wt", "nwb_adm_wt"),
        ("settlement-list", "nwbbirwt", "nwbadmwt"),
        ("settlement-list", "mul_nwb_bir_wt", "mul_nwb_adm_wt"),
        ("hqms", "A18x01", "A17"),
        ("pinyin", "XSECSTZ", "XSERYTZ"),
    ],
)
def test_each_layout_has_both(layout: str, birth: str, admission: str) -> None:
    columns = layout_map(layout, [birth, admission]).fields
    assert columns["birth_weight_g"].columns == (birth,)
    assert columns["admission_weight_g"].columns == (admission,)


def test_a_weight_on_admission_is_read_as_one_at_birth_is() -> None:
    batch = pa.RecordBatch.from_pydict({**CODES, "admission_weight_g": pa.array(["1200克", "1200,1300"])})
    columns = detect_layout(batch.schema.names)
    prepared = Normaliser(columns, ["admission_weight_g"]).prepare(batch)
    assert prepared.batch["admission_weight_g"].to_pylist() == [1200, None]
    assert prepared.counts["admission-weight-several"] == 1
    bad = batch.set_column(2, "admission_weight_g", pa.array(["轻", None]))
    assert Normaliser(columns, ["admission_weight_g"]).prepare(bad).flags.to_pylist() == [
        Flag.BAD_ADMISSION_WEIGHT,
        0,
    ]


def test_a_missing_weight_is_named_and_the_other_does_not_stand_in() -> None:
    newborns = {**CODES, "birth_weight_g": pa.array([1200, 1300]), "age_years": pa.array([0, 0])}
    batch = pa.RecordBatch.from_pydict(newborns)
    reader = Normaliser(detect_layout(batch.schema.names), ["age_years", "admission_weight_g"])
    reader.check(batch.schema)
    with pytest.raises(UsageError) as error:
        reader.prepare(batch)
    assert "admission_weight_g（birth_weight_g 不能代替它）" in error.value.zh
    assert "admission_weight_g (birth_weight_g does not stand in for it)" in error.value.en
