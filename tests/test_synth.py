"""The generator: the same rows everywhere, and rows that could be discharges."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import UsageError
from grouper.codes import icd
from grouper.synth.random import Draws, Stream, counting, key_of, mix
from grouper.synth.rows import SCHEMA, synth_batch, synth_batches, write_parquet
from grouper.synth.tables import allot, fill

ROWS = 40_000

# One-sex categories, stated here again so that a slip in the generator's list shows.
WOMEN = ("O", "C51", "C53", "C54", "C56", "D25", "D27", "N70", "N73", "N80", "N83", "N84", "N93", "Z34")
MEN = ("C61", "C62", "D29", "N40", "N41", "N43", "N45", "N47", "N48", "Q53")


def table(rows: int, **kwargs) -> pa.Table:
    return pa.Table.from_batches(synth_batches(rows, **kwargs), schema=SCHEMA)


def full_years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


@pytest.fixture(scope="module")
def clean() -> list[dict]:
    return table(ROWS).to_pylist()


@pytest.fixture(scope="module")
def dirty() -> list[dict]:
    return table(ROWS, dirty=0.25).to_pylist()


# --- the same rows everywhere ---------------------------------------------------


def test_splitmix64_is_the_published_one():
    """First outputs of the reference implementation for seed 1234567."""
    golden = 0x9E3779B97F4A7C15
    states = [(1234567 + golden * (i + 1)) % 2**64 for i in range(3)]
    assert [mix(state) for state in states] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_array_draws_agree_with_scalar_arithmetic():
    key = key_of(7, 1)
    golden = 0x9E3779B97F4A7C15
    draws = Draws.of_rows(key, counting(2**40, 100)).bits(Stream.SEX, 20).to_pylist()
    for i, draw in enumerate(draws):
        base = mix(((2**40 + i) * golden + key) % 2**64)
        assert draw == mix(base ^ mix(Stream.SEX * golden % 2**64)) >> 44


def test_rows_are_pinned():
    """A change of any row must be meant: raise ``synth.VERSION`` and change this."""
    rows = table(20_000, dirty=0.1).to_pylist()
    got = [(r["record_id"], r["sex"], r["birth_date"], r["diagnoses"][0], r["procedures"]) for r in rows[:3]]
    assert got == [
        ("1-2025-000000000", 2, date(1949, 6, 6), "I20.004", []),
        ("1-2025-000000001", 2, date(1963, 6, 8), "Z51.104", ["99.2503"]),
        ("1-2025-000000002", 2, date(1957, 2, 5), "I51.903", []),
    ]
    assert hashlib.sha256(repr(rows).encode()).hexdigest()[:16] == "1fe8be08e3b209b1"


@settings(max_examples=25)
@given(
    rows=st.integers(1, 120),
    batch_rows=st.integers(5, 130),
    seed=st.integers(0, 2**63 - 1),
    month=st.sampled_from([None, "2024-02", "2025-12"]),
    dirty=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_batch_size_changes_nothing(rows, batch_rows, seed, month, dirty):
    options = {"seed": seed, "month": month, "dirty": dirty}
    batches = list(synth_batches(rows, batch_rows=batch_rows, **options))
    assert all(batch.num_rows == batch_rows for batch in batches[:-1])
    assert pa.Table.from_batches(batches).equals(table(rows, **options))


@settings(max_examples=15)
@given(start=st.integers(0, 10**8), rows=st.integers(0, 20))
def test_any_part_can_be_made_alone(start, rows):
    part = synth_batch(start, rows, dirty=0.2)
    one_by_one = [synth_batch(start + i, 1, dirty=0.2) for i in range(rows)]
    assert part.schema == SCHEMA
    assert part.to_pylist() == [batch.to_pylist()[0] for batch in one_by_one]


def test_rows_do_not_depend_on_the_inner_blocks():
    """Blocks of 16,384 rows are an inner matter: a part across their border is the same."""
    whole = table(20_000)
    assert whole.slice(16_000, 800).to_pylist() == synth_batch(16_000, 800).to_pylist()


def test_seeds_and_months_differ():
    columns = [table(200, seed=seed, month=month)["diagnoses"] for seed, month in
               [(1, None), (2, None), (1, "2025-01"), (1, "2025-02")]]  # fmt: skip
    assert all(not a.equals(b) for i, a in enumerate(columns) for b in columns[:i])


def test_nothing_asked_nothing_given():
    assert list(synth_batches(0)) == []


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"rows": -1}, "--rows"),
        ({"rows": 1, "seed": -1}, "--seed"),
        ({"rows": 1, "batch_rows": 0}, "--row-group"),
        ({"rows": 1, "dirty": 1.5}, "--dirty"),
        ({"rows": 1, "month": "March"}, "--month"),
    ],
)
def test_bad_arguments_name_their_option(arguments, option):
    with pytest.raises(UsageError, match=option) as caught:
        list(synth_batches(**arguments))
    assert option in caught.value.zh


def test_parquet_file_is_whole_and_says_what_it_is(tmp_path):
    path = tmp_path / "synth.parquet"
    write_parquet(path, 2_500, seed=9, row_group=1_000, dirty=0.1)
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [1000, 1000, 500]
    assert b"seed=9" in file.schema_arrow.metadata[b"grouper.synth"]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.read().to_pylist() == table(2_500, seed=9, dirty=0.1).to_pylist()
    assert [entry.name for entry in tmp_path.iterdir()] == ["synth.parquet"]
    first = path.read_bytes()
    write_parquet(path, 2_500, seed=9, row_group=1_000, dirty=0.1)
    assert path.read_bytes() == first


# --- rows that could be discharges ------------------------------------------------


def test_codes_are_in_the_insurance_edition(clean):
    diagnoses, procedures = icd.diagnoses(), icd.procedures()
    for row in clean:
        assert row["diagnoses"] and all(code in diagnoses for code in row["diagnoses"])
        assert all(code in procedures for code in row["procedures"])
        assert len(set(row["diagnoses"])) == len(row["diagnoses"])
        assert len(set(row["procedures"])) == len(row["procedures"]) <= 5
        assert row["diagnoses"][0] not in icd.grey_diagnoses()


def test_fields_are_in_range(clean):
    assert len({row["record_id"] for row in clean}) == ROWS
    for row in clean:
        assert row["sex"] in (1, 2) and row["hospital_level"] in ("1", "2", "3")
        assert row["discharge_way"] in (1, 2, 3, 4, 5, 9) and row["insurance_type"] in ("310", "390")
        assert 1 <= row["los_days"] <= 180 and 0 <= row["icu_hours"] <= 24 * row["los_days"]
        assert row["total_cost"] > 0 and row["department"]


def test_ages_and_dates_agree(clean):
    for row in clean:
        born, admitted, left = row["birth_date"], row["admission_date"], row["discharge_date"]
        assert left.year == 2025 and born <= admitted <= left
        assert row["los_days"] == max(1, (left - admitted).days)
        assert row["age_years"] == full_years(born, admitted)
        assert row["age_days"] == ((admitted - born).days if row["age_years"] == 0 else None)


@pytest.mark.parametrize(("month", "days"), [("2024-02", 29), ("2025-02", 28), ("2025-12", 31)])
def test_month_is_the_month_of_discharge(month, days):
    year, number = map(int, month.split("-"))
    discharged = table(8_000, month=month)["discharge_date"].to_pylist()
    assert set(discharged) == {date(year, number, day + 1) for day in range(days)}


def test_ages_hold_on_a_leap_day():
    """Who has the birthday on 29 February, and enters hospital on it."""
    columns = table(150_000, month="2024-03").select(["birth_date", "admission_date", "age_years"])
    leap_day = [row for row in columns.to_pylist() if row["admission_date"] == date(2024, 2, 29)]
    birthdays = [row for row in leap_day if row["birth_date"].month == 2 and row["birth_date"].day >= 28]
    assert len(birthdays) > 5
    assert all(row["age_years"] == full_years(row["birth_date"], row["admission_date"]) for row in leap_day)


def test_sex_fits_the_codes(clean):
    seen = Counter()
    for row in clean:
        for code in row["diagnoses"]:
            if code.startswith(WOMEN):
                seen["women"] += 1
                assert row["sex"] == 2, (code, row)
            if code.startswith(MEN):
                seen["men"] += 1
                assert row["sex"] == 1, (code, row)
        for code in row["procedures"]:
            assert not "60" <= code[:2] <= "64" or row["sex"] == 1, (code, row)
            assert not "65" <= code[:2] <= "75" or row["sex"] == 2, (code, row)
    assert min(seen.values()) > 300


def test_age_fits_the_codes(clean):
    births = newborns = 0
    for row in clean:
        principal, years = row["diagnoses"][0], row["age_years"]
        if principal[0] == "O":
            births += 1
            assert 15 <= years <= 49
        if principal[0] == "P":
            newborns += 1
            assert years == 0 and row["age_days"] <= 28
        for code in row["diagnoses"]:
            assert code[0] != "O" or 15 <= years <= 49, (code, row)
            assert code[0] != "P" or (years == 0 and row["age_days"] <= 28), (code, row)
        for code in row["procedures"]:
            assert not "72" <= code[:2] <= "75" or 15 <= years <= 49, (code, row)
    assert births > 80 and newborns > 150
    old = [row["age_years"] for row in clean if row["diagnoses"][0].startswith("I63")]
    young = [row["age_years"] for row in clean if row["diagnoses"][0].startswith("J03")]
    assert sorted(old)[len(old) // 2] > 60 and sorted(young)[len(young) // 2] < 15


@pytest.mark.slow
def test_newborns_and_nobody_else_have_a_birth_weight():
    weights = []
    for row in table(150_000).to_pylist():
        weight = row["birth_weight_g"]
        assert (weight is not None) == (row["age_days"] is not None and row["age_days"] <= 28)
        grown = None if weight is None else weight + 30 * max(0, row["age_days"] - 10)
        assert row["admission_weight_g"] == grown
        if weight is not None:
            weights.append(weight)
            low, high = {
                "P07.0": (600, 999), "P07.1": (1000, 2499), "P05": (1500, 2499), "P08.0": (4500, 5200),
            }.get(row["diagnoses"][0][:5], (600, 5200))  # fmt: skip
            assert low <= weight <= high and weight % 10 == 0
    assert len(weights) > 800 and 3_000 < sum(weights) / len(weights) < 3_400


def test_principal_diagnoses_follow_the_counted_cases(clean):
    codes, cases, _, _ = icd.read_columns("diagnosis_frequency", "code,cases,lists,groups")
    expected = Counter()
    for code, count in zip(codes, cases, strict=True):
        if count:
            expected[code[:3]] += int(count)
            expected[code[0]] += int(count)
    total = sum(count for code, count in expected.items() if len(code) == 1)
    principal = [row["diagnoses"][0] for row in clean]
    got = Counter(code[0] for code in principal) + Counter(code[:3] for code in principal)
    assert got.keys() <= expected.keys()
    for code, count in expected.items():
        share = count / total
        # four standard deviations of a share out of ROWS
        assert abs(got[code] / ROWS - share) < 4 * (share / ROWS) ** 0.5 + 0.0002, code


def test_shape_of_the_lists(clean):
    others = [len(row["diagnoses"]) - 1 for row in clean]
    assert 3.2 < sum(others) / ROWS < 3.8
    assert others.count(0) > 0.04 * ROWS and max(others) >= 15
    operated = [row for row in clean if row["procedures"]]
    assert 0.42 < len(operated) / ROWS < 0.49
    assert {len(row["procedures"]) for row in operated} == {1, 2, 3, 4, 5}
    common = Counter(code[:3] for row in clean for code in row["diagnoses"][1:])
    assert {"I10", "E11", "I25"} <= {code for code, _ in common.most_common(6)}


def test_operations_share_a_group_with_the_principal_diagnosis(clean):
    """Checked for diagnoses of the vocabulary; the others borrow the groups of their neighbours."""
    codes, _, _, groups = icd.read_columns("diagnosis_frequency", "code,cases,lists,groups")
    of_diagnosis = {code: set(names.split()) for code, names in zip(codes, groups, strict=True) if names}
    codes, _, _, _, groups = icd.read_columns("procedure_frequency", "code,main,related,lists,groups")
    of_procedure = {code: set(names.split()) for code, names in zip(codes, groups, strict=True)}
    checked = 0
    for row in clean:
        if row["procedures"] and (possible := of_diagnosis.get(row["diagnoses"][0])):
            checked += 1
            common = set.intersection(possible, *(of_procedure[code] for code in row["procedures"]))
            assert common, row
    assert checked > 0.3 * ROWS


def test_stay_and_cost_are_skewed_and_hang_together(clean):
    stays = sorted(row["los_days"] for row in clean)
    costs = sorted(row["total_cost"] for row in clean)
    assert 5 <= stays[ROWS // 2] <= 10 and sum(stays) / ROWS > stays[ROWS // 2]
    assert sum(costs) / ROWS > Decimal("1.2") * costs[ROWS // 2]
    assert all(cost == round(cost, 2) for cost in costs[:100])
    short = [row["total_cost"] for row in clean if row["los_days"] <= 5]
    long = [row["total_cost"] for row in clean if row["los_days"] >= 15]
    assert sum(long) / len(long) > 2 * sum(short) / len(short)


def test_most_go_home_and_some_die(clean):
    ways = Counter(row["discharge_way"] for row in clean)
    assert ways[1] / ROWS > 0.9 and 0.003 < ways[5] / ROWS < 0.02
    assert 0.01 < sum(row["icu_hours"] > 0 for row in clean) / ROWS < 0.08


# --- faults -----------------------------------------------------------------------


def test_share_of_faults_and_all_other_rows_unchanged(clean, dirty):
    changed = sum(a != b for a, b in zip(clean, dirty, strict=True))
    assert abs(changed / ROWS - 0.25) < 0.01
    spoilt = ("sex", "diagnoses", "procedures")
    for a, b in zip(clean, dirty, strict=True):
        assert all(a[name] == b[name] for name in SCHEMA.names if name not in spoilt)
        assert [len(a[name]) for name in spoilt[1:]] == [len(b[name]) for name in spoilt[1:]]


def test_every_kind_of_fault_occurs_alone(clean, dirty):
    kinds = Counter()
    for before, after in zip(clean, dirty, strict=True):
        if before == after:
            continue
        lists = ("diagnoses", "procedures")
        codes = [pair for name in lists for pair in zip(before[name], after[name], strict=True)]
        differing = [(a, b) for a, b in codes if a != b]
        if after["sex"] is None:
            kind = "missing sex" if not differing else "mixed"
        elif all(b == a.lower() for a, b in codes):
            kind = "lower case"
        elif all(b.rstrip(" ") == a and b != a for a, b in codes):
            kind = "trailing space"
        elif all("．" in b and len(b) == len(a) for a, b in codes):
            kind = "full width"
        elif differing == [(before["diagnoses"][-1], "-")]:
            kind = "dash"
        elif [(a, b[:5]) for a, b in differing] == [(a, a[:5]) for a in before["diagnoses"][:1]]:
            assert after["diagnoses"][0] not in icd.diagnoses()
            kind = "unknown code"
        elif any(a.startswith("0") for a, _ in differing) and all(float(a) == float(b) for a, b in differing):
            kind = "lost zero"
        else:
            kind = f"mixed {differing}"
        kinds[kind] += 1
    assert kinds.keys() == {
        "missing sex", "lower case", "trailing space", "full width", "dash", "unknown code", "lost zero",
    }, kinds  # fmt: skip
    assert min(kinds.values()) > 20


def test_all_rows_can_be_faulty():
    clean, dirty = table(2_000).to_pylist(), table(2_000, dirty=1.0).to_pylist()
    assert all(a != b for a, b in zip(clean, dirty, strict=True))


# --- tables -----------------------------------------------------------------------


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=50).filter(any), st.integers(0, 5000))
def test_slots_are_parted_in_proportion(weights, slots):
    shares = allot(weights, slots)
    assert sum(shares) == slots
    for weight, share in zip(weights, shares, strict=True):
        assert abs(share - weight * slots / sum(weights)) <= 1 + 1e-6


def test_a_slot_table_without_weights_means_none():
    assert set(fill({}, 4)) == set(fill({7: 0}, 4)) == {0}
    assert sorted(fill({7: 1, 9: 3}, 2)) == [7, 9, 9, 9]
