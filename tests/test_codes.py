"""From the text in a file to a code: what is folded, what is refused, what needs a flag."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import grouper
from grouper._fast import codes as kernel
from grouper.codes import icd
from grouper.codes.book import BLANK_TEXTS, ISSUES, CodeBook, CodeOptions

from .support import loaded

DIAGNOSES = ["A01.002+G01*", "A38.x00x002+I41.0*", "I10.x00", "I10.x00x002", "I63.900", "S10.801"]
PROCEDURES = ["00.5500", "06.3100", "04.4300", "45.2300", "88.7600", "99.2503"]
CROSSWALK = {"I10.x00x999": "I10.x00", "I63.900": "S10.801", "Z99.999": ""}


def diagnosis(clinical: bool = False, repair: bool = False) -> CodeBook:
    return CodeBook("diagnosis", DIAGNOSES, CROSSWALK, CodeOptions(clinical, repair))


def procedure(repair: bool = False) -> CodeBook:
    return CodeBook("procedure", PROCEDURES, {}, CodeOptions(repair=repair))


@pytest.mark.parametrize(
    ("text", "code", "issue"),
    [
        ("I10.x00", "I10.x00", ""),
        ("i10.X00", "I10.x00", "notation"),
        (" I10.x00\t", "I10.x00", "notation"),
        ("I10. x00", "I10.x00", "notation"),
        ("Ｉ１０．ｘ００", "I10.x00", "notation"),
        ("A38.x00x002†I41.0*", "A38.x00x002+I41.0*", "dagger"),
        ("I41.0*+A38.x00x002", "A38.x00x002+I41.0*", "dagger"),
        ("A38.x00x002+I41.0", "A38.x00x002+I41.0*", "dagger"),
        ("I10.x00+", "I10.x00", "dagger"),
        ("I10.x00*", "I10.x00", "dagger"),
        ("-", "", "blank"),
        ("null", "", "blank"),
        ("　", "", "blank"),
        ("I99.999", "I99.999", "unknown"),
        ("I10.x00x999", "I10.x00x999", "clinical"),
        ("I10.x00+G99.8*", "I10.x00+G99.8*", "unknown"),
    ],
)
def test_diagnosis_texts(text: str, code: str, issue: str) -> None:
    found = diagnosis().resolve(text)
    assert (found.code, found.issue) == (code, issue)
    assert (found.id > 0) == (code in DIAGNOSES)


def test_half_a_pair_needs_the_repair_flag() -> None:
    assert diagnosis().resolve("I10.x00+G99.8*").id == 0
    found = diagnosis(repair=True).resolve("I10.x00+G99.8*")
    assert (found.code, found.issue) == ("I10.x00", "dagger-split")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("6.31", "06.3100"),
        ("4.43", "04.4300"),
        (".55", None),
        ("0.55", "00.5500"),
        ("45.23", "45.2300"),
        ("7.1", None),
    ],
)
def test_lost_zeros_are_refused_until_the_flag_accepts_the_repair(text: str, code: str | None) -> None:
    refused, repaired = procedure().resolve(text), procedure(repair=True).resolve(text)
    if code is None:
        assert refused.issue == repaired.issue == "unknown"
    else:
        assert (refused.id, refused.issue) == (kernel.LOST_ZERO, "lost-zero")
        assert (repaired.code, repaired.issue) == (code, "zero-repaired")


def test_the_edition_decides_what_a_code_means() -> None:
    """I63.900 is a code of both editions here and means another thing in each."""
    assert diagnosis().resolve("I63.900").code == "I63.900"
    assert diagnosis(clinical=True).resolve("I63.900")[1:] == ("S10.801", "crosswalk")
    assert diagnosis(clinical=True).resolve("i10.x00x999")[1:] == ("I10.x00", "crosswalk")
    assert diagnosis(clinical=True).resolve("Z99.999")[1:] == ("", "unmapped")
    assert diagnosis(clinical=True).resolve("I10.x00x002").code == "I10.x00x002"


def test_what_was_done_is_counted_by_value() -> None:
    counts: Counter[str] = Counter()
    column = pa.array(["I10.x00", "i10.x00", "i10.x00", "-", "nothing", None, ""])
    plain = list(diagnosis().ids(column, counts))
    assert counts == {"diagnosis:notation": 2, "diagnosis:blank": 1, "diagnosis:unknown": 1}
    again: Counter[str] = Counter()
    assert list(diagnosis().ids(column.dictionary_encode(), again)) == plain
    assert again == counts
    assert all(key.split(":")[1] in ISSUES for key in counts)


@given(
    st.sampled_from(DIAGNOSES),
    st.sampled_from([str, str.upper, str.lower]),
    st.sampled_from(["", " ", "\t", "　"]),
)
def test_spelling_never_changes_the_code(code: str, case, blank: str) -> None:
    assert diagnosis().resolve(blank + case(code) + blank).code == code


@given(st.text(max_size=12))
def test_any_text_gets_an_answer(text: str) -> None:
    found = diagnosis(repair=True).resolve(text)
    assert found.id >= 0 or "".join(text.split()).upper() in BLANK_TEXTS or not found.code


def test_every_official_code_finds_itself() -> None:
    drg = loaded("chs-drg-2.0")
    for book, codes in ((drg.engine.diagnoses, icd.diagnoses()), (drg.engine.procedures, icd.procedures())):
        column = pa.array(list(codes))
        ids = book.ids(column, Counter())
        assert [book.codes[i - 1] for i in ids] == list(codes)


def test_procedures_may_be_missing_only_when_allowed() -> None:
    record = {
        "diagnoses": [["I63.900"]],
        "sex": [1],
        "age_years": [70],
        "age_days": [None],
        "birth_weight_g": [None],
    }
    with pytest.raises(grouper.UsageError, match="procedures"):
        loaded("chs-drg-2.0").group(pa.table(record))
    allowed = grouper.load_scheme("chs-drg-2.0", allow_missing=["procedures"]).group(pa.table(record))
    with_none = loaded("chs-drg-2.0").group(
        pa.table({**record, "procedures": pa.array([[]], pa.list_(pa.string()))})
    )
    assert allowed["drg"].to_pylist() == with_none["drg"].to_pylist() != [None]


@pytest.mark.parametrize("name", ["checks", "codes", "dip", "dip_packets", "dip_tables", "drg", "drg_tables"])
def test_the_stub_says_what_the_module_has(name: str) -> None:
    module = importlib.import_module(f"grouper._fast.{name}")
    source = Path(module.__file__).with_name(f"{name}.pyi").read_text()
    tree = ast.parse(source)
    stubs = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    stubs |= {n.target.id: n for n in tree.body if isinstance(n, ast.AnnAssign)}
    here = {
        n
        for n, v in vars(module).items()
        if not n.startswith("_") and getattr(v, "__module__", module.__name__) == module.__name__
    }
    assert set(stubs) == {n for n in here if not inspect.ismodule(getattr(module, n))}
    for function, node in stubs.items():
        if isinstance(node, ast.FunctionDef):
            try:
                parameters = list(inspect.signature(getattr(module, function)).parameters)
            except (TypeError, ValueError):
                continue  # a function compiled for several types has no signature of its own
            assert parameters == [a.arg for a in node.args.args], function


def test_a_blank_in_one_row_and_a_lost_zero_in_another_keep_apart() -> None:
    """A blank is taken out of its row even where the batch holds refused codes."""
    offsets, ids = procedure().row_ids(pa.array([["45.2300", "-"], ["6.31"], []]), Counter())
    assert list(offsets) == [0, 1, 2, 2]
    assert [procedure().codes[ids[0] - 1], ids[1]] == ["45.2300", kernel.LOST_ZERO]
    records = {"diagnoses": [["I63.900"]] * 2, "procedures": [["88.7600", "-"], ["6.31"]], "sex": [1, 1]}
    rest = {"age_years": [70, 70], "age_days": [None, None], "birth_weight_g": [None, None]}
    reasons = loaded("chs-drg-2.0").group(pa.table({**records, **rest}))["reason"].to_pylist()
    assert reasons == ["grouped", "lost-zero"]
