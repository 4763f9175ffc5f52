"""What follows from a condition: certain conclusions, checked by evaluating records."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.grouping.drg.conditions import (
    SUBJECTS,
    Compare,
    Condition,
    Count,
    Discharge,
    In,
    NoProcedure,
    Severity,
    conjunction,
    disjunction,
    negation,
    parse,
)
from grouper.grouping.drg.evaluate import Case, Evaluator
from grouper.grouping.drg.tables.logic import MOST_CLAUSES, clauses, facts_of, implies
from grouper.grouping.drg.tables.model import Scheme

LISTS = {
    "D1": frozenset({"a"}),
    "D12": frozenset({"a", "b"}),
    "D3": frozenset({"c"}),
    "P1": frozenset({"1"}),
    "P12": frozenset({"1", "2"}),
    "P3": frozenset({"3"}),
}
SCHEME = Scheme("x", "x", {"area": "x"}, (), (), {}, LISTS, {"b": (frozenset({"MCC"}), "1")}, {})

FOLLOWS = [
    ("principal_dx in D1", "any_dx in D12"),
    ("other_dx in D1", "any_dx in D1"),
    ("principal_dx in D1 and age < 7", "age < 17"),
    ("age = 3", "age <= 3"),
    ("age >= 7 and age < 8", "age > 6"),
    ("principal_dx in D1", "principal_dx not in D3"),
    ("principal_proc in P1", "not no_proc"),
    ("no_proc", "no_proc in P1"),
    ("any_proc not in P12", "principal_proc not in P1"),
    ("count(any_proc in P1) >= 2", "any_proc in P12"),
    ("principal_proc in P1", "count(any_proc in P12) >= 1"),
    ("count(any_proc in P1) > 2", "count(any_proc in P12) >= 3"),
    ("discharge in (2)", "discharge in (2,5)"),
    ("mcc or principal_dx in D1", "principal_dx in D12 or mcc"),
    ("principal_dx in D12 and principal_dx not in D1", "principal_dx not in D1"),
    ("mcc", "true"),
]
DOES_NOT = [
    ("any_dx in D1", "principal_dx in D1"),
    ("principal_dx in D12", "principal_dx in D1"),
    ("mcc", "cc"),
    ("age < 17", "age < 7"),
    ("not (age < 17)", "age >= 17"),  # the age may be missing
    ("any_proc in P1", "other_proc in P1"),
    ("any_proc in P12", "count(any_proc in P12) >= 2"),
    ("no_proc", "any_proc in P1"),
    ("principal_dx in D1 or mcc", "principal_dx in D1"),
    ("any_dx in D1", "any_dx not in D3"),
    ("any_dx not in D1", "any_dx not in D3"),
    ("any_dx not in D1", "principal_dx not in D12"),
    ("principal_dx not in D12", "any_dx not in D1"),
]
NEVER = [
    "principal_dx in D1 and principal_dx in D3",
    "principal_dx in D12 and principal_dx not in D12",
    "age < 7 and age >= 7",
    "mcc and not mcc",
    "no_proc and any_proc in P1",
    "principal_proc in P1 and any_proc not in P12",
    "(principal_dx in D1 or principal_dx in D3) and principal_dx in NOTHING",
    "false",
]


@pytest.mark.parametrize(("condition", "other"), FOLLOWS)
def test_it_follows(condition: str, other: str) -> None:
    assert implies(parse(condition), parse(other), LISTS)


@pytest.mark.parametrize(("condition", "other"), DOES_NOT)
def test_it_does_not_follow(condition: str, other: str) -> None:
    assert not implies(parse(condition), parse(other), LISTS)


@pytest.mark.parametrize("condition", NEVER)
def test_it_never_holds(condition: str) -> None:
    assert facts_of(parse(condition), LISTS) == []


def test_principal_codes_of_several_lists_are_cut_together() -> None:
    """No pair of these lists is disjoint, but all three are."""
    lists = {"X": frozenset("ab"), "Y": frozenset("bc"), "Z": frozenset("ac")}
    together = " and ".join(f"principal_dx in {name}" for name in lists)
    assert facts_of(parse(together), lists) == []
    assert facts_of(parse(together.replace("principal", "any")), lists) != []


def test_many_alternatives_are_not_multiplied_out() -> None:
    pairs = conjunction(*(disjunction(Compare("age", "=", n), Compare("los", "=", n)) for n in range(12)))
    assert len(clauses(pairs)) <= MOST_CLAUSES


def _atoms() -> st.SearchStrategy[Condition]:
    pairs = [
        (where, name) for where in SUBJECTS for name in LISTS if where.endswith("dx") == (name[0] == "D")
    ]
    listed = st.sampled_from(pairs)
    compared = st.tuples(
        st.sampled_from(["age", "los"]), st.sampled_from(["<", "<=", ">", ">=", "="]), st.integers(0, 3)
    )
    return st.one_of(
        listed.map(lambda pair: In(*pair)),
        st.tuples(listed, st.sampled_from([">=", ">", "<", "="]), st.integers(0, 2)).map(
            lambda t: Count(*t[0], t[1], t[2])
        ),
        compared.map(lambda t: Compare(*t)),
        st.sampled_from([NoProcedure(), Severity("mcc"), Discharge((1,)), Discharge((1, 2))]),
    )


CONDITIONS = st.recursive(
    _atoms(),
    lambda inner: st.one_of(
        inner.map(negation),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: conjunction(*items)),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: disjunction(*items)),
    ),
    max_leaves=5,
)
CASES = st.builds(
    Case,
    diagnoses=st.lists(st.sampled_from("abcd"), min_size=1, max_size=3).map(tuple),
    procedures=st.lists(st.sampled_from("1234"), max_size=3).map(tuple),
    numbers=st.dictionaries(st.sampled_from(["age", "los", "discharge"]), st.integers(0, 3)),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(CONDITIONS, CONDITIONS, st.lists(CASES, min_size=30, max_size=30))
def test_conclusions_hold_for_every_record(a: Condition, b: Condition, cases: list[Case]) -> None:
    """``implies`` and "never" may miss a conclusion, but never draw a wrong one."""
    for condition, other in ((a, b), (a, disjunction(a, b)), (conjunction(a, b), a), (conjunction(a, b), b)):
        follows = implies(condition, other, LISTS)
        possible = bool(facts_of(condition, LISTS))
        for case in cases:
            evaluator = Evaluator(SCHEME, case)
            if evaluator.holds(condition):
                assert possible
                assert not follows or evaluator.holds(other)
