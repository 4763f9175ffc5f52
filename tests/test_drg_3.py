"""What CHS-DRG 3.0 adds: ends of MDCs, different codes counted, weight on admission, later codes."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import TableError, UsageError
from grouper.codes import icd
from grouper.codes.book import CodeBook, CodeOptions
from grouper.grouping.api import Grouper, Options
from grouper.grouping.drg.compile import compile_scheme
from grouper.grouping.drg.conditions import OPERATORS, SUBJECTS, Count, parse, to_text
from grouper.grouping.drg.describing import describe
from grouper.grouping.drg.engine import DrgEngine
from grouper.grouping.drg.evaluate import Case, Evaluator
from grouper.grouping.drg.tables.model import Adrg, Drg, Mdc, Scheme

from .support import loaded, table_of

NEWBORN = {"sex": 1, "age_years": 0, "age_days": 5, "procedures": []}


def explained(scheme: str = "chs-drg-3.0", **record: Any) -> dict[str, Any]:
    return dict(loaded(scheme).explain(record).result)


# --- an MDC that ends without a group ---------------------------------------------------------------


def test_a_newborn_without_a_newborns_disease_stays_in_its_mdc_without_a_group() -> None:
    found = explained(**NEWBORN, diagnoses=["T81.503", "T85.600x001"], admission_weight_g=2499)
    assert [found[key] for key in ("mdc", "adrg", "drg")] == ["MDCP", "P00", "P000"]
    assert (found["status"], found["reason"]) == ("ungrouped", "mdc-ends")
    older = {**NEWBORN, "age_days": 400, "age_years": 1}
    assert explained(**older, diagnoses=["T81.503", "T85.600x001"])["mdc"] != "MDCP"


def test_the_explanation_says_that_the_mdc_ends_and_tries_no_other() -> None:
    record = {**NEWBORN, "diagnoses": ["T81.503"], "admission_weight_g": 2499}
    told = loaded("chs-drg-3.0").explain(record)
    assert [step.mdc.code for step in told.mdcs] == ["MDCA", "MDCP"]
    assert told.mdcs[-1].adrgs[-1].code == "P00"
    assert "不再进入其他大类" in told.text("zh") and "tries no other MDC" in told.text("en")


def test_a_row_that_ends_an_mdc_is_no_group_of_the_scheme() -> None:
    scheme = loaded("chs-drg-3.0").compiled.scheme
    assert not {drg.drg for _, drg in scheme.groups()} & {f"{letter}000" for letter in "BCDEFGHIJKP"}
    counts = scheme.counts()
    assert (counts["adrg"], counts["drg"], counts["ambiguous"], counts["ungrouped"]) == (492, 825, 21, 24)


# --- cases that other groupers for 3.0 state in public ------------------------------------------------


@pytest.mark.parametrize(
    ("record", "drg"),
    [
        (
            {"diagnoses": ["K80.101", "I50.900"], "procedures": ["51.2300"], "sex": 1, "age_years": 50},
            "HC43",
        ),
        ({"diagnoses": ["P07.200"], "admission_weight_g": 1200, **NEWBORN, "age_days": 10}, "PS29"),
        (
            {"diagnoses": ["E10.300x051+H42.0*"], "procedures": [], "sex": 2, "age_years": 75},
            "CV1H",
        ),
    ],
)
def test_public_cases_come_out_as_they_state(record: dict[str, Any], drg: str) -> None:
    assert explained(**record)["drg"] == drg


# --- weights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "read", "other", "reason"),
    [
        ("chs-drg-3.0", "admission_weight_g", "birth_weight_g", "missing-admission-weight"),
        ("chs-drg-2.0", "birth_weight_g", "admission_weight_g", "missing-birth-weight"),
    ],
)
def test_a_scheme_reads_its_own_weight_and_never_the_other(
    scheme: str, read: str, other: str, reason: str
) -> None:
    record = {**NEWBORN, "diagnoses": ["P07.200"]}
    assert explained(scheme, **record, **{read: 1200})["status"] == "grouped"
    assert explained(scheme, **record, **{read: 1200, other: 900}) == explained(
        scheme, **record, **{read: 1200}
    )
    lacking = explained(scheme, **record, **{other: 1200})
    assert (lacking["status"], lacking["reason"]) == ("needs-data", reason)
    zero = explained(scheme, **record, **{read: 0, other: 1200})
    assert zero["reason"] == reason


def test_a_file_without_the_weight_that_the_scheme_reads_is_refused_by_name() -> None:
    record = {name: [value] for name, value in {**NEWBORN, "diagnoses": ["P07.200"]}.items()}
    with pytest.raises(UsageError, match="admission_weight_g"):
        loaded("chs-drg-3.0").group(pa.table({**record, "birth_weight_g": [1200]}))


def test_a_weight_on_admission_that_is_no_weight_makes_a_record_invalid() -> None:
    table = table_of([{**NEWBORN, "diagnoses": ["P07.200"], "admission_weight_g": 1}] * 2)
    at = table.schema.get_field_index("admission_weight_g")
    wild = table.set_column(at, "admission_weight_g", pa.array(["1200克", "90000"]))
    rows = loaded("chs-drg-3.0").group(wild).to_pylist()
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("grouped", "grouped"),
        ("invalid", "bad-admission-weight"),
    ]


def test_the_explanation_names_the_weight_that_the_scheme_reads() -> None:
    record = {**NEWBORN, "diagnoses": ["P07.200"], "birth_weight_g": 1200, "admission_weight_g": 1200}
    new, old = (loaded(name).explain(record).text("zh") for name in ("chs-drg-3.0", "chs-drg-2.0"))
    assert "入院体重（克） 1200" in new and "出生体重" not in new
    assert "出生体重（克） 1200" in old and "入院体重" not in old


def test_an_unknown_weight_option_is_refused() -> None:
    with pytest.raises(TableError, match="weight"):
        compile_scheme(counting(("true",), {"options": {"weight": "now"}}))


# --- codes of a later edition -------------------------------------------------------------------------


def test_codes_newer_than_edition_2_are_known_to_3_and_unknown_to_2() -> None:
    later = icd.later_procedures()
    assert {"17.7200x001", "17.7200x006", "43.4100x026", "17.7300"} <= later.keys()
    assert not later.keys() & icd.procedures().keys()
    for code, edition in later.items():
        record = {"diagnoses": ["I63.900"], "procedures": [code], "sex": 1, "age_years": 60}
        assert explained(**record)["warnings"] == ""
        # lists of 2.0 name 43.4100x026, so the scheme knows it, though the list of codes does not
        of_2024 = edition == icd.EDITIONS[1]
        assert explained("chs-drg-2.0", **record)["warnings"] == (
            "" if of_2024 else "unknown-procedure|main-procedure-unknown"
        )


def test_an_edition_has_the_codes_of_those_before_it() -> None:
    sizes = [len(icd.procedures_of(edition)) for edition in icd.EDITIONS]
    assert sizes == [13_767, 13_768, 13_776] and len(icd.procedures_of("clinical-3.0")) == 13_767


# --- different codes counted --------------------------------------------------------------------------

DX = ["A00.000", "A01.000", "A02.000", "A03.000", "Z99.900"]
PROC = ["00.0100", "00.0200", "00.0300", "00.0400", "99.9900"]


def counting(conditions: tuple[str, ...], meta: dict[str, Any] | None = None) -> Scheme:
    """A scheme with one group for each condition, over three codes of each kind and an MDC for all."""
    return Scheme(
        id="counting",
        name="计数",
        meta={"id": "counting", "name": "计数", "area": "counting", **(meta or {})},
        mdcs=(Mdc("MDCB", "全部", "true"),),
        adrgs=tuple(Adrg(f"BB{n}", "", text) for n, text in enumerate(conditions)),
        drgs={f"BB{n}": (Drg(f"BB{n}9", "", "true"),) for n in range(len(conditions))},
        lists={"L.dx": frozenset(DX[:3]), "L.proc": frozenset(PROC[:3])},
        complications={},
        exclusions={},
    )


def engine_of(scheme: Scheme) -> DrgEngine:
    compiled = compile_scheme(scheme, DX, PROC)
    plain = CodeOptions()
    return DrgEngine(
        compiled,
        CodeBook("diagnosis", compiled.diagnoses, {}, plain),
        CodeBook("procedure", compiled.procedures, {}, plain),
    )


COUNTS = [
    Count(subject, "L.dx" if subject.endswith("dx") else "L.proc", op, value)
    for subject, op, value in product(SUBJECTS, OPERATORS, range(4))
]


@settings(max_examples=60)
@given(
    count=st.sampled_from(COUNTS),
    negated=st.booleans(),
    rows=st.lists(
        st.tuples(
            st.lists(st.sampled_from(DX), min_size=1, max_size=5), st.lists(st.sampled_from(PROC), max_size=6)
        ),
        min_size=1,
        max_size=12,
    ),
)
def test_the_kernel_counts_as_the_reference_does(
    count: Count, negated: bool, rows: list[tuple[list[str], list[str]]]
) -> None:
    text = f"not {to_text(count)}" if negated else to_text(count)
    grouper = Grouper(engine_of(counting((text,))), Options())
    found = grouper.group(pa.table({"diagnoses": [dx for dx, _ in rows], "procedures": [p for _, p in rows]}))
    scheme = grouper.compiled.scheme
    for (dx, procedures), drg in zip(rows, found["drg"].to_pylist(), strict=True):
        held = Evaluator(scheme, Case(tuple(dx), tuple(procedures))).holds(parse(text))
        assert drg == ("BB09" if held else "0000"), (text, dx, procedures)
        assert grouper.explain({"diagnoses": dx, "procedures": procedures}).result["drg"] == drg


def test_the_same_code_twice_counts_once() -> None:
    """Replacements of two joints (IC2), and the same one twice."""
    codes = sorted(loaded("chs-drg-3.0").compiled.scheme.lists["IC2.proc"])
    record = {"diagnoses": ["M17.900"], "sex": 1, "age_years": 70}
    assert explained(**record, procedures=codes[:2])["adrg"] == "IC2"
    assert explained(**record, procedures=[codes[0], codes[0]])["adrg"] != "IC2"


def test_a_count_in_words() -> None:
    count = parse("count(any_proc in IC2.proc) >= 2")
    assert describe(count, "zh") == "任一手术操作中属于 IC2.proc 的不同编码数≥2"
    assert describe(count, "en") == "number of different codes of IC2.proc (any procedure) >= 2"


# --- the whole scheme -----------------------------------------------------------------------------------


def test_random_newborns_get_the_same_group_from_kernel_and_explanation() -> None:
    """Newborns are where 3.0 has its ends, weights and ages; every one is explained."""
    grouper = loaded("chs-drg-3.0")
    scheme = grouper.compiled.scheme
    rng = random.Random(3)
    lists = sorted(name for name in scheme.lists if name.startswith(("P", "MDC")))
    records = [
        {
            "record_id": str(n),
            "diagnoses": [rng.choice(sorted(scheme.lists[rng.choice(lists)])) for _ in range(3)],
            "procedures": rng.sample(sorted(scheme.lists["VALID"]), rng.choice([0, 0, 1])),
            "sex": rng.choice([1, 2, None]),
            "age_years": 0,
            "age_days": rng.choice([0, 28, 29, 365, None]),
            "birth_weight_g": rng.choice([None, 900]),
            "admission_weight_g": rng.choice([None, 0, 999, 1499, 1500, 2499, 2500]),
        }
        for n in range(300)
    ]
    for record in records:
        record["diagnoses"] = [code for code in record["diagnoses"] if code in icd.diagnoses()] or ["P07.200"]
    found = grouper.group(table_of(records)).to_pylist()
    assert {"mdc-ends", "missing-admission-weight"} <= {row["reason"] for row in found}
    for record, row in zip(records, found, strict=True):
        told = grouper.explain(record).result
        assert told == {key: row[key] for key in told}
