"""The explanation and the kernel are two readings of the same tables and must always agree."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.grouping.drg.explanation import Explanation

from .support import RECORD_COLUMNS, loaded, random_records, table_of, vectors

# Between them: retry rule, QY groups, departments, ICU hours, stay, discharge way, sites, weights at
# birth and on admission, different codes counted, MDCs that end without a group.
SCHEMES = [
    "chs-drg-3.0",
    "chs-drg-2.0",
    "zhejiang-2022",
    "zhejiang-2024",
    "guangxi-2022",
    "liaocheng-2022",
    "changzhou-2022",
    "beijing-2024",
    "hefei-2023",
    "foshan-2022",
    "chs-drg-1.0",
]
# The first four in every run.
EACH = [pytest.param(name, marks=() if n < 4 else pytest.mark.slow) for n, name in enumerate(SCHEMES)]


def lacks_data(explanation: Explanation) -> bool:
    tried = [*explanation.refused, *explanation.groups]
    for step in explanation.mdcs:
        held = {t.code for t in step.adrgs if t.truth is True}
        # An ADRG that another of its variants decides does not lack anything.
        tried += [t for t in step.adrgs if t.code not in held]
    return any(t.truth is None and not t.idle for t in tried)


@pytest.mark.parametrize("name", EACH)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_explanation_and_batch_agree(name: str, seed: int) -> None:
    grouper = loaded(name)
    records = random_records(grouper, random.Random(seed), 25)
    batch = grouper.group(table_of(records)).to_pylist()
    for record, row in zip(records, batch, strict=True):
        explained = grouper.explain(record)
        assert explained.result == {key: row[key] for key in explained.result}


@pytest.mark.parametrize("name", EACH)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_missing_numbers_are_noticed_where_they_decide(name: str, seed: int, data: st.DataObject) -> None:
    grouper = loaded(name)
    records = random_records(grouper, random.Random(seed), 12)
    fields = [f for f in grouper.required if f not in ("diagnoses", "procedures")]
    for record in records:
        for field in data.draw(st.sets(st.sampled_from(fields))):
            record[field] = None
        explained = grouper.explain(record)
        if explained.retried:
            continue  # the walk shown is the last one; what the first one lacked counts as well
        assert (explained.result["status"] == "needs-data") == lacks_data(explained), explained.text("en")


def test_a_missing_sex_is_needed_only_where_it_decides() -> None:
    grouper = loaded("chs-drg-2.0")
    prostate = {"diagnoses": ["N40.x00"], "procedures": [], "age_years": 70}
    assert grouper.explain(prostate).result["reason"] == "missing-sex"
    stroke = {"diagnoses": ["I63.900"], "procedures": [], "age_years": 70}
    assert grouper.explain(stroke).result["status"] == "grouped"


def test_explanation_speaks_both_languages() -> None:
    grouper = loaded("chs-drg-2.0")
    record = vectors("chs-drg-2.0").select(RECORD_COLUMNS).slice(0, 1).to_pylist()[0]
    explained = grouper.explain(record)
    chinese, english = explained.text("zh"), explained.text("en")
    assert explained.result["drg"] in chinese and explained.result["drg"] in english
    assert "主要诊断" in chinese and "principal diagnosis" in english
    plain = explained.as_dict()
    assert plain["result"]["drg"] == explained.result["drg"]
    assert isinstance(plain["mdcs"][0]["mdc"]["condition"], str)


def test_near_miss_names_the_procedure_that_should_come_first() -> None:
    """An appendectomy behind a harmless main procedure: the group is one swap away."""
    grouper = loaded("chs-drg-2.0")
    wrong = {"diagnoses": ["K35.300"], "procedures": ["88.7600", "47.0100"], "sex": 1, "age_years": 30}
    right = {**wrong, "procedures": ["47.0100", "88.7600"]}
    adrg = grouper.explain(right).result["adrg"]
    near = {miss.code: miss.instead for miss in grouper.explain(wrong).near}
    assert near.get(adrg) == "47.0100"


def test_excluded_complication_is_named_with_its_table() -> None:
    grouper = loaded("chs-drg-2.0")
    scheme = grouper.compiled.scheme
    code, (_, table) = next(
        (c, v) for c, v in sorted(scheme.complications.items()) if scheme.exclusions.get(v[1])
    )
    principal = min(scheme.exclusions[table] - {code})
    explained = grouper.explain({"diagnoses": [principal, code], "procedures": [], "sex": 1, "age_years": 50})
    hit = next(h for h in explained.severity if h.code == code)
    assert hit.excluded and hit.table == table
    assert explained.result["complication"] == "none"
    assert f"第 {table} 号排除表" in explained.text("zh")


def test_retry_rule_groups_by_another_procedure() -> None:
    grouper = loaded("zhejiang-2022")
    record = {"diagnoses": ["C34.000"], "procedures": ["38.4500x009", "32.0902"], "sex": 1, "age_years": 40}
    explained = grouper.explain(record)
    assert explained.retried == ["32.0902"] and explained.result["adrg"] == "ED1"
    assert "逐一改用其他手术操作" in explained.text("zh")
    assert "32.0902" in explained.summary("zh").splitlines()[1]
    alone = grouper.explain({**record, "procedures": ["38.4500x009"]})
    assert alone.result["drg"] == "0000" and not alone.retried


def test_invalid_records_get_a_reason_instead_of_a_group() -> None:
    grouper = loaded("chs-drg-2.0")
    result = grouper.explain({"diagnoses": ["", "I10.x00"], "procedures": []}).result
    assert result["status"] == "invalid" and result["reason"] == "no-principal-diagnosis"
    assert result["drg"] is None
    result = grouper.explain({"diagnoses": ["I63.900"], "procedures": ["6.31"], "age_years": 60}).result
    assert result["reason"] == "lost-zero"
    assert isinstance(
        grouper.group(
            pa.table(
                {
                    "diagnoses": [["-"]],
                    "procedures": [[]],
                    "sex": [1],
                    "age_years": [3],
                    "age_days": [None],
                    "birth_weight_g": [None],
                }
            )
        ),
        pa.Table,
    )
