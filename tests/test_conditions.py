"""The condition language: one tree from two notations, and errors that point at the place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.grouping.drg.conditions import (
    NUMBERS,
    OPERATORS,
    SUBJECTS,
    Compare,
    Condition,
    ConditionError,
    Const,
    Count,
    Department,
    Discharge,
    In,
    NoProcedure,
    Severity,
    conjunction,
    disjunction,
    negation,
    parse,
    to_text,
    to_workbook,
)

# (as it stands in the tables, as the official 3.0 workbook writes it)
BOTH = [
    ("principal_dx in A.dx", "ZYZD in A.dx"),
    ("any_dx in A.dx", "{ZYZD, QTZD} in A.dx"),
    ("any_proc in OP_1", "{QTSS,ZYSS} in OP_1"),
    ("principal_proc in OP_1 or principal_proc in OP_2", "ZYSS in {OP_1, OP_2}"),
    ("other_proc not in OP_1", "QTSS not in OP_1"),
    ("mcc or cc", "QTZD in {MCC, CC}"),
    ("cc", "QTZD in CC"),
    ("count(any_proc in OP_1) >= 2", "length(OP_1 ∩ {ZYSS, QTSS}) >= 2"),
    ("age < 17", "NL<17"),
    ("age_days >= 29 and age_days < 366", "29≤XSRTL<366"),
    ("weight < 1500 and age_days <= 28", "XSRTZ ＜ 1500 AND\n XSRTL <= 28_x000D_"),
    ("sex = 2", "XB==2"),
    ("not age = 0", "NL != 0"),
    ("true", ""),
    (
        "principal_proc in OP1 and any_proc in OP2 or principal_proc in OP2 and any_proc in OP1",
        "(ZYSS in OP1 and {ZYSS,QTSS} in OP2) OR (ZYSS in OP2 and {ZYSS,QTSS} in OP1)",
    ),
]


@pytest.mark.parametrize(("plain", "official"), BOTH)
def test_both_notations_give_the_same_tree(plain: str, official: str) -> None:
    assert parse(plain) == parse(official)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("no_proc", NoProcedure()),
        ("no_proc in VALID", negation(In("any_proc", "VALID"))),
        ("discharge in (2,5)", Discharge((2, 5))),
        ("dept = 'ICU'", Department("ICU")),
        ("injured_sites >= 2", Compare("injured_sites", ">=", 2)),
        ("mcc and cc or true", Const(True)),
        (
            "mcc and (cc or age > 14)",
            conjunction(Severity("mcc"), disjunction(Severity("cc"), Compare("age", ">", 14))),
        ),
    ],
)
def test_atoms(text: str, tree: Condition) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("principal_dx in", "character 16"),
        ("principal_dx is A", "character 14"),
        ("age < seventeen", "character 7"),
        ("mcc cc", "character 5"),
        ("(mcc or cc", "character 11"),
        ("colour in A", "character 1"),
        ("{ZYZD, ZYSS} in A", "cannot be joined"),
        ("age < 17 §", "character 9"),
        ("dept < 'ICU'", "only be compared"),
    ],
)
def test_errors_name_the_place(text: str, place: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse(text)
    assert place in error.value.en
    assert text in error.value.zh


names = st.sampled_from(["A.dx", "B1.proc", "VALID", "MDCZ.site.1"])
atoms = st.one_of(
    st.builds(In, st.sampled_from(SUBJECTS), names),
    st.builds(Count, st.sampled_from(SUBJECTS), names, st.sampled_from(OPERATORS), st.integers(0, 9)),
    st.builds(Compare, st.sampled_from(NUMBERS), st.sampled_from(OPERATORS), st.integers(0, 5000)),
    st.builds(Severity, st.sampled_from(["mcc", "cc"])),
    st.builds(NoProcedure),
    st.builds(Department, st.sampled_from(["ICU", "0302", "重症医学科"])),
    st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple).map(Discharge),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda items: conjunction(*items)),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: disjunction(*items)),
        inner.map(negation),
    ),
    max_leaves=8,
)


@given(conditions)
def test_printing_and_parsing_give_the_tree_back(tree: Condition) -> None:
    assert parse(to_text(tree)) == tree
    assert parse(to_workbook(tree)) == tree
