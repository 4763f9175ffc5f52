"""Rows of a synthetic city: the same everywhere, exact in their money, and true to what refers to what."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import UsageError
from grouper.grouping.api import load_scheme
from grouper.synth.city import SCHEMA, City, city_batches
from grouper.synth.city.hospitals import hospitals
from grouper.synth.city.money import MONEY
from grouper.synth.city.order import BLOCK, Kind, order_of
from grouper.synth.city.rows import TRUTH

ROWS = 60_000
CITY = City(rows=ROWS, dirty=0)


def table(city: City, month: int | None = None, **options) -> pa.Table:
    schema = pa.schema([*SCHEMA, *TRUTH]) if options.get("truth") else SCHEMA
    return pa.Table.from_batches(city_batches(city, month, **options), schema=schema)


@pytest.fixture(scope="module")
def clean() -> pa.Table:
    return table(CITY, truth=True)


@pytest.fixture(scope="module")
def rows(clean) -> list[dict]:
    return clean.to_pylist()


@pytest.fixture(scope="module")
def by_settlement(rows) -> dict[str, dict]:
    return {row["settlement_id"]: row for row in rows}


def of_kind(rows: list[dict], kind: str) -> list[dict]:
    return [row for row in rows if row["row_kind"] == kind]


# --- the same rows everywhere ---------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    size=st.integers(1, 3_000),
    batch_rows=st.integers(20, 4_000),
    seed=st.integers(0, 2**63 - 1),
    dirty=st.sampled_from([0.0, 0.2]),
)
def test_batch_size_changes_nothing(size, batch_rows, seed, dirty):
    city = City(rows=size, seed=seed, dirty=dirty)
    batches = list(city_batches(city, batch_rows=batch_rows))
    assert all(batch.num_rows == batch_rows for batch in batches[:-1])
    assert pa.Table.from_batches(batches).equals(table(city).combine_chunks())


def test_months_are_the_parts_of_the_year(clean):
    months = [table(CITY, month, truth=True) for month in range(1, 13)]
    assert all(month.num_rows > ROWS / 14 for month in months)
    assert pa.concat_tables(months).equals(clean)


def test_inner_blocks_do_not_show(clean):
    """Rows are made 32,768 at a time; batches across that border are the same."""
    first = next(city_batches(CITY, batch_rows=33_000, truth=True))
    assert pa.Table.from_batches([first]).equals(clean.slice(0, 33_000).combine_chunks())


def test_rows_are_pinned():
    """A change of any row must be meant: raise ``model.VERSION`` and change this."""
    made = table(City(rows=4_000, dirty=0.1)).to_pylist()
    assert made[0]["record_id"] == "2025000000000000" and made[-1]["record_id"] == "2025000000003999"
    assert hashlib.sha256(repr(made).encode()).hexdigest()[:16] == "017055d1cb53d9de"


def test_seeds_and_years_differ():
    made = [table(City(rows=500, seed=seed, year=year)) for seed, year in [(1, 2025), (2, 2025), (1, 2024)]]
    columns = [part["total_cost"].to_pylist() for part in made]
    assert all(a != b for i, a in enumerate(columns) for b in columns[:i])


@pytest.mark.parametrize("size", [0, 1, 7])
def test_tiny_cities(size):
    assert sum(batch.num_rows for batch in city_batches(City(rows=size))) == size


def test_a_month_is_one_to_twelve():
    with pytest.raises(UsageError, match="13"):
        list(city_batches(CITY, 13))


# --- order and references ---------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 10**8), start=st.integers(0, 10**8), seed=st.integers(0, 100))
def test_references_point_back_to_plain_rows_once(size, start, seed):
    city = City(rows=size, seed=seed, refunds=0.2, readmissions=0.1, transfers=0.03, dirty=0.2)
    order = order_of(city)
    start = start % size
    length = min(4 * BLOCK, size - start)
    part = order.range(start, length)
    seen: dict[int, list[int]] = {}
    kinds, positions = part.kind.to_pylist(), part.position.to_pylist()
    for kind, at, visit, before in zip(
        kinds, positions, part.visit.to_pylist(), part.before.to_pylist(), strict=True
    ):
        assert (before is not None) == (kind in (Kind.READMISSION, Kind.TRANSFER))
        source = visit if before is None else before
        assert (source == at) == (kind == Kind.PLAIN)
        if kind != Kind.PLAIN:
            assert source // BLOCK < at // BLOCK
            seen.setdefault(source, []).append(kind)
    # a refund and the settlement after it share their original; no other two rows do
    shared = (Kind.REFUND, Kind.RESETTLED)
    assert all(len(k) == 1 or sorted(k) == sorted(shared) for k in seen.values())
    for source, of in list(seen.items())[:20]:
        told = order.range(source, 1)
        assert told.kind[0].as_py() == Kind.PLAIN
        assert told.lives[0].as_py() == (of[0] in (Kind.READMISSION, Kind.TRANSFER))
        assert told.sent[0].as_py() == (of[0] == Kind.TRANSFER)


def test_rows_stand_in_order_of_settlement(clean):
    days = clean["settlement_date"].to_pylist()
    assert days == sorted(days)
    assert days[0] == date(2025, 1, 1) and days[-1] == date(2025, 12, 31)
    weekday = Counter(day.weekday() for day in days)
    assert weekday[6] < weekday[5] < min(weekday[day] for day in range(5))


@pytest.mark.slow
def test_first_settlements_are_in_the_month_of_discharge(rows):
    for row in rows:
        if row["row_kind"] not in ("refund", "resettled"):
            late = row["settlement_date"] - row["discharge_date"]
            assert timedelta(0) <= late <= timedelta(3)
            assert row["settlement_date"].month == row["discharge_date"].month


def test_shares_of_kinds(rows):
    kinds = Counter(row["row_kind"] for row in rows)
    # the first weeks of the year have no earlier rows to refer to, which costs a little
    assert 0.045 < kinds["refund"] / ROWS < 0.051
    assert 0.26 < kinds["resettled"] / kinds["refund"] < 0.33
    assert 0.033 < kinds["readmission"] / ROWS < 0.041
    assert 0.007 < kinds["transfer"] / ROWS < 0.011
    assert kinds["duplicate"] == 0


def test_refunds_mirror_their_originals(rows, by_settlement):
    refunds = of_kind(rows, "refund")
    own = {"record_id", "settlement_id", "settlement_date", "refund_flag", "refund_of", "row_kind", *MONEY}
    for row in refunds:
        original = by_settlement[row["refund_of"]]
        assert row["refund_flag"] and not original["refund_flag"] and original["refund_of"] is None
        assert row["settlement_date"] >= original["settlement_date"]
        assert row["record_id"] > original["record_id"]
        assert {name: row[name] for name in row if name not in own} == {
            name: original[name] for name in original if name not in own
        }
        assert all(row[name] == -original[name] for name in MONEY)
    assert len({row["refund_of"] for row in refunds}) == len(refunds) > 2_000
    assert all(row["refund_of"] is None for row in rows if not row["refund_flag"])


def test_settled_again_after_the_refund(rows):
    refunds = {row["visit_id"]: row for row in of_kind(rows, "refund")}
    for row in (again := of_kind(rows, "resettled")):
        refund = refunds[row["visit_id"]]
        assert row["record_id"] > refund["record_id"]
        assert row["total_cost"] == -refund["total_cost"] and not row["refund_flag"]
    changed = [row for row in again if row["own_expense"] != -refunds[row["visit_id"]]["own_expense"]]
    assert len(changed) > 0.9 * len(again) > 500


def test_settlement_ids_are_unique(rows):
    assert len({row["settlement_id"] for row in rows}) == len({row["record_id"] for row in rows}) == ROWS
    assert all(len(row["settlement_id"]) == 16 for row in rows)


def test_people_come_back(rows):
    first = {row["person_id"]: row for row in rows if row["row_kind"] == "plain"}
    gaps, months = Counter(), 0
    for row in of_kind(rows, "readmission"):
        before = first[row["person_id"]]
        gap = (row["admission_date"] - before["discharge_date"]).days
        gaps[gap] += 1
        months += row["settlement_date"].month != before["settlement_date"].month
        for name in ("sex", "birth_date", "insurance_type", "region_code", "hospital_code"):
            assert row[name] == before[name], name
        assert row["diagnoses"][0] == before["diagnoses"][0] and row["visit_id"] != before["visit_id"]
        assert before["discharge_way"] != 5
    assert min(gaps) == 1 and max(gaps) == 30 and months > 500
    assert min(gaps.values()) > 10


def test_transfers_arrive_elsewhere_on_the_same_day(rows):
    first = {row["person_id"]: row for row in rows if row["row_kind"] == "plain"}
    for row in (moved := of_kind(rows, "transfer")):
        before = first[row["person_id"]]
        assert row["admission_date"] == before["discharge_date"] and before["discharge_way"] == 2
        assert row["hospital_code"] != before["hospital_code"]
        assert row["diagnoses"][0] == before["diagnoses"][0]
    assert len(moved) > 400


# --- clinical -----------------------------------------------------------------------------


def test_ages_and_stays_agree_with_the_dates(rows):
    for row in rows:
        born, admitted, left = row["birth_date"], row["admission_date"], row["discharge_date"]
        years = admitted.year - born.year - ((admitted.month, admitted.day) < (born.month, born.day))
        assert born <= admitted <= left and row["age_years"] == years
        assert row["los_days"] == max(1, (left - admitted).days)
        assert row["age_days"] == ((admitted - born).days if years == 0 else None)
        newborn = row["age_days"] is not None and row["age_days"] <= 28
        assert (row["birth_weight_g"] is not None) == newborn
        assert 0 <= row["icu_hours"] <= 24 * row["los_days"]


def test_ages_hold_in_a_leap_year():
    for row in table(City(rows=20_000, year=2024), 3).to_pylist():
        born, admitted = row["birth_date"], row["admission_date"]
        if row["settlement_date"].year == 2024:
            years = admitted.year - born.year - ((admitted.month, admitted.day) < (born.month, born.day))
            assert row["age_years"] == years


def test_kinds_of_admission(rows):
    seen = {code: [r for r in rows if r["admission_type"] == code] for code in ("21", "28", "52", "2105")}
    assert sum(map(len, seen.values())) == ROWS
    assert all(r["los_days"] == 1 and r["icu_hours"] == 0 and r["procedures"] for r in seen["28"])
    assert all(r["diagnoses"][0][0] in "OZ" and r["sex"] == 2 for r in seen["52"])
    assert 0.01 < len(seen["28"]) / ROWS < 0.06 and len(seen["52"]) / ROWS > 0.003
    kind = {h.code: h.kind for h in hospitals(CITY)}
    assert {kind[r["hospital_code"]] for r in seen["2105"]} == {"psychiatric", "rehabilitation"}
    special = [r for r in rows if kind[r["hospital_code"]] in ("psychiatric", "rehabilitation")]
    assert len(special) == len(seen["2105"]) > 0.01 * ROWS
    stays = sorted(r["los_days"] for r in seen["2105"])
    assert stays[len(stays) // 2] > 30 and 180 < stays[-1] <= 360


# --- hospitals and regions ------------------------------------------------------------------


def test_hospitals_agree_with_their_table(rows):
    known = {h.code: h for h in hospitals(CITY)}
    for row in rows:
        hospital = known[row["hospital_code"]]
        assert (row["hospital_level"], row["region_of_treatment"]) == (hospital.level, hospital.county)
    used = Counter(row["hospital_code"] for row in rows)
    assert len(used) > 0.95 * len(known)
    size = {level: [used[h.code] for h in known.values() if h.level == level and h.county != CITY.elsewhere]
            for level in "123"}  # fmt: skip
    assert len(size["3"]) < len(size["2"]) < len(size["1"])
    mean = {level: sum(n) / len(n) for level, n in size.items()}
    assert mean["3"] > 2 * mean["2"] > 4 * mean["1"]


def test_some_go_elsewhere_and_some_come(rows):
    elsewhere = CITY.elsewhere
    left = sum(r["region_of_treatment"] == elsewhere != r["region_code"] for r in rows) / ROWS
    came = sum(r["region_code"] == elsewhere != r["region_of_treatment"] for r in rows) / ROWS
    assert 0.02 < left < 0.035 and 0.012 < came < 0.018
    counties = Counter(r["region_code"] for r in rows)
    assert set(CITY.counties) < counties.keys()
    outside_county = sum(r["region_of_treatment"] != r["region_code"] for r in rows) / ROWS
    assert 0.2 < outside_county < 0.6  # what a county's alliance pays for elsewhere


# --- money ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dirty", [0.0, 0.2])
def test_identities_hold_to_the_fen(dirty):
    for r in table(City(rows=20_000, dirty=dirty)).to_pylist():
        assert r["drug_cost"] + r["consumable_cost"] + r["service_cost"] == r["total_cost"]
        assert r["own_expense"] + r["self_pay_first"] + r["in_scope_amount"] == r["total_cost"]
        assert r["pool_paid"] + r["serious_illness_paid"] + r["medical_aid_paid"] == r["fund_paid"]
        assert r["fund_paid"] + r["account_paid"] + r["cash_paid"] == r["total_cost"]


def test_amounts_are_in_range(rows):
    for r in rows:
        if r["refund_flag"]:
            assert all(r[name] <= 0 for name in MONEY)
            continue
        assert all(r[name] >= 0 for name in MONEY) and r["total_cost"] >= 50 and r["service_cost"] > 0
        assert r["deductible"] <= r["in_scope_amount"] <= r["total_cost"]
        assert r["pool_paid"] <= r["in_scope_amount"] - r["deductible"]
        assert r["account_paid"] == 0 or r["insurance_type"] == "310"
        assert r["medical_aid_paid"] == 0 or r["insurance_type"] == "390"


def test_pool_pays_by_ratio_after_the_deductible(rows):
    plain = [r for r in rows if r["region_code"] != CITY.elsewhere != r["region_of_treatment"]]
    for r in plain[:5_000]:
        ratio = {"310": {"1": 95, "2": 90, "3": 85}, "390": {"1": 85, "2": 75, "3": 65}}[r["insurance_type"]]
        due = (r["in_scope_amount"] - r["deductible"]) * ratio[r["hospital_level"]] / 100
        assert abs(r["pool_paid"] - due) <= Decimal("0.005")


def test_costs_depend_on_the_group_and_are_skewed(clean):
    normal = clean.filter(
        pc.and_(pc.equal(clean["row_kind"], "plain"), pc.not_equal(clean["admission_type"], "2105"))
    )
    grouped = load_scheme("chs-drg-2.0").group(normal)
    groups: dict[str, list[float]] = {}
    for drg, status, cost in zip(
        grouped["drg"].to_pylist(),
        grouped["status"].to_pylist(),
        grouped["total_cost"].to_pylist(),
        strict=True,
    ):
        if status == "grouped":
            groups.setdefault(drg, []).append(float(cost))
    groups = {drg: costs for drg, costs in groups.items() if len(costs) >= 50}
    costs = [cost for part in groups.values() for cost in part]
    mean = sum(costs) / len(costs)
    means = {drg: sum(part) / len(part) for drg, part in groups.items()}
    within = sum((cost - means[drg]) ** 2 for drg, part in groups.items() for cost in part)
    explained = 1 - within / sum((cost - mean) ** 2 for cost in costs)
    assert explained > 0.45
    ratios = sorted(cost / means[drg] for drg, part in groups.items() for cost in part)
    share = len(ratios)
    assert 0.012 < sum(r > 3 for r in ratios) / share < 0.035
    assert 0.02 < sum(r < 0.3 for r in ratios) / share < 0.08
    assert 0.75 < ratios[share // 2] < 0.93  # the median lies below the mean


def test_levels_differ_in_cost(rows):
    mean = {}
    for level in "123":
        costs = [r["total_cost"] for r in rows if r["hospital_level"] == level and r["row_kind"] == "plain"]
        mean[level] = sum(costs) / len(costs)
    assert mean["3"] > Decimal("1.2") * mean["2"] > Decimal("1.4") * mean["1"]


def test_one_s_own_weights_decide_the_mean(tmp_path):
    from grouper.synth.city.costs import case_weights

    path = tmp_path / "weights.csv"
    path.write_text("drg,weight\nES35,20\nBR15,0.5\n", encoding="utf-8")
    own = case_weights("chs-drg-2.0", path)
    city = City(rows=20_000, dirty=0, refunds=0)
    grouped = load_scheme("chs-drg-2.0").group(table(city, weights=own))
    mean = {}
    for drg in ("ES35", "BR15"):
        costs = [
            float(cost) for cost in grouped.filter(pc.equal(grouped["drg"], drg))["total_cost"].to_pylist()
        ]
        mean[drg] = sum(costs) / len(costs)
    assert 28 < mean["ES35"] / mean["BR15"] < 52
    usual = table(city).drop_columns(list(MONEY))
    assert usual.equals(table(city, weights=own).drop_columns(list(MONEY)))


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_faults_and_all_other_rows_unchanged():
    before = table(City(rows=40_000, dirty=0), truth=True).to_pylist()
    after = table(City(rows=40_000, dirty=0.1), truth=True).to_pylist()
    wrong, seen, told = 0, Counter(), Counter()
    ids = Counter(row["settlement_id"] for row in after)
    for a, b in zip(before, after, strict=True):
        if a == b:
            continue
        wrong += 1
        changed = {name for name in a if a[name] != b[name]} - {"row_kind", "row_fault"}
        told[b["row_fault"] or b["row_kind"]] += 1
        if b["row_kind"] == "duplicate":
            assert ids[b["settlement_id"]] == 2 and a["row_kind"] == "plain"
            seen["duplicate"] += 1
        elif not changed - {"sex", "diagnoses", "procedures"}:
            seen["codes"] += 1
        elif changed <= set(MONEY):
            if b["total_cost"] == 0:
                seen["zero"] += 1
            else:
                assert b["total_cost"] == -a["total_cost"] and not b["refund_flag"]
                seen["negative"] += 1
        elif changed == {"hospital_code"}:
            assert b["hospital_code"] == "H00000000000"
            seen["hospital"] += 1
        elif changed == {"valid_flag"}:
            seen["invalid"] += 1
        elif changed == {"admission_date", "discharge_date", "settlement_date"}:
            assert b["settlement_date"].year < 2025
            seen["month"] += 1
        else:
            seen["several"] += 1
    assert 0.085 < wrong / 40_000 < 0.105
    assert seen.keys() >= {"duplicate", "codes", "zero", "negative", "hospital", "invalid", "month"}
    assert min(seen[kind] for kind in ("duplicate", "zero", "negative", "hospital", "invalid", "month")) > 150
    assert seen["codes"] > 1_200 and seen["several"] < 300
    truth = Counter(row["row_fault"] for row in after if row["row_fault"])
    assert truth == Counter({kind: number for kind, number in told.items() if kind != "duplicate"})
    assert truth.keys() == {"negative", "zero", "out_of_month", "unknown_hospital", "invalid", "codes"}


def test_refunds_are_right_whatever_is_wrong_elsewhere():
    made = table(City(rows=30_000, dirty=0.2)).to_pylist()
    originals = {row["settlement_id"]: row for row in made if not row["refund_flag"]}
    refunds = [row for row in made if row["refund_flag"]]
    assert len(refunds) > 1_000
    for row in refunds:
        assert row["total_cost"] == -originals[row["refund_of"]]["total_cost"] < 0
