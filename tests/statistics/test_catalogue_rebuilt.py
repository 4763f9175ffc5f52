"""A catalogue that is known, records drawn from it, and the catalogue built again from the records.

The truth is dip-taian-2025: its packets without auxiliary classes whose operations are told apart by
sets. Costs are score × value with noise, so relative scores are known too. Tolerances are those that
docs/statistics.md names.
"""

from __future__ import annotations

import math
import random
import statistics
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import grouper
from grouper.codes import icd
from grouper.commands.catalogue import catalogue as catalogue_command
from grouper.grouping.dip.tables import catalogue as dip_catalogue

YEARS = (2023, 2024, 2025)
WEIGHTS = (1, 2, 7)
CORE = 15
VALUE = {2023: 900, 2024: 950, 2025: 1000}  # fen for one point of score
SPREAD = 0.35  # of the logarithm of costs
PACKETS = 400


class Truth(NamedTuple):
    """A packet of the known catalogue and its cases in each year."""

    label: str
    dx: str
    main: str
    related: tuple[str, ...]
    score: float
    cases: tuple[int, ...]

    @property
    def core(self) -> bool:
        """Whether its cases a year, weighted, make a core packet."""
        return sum(w * n for w, n in zip(WEIGHTS, self.cases, strict=True)) >= CORE * sum(WEIGHTS)


@cache
def diagnoses() -> dict[str, list[str]]:
    """The diagnoses of each key."""
    found: dict[str, list[str]] = {}
    for code in sorted(icd.diagnoses()):
        found.setdefault(code[:5].upper(), []).append(code)
    return found


@cache
def truths() -> list[Truth]:
    """All packets of some keys, four of five frequent and one rare."""
    draw = random.Random(20)
    found = eligible()
    chosen: list[Truth] = []
    for key in draw.sample(sorted(found), len(found)):
        for operations, score in found[key]:
            most = 80 if draw.random() < 0.8 else 14
            cases = tuple(draw.randint(most // 4, most) for _ in YEARS)
            main, related = "".join(operations[:1]), tuple(sorted(operations[1:]))
            label = ":".join(filter(None, [key, "_".join(filter(None, [main, "+".join(related)]))]))
            chosen.append(Truth(label, key, main, related, score, cases))
        if len(chosen) >= PACKETS:
            break
    return chosen


def eligible() -> dict[str, list[tuple[list[str], float]]]:
    """By key: operations (the main one first) and score of the packets that sets of codes tell apart."""
    known, kinds = set(icd.procedures()), icd.procedure_kinds()
    whole = dip_catalogue.load("dip-taian-2025")
    found: dict[str, list[tuple[list[str], float]]] = {}
    for packets in [*whole.operative.values(), *whole.conservative.values()]:
        for packet in packets:
            operations = [term[0] for term in (*packet.main, *packet.related)]
            plain = len(packet.rows) == 1 and packet.rows[0].aux is None
            sets = len(set(operations)) == len(operations) and known.issuperset(operations)
            if plain and sets and packet.key in diagnoses() and all(kinds[code] for code in operations[:1]):
                found.setdefault(packet.key, []).append((operations, float(packet.rows[0].score)))
    return found


def history() -> tuple[pa.Table, list[Truth]]:
    """The records in random order, and the packet of each."""
    draw = random.Random(21)
    rows = [
        (truth, year)
        for truth in truths()
        for year, n in zip(YEARS, truth.cases, strict=True)
        for _ in range(n)
    ]
    draw.shuffle(rows)
    costs = [truth.score * VALUE[year] * draw.lognormvariate(0, SPREAD) for truth, year in rows]
    data = {
        "record_id": [str(number) for number in range(len(rows))],
        "discharge_date": [date(year, draw.randint(1, 12), 15) for _, year in rows],
        "diagnoses": [[draw.choice(diagnoses()[truth.dx])] for truth, _ in rows],
        "procedures": pa.array(
            [[t.main, *draw.sample(t.related, len(t.related))] if t.main else [] for t, _ in rows],
            pa.list_(pa.string()),
        ),
        "total_cost": pa.array([Decimal(round(c)).scaleb(-2) for c in costs], pa.decimal128(14, 2)),
    }
    return pa.table(data), [truth for truth, _ in rows]


class Rebuilt(NamedTuple):
    catalogue: dip_catalogue.Catalogue
    grouped: list[str]
    truths: list[Truth]


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Rebuilt:
    """The command on the records, and the records grouped with what it wrote."""
    folder: Path = tmp_path_factory.mktemp("rebuilt")
    records, known = history()
    pq.write_table(records, folder / "history.parquet")
    arguments = ["build", str(folder / "history.parquet"), "-o", str(folder / "dip")]
    run = CliRunner().invoke(catalogue_command, [*arguments, "--id", "again", "--name", "A", "--area", "a"])
    assert run.exit_code == 0, run.output
    grouped = grouper.load_scheme(str(folder / "dip")).group(records)["packet"].to_pylist()
    return Rebuilt(dip_catalogue.load(folder / "dip"), grouped, known)


def core_rows(rebuilt: Rebuilt) -> dict[str, float]:
    return {row.packet: float(row.score) for row in rebuilt.catalogue.rows if row.kind == "core"}


def test_the_frequent_packets_are_the_core_packets(rebuilt: Rebuilt) -> None:
    frequent = {truth.label for truth in truths() if truth.core}
    rare = {truth.label for truth in truths() if not truth.core}
    found = core_rows(rebuilt).keys()
    assert len(frequent) > 250 and len(rare) > 50  # or the test says little
    assert frequent <= found
    # What is more takes rare sets of one key and main operation, which together are frequent.
    assert len(found - frequent) <= 0.02 * len(found)
    merged = {(t.dx, t.main) for t in truths() if not t.core}
    assert {tuple((label + ":").split(":")[:2]) for label in found - frequent} <= merged


def test_relative_scores_are_those_of_the_truth_but_for_chance(rebuilt: Rebuilt) -> None:
    """Against the standard error of a mean of n costs in each year, weighted as the years are."""
    scores = core_rows(rebuilt)
    pure = [t for t in truths() if t.core and not _takes_rare(t)]
    logs = {t.label: math.log(scores[t.label] / t.score) for t in pure}
    middle = statistics.median(logs.values())
    cv = math.sqrt(math.exp(SPREAD**2) - 1)
    errors, standard = [], []
    for truth in pure:
        share = sum(w * w / n for w, n in zip(WEIGHTS, truth.cases, strict=True)) / sum(WEIGHTS) ** 2
        errors.append(logs[truth.label] - middle)
        standard.append(errors[-1] / (cv * math.sqrt(share)))
    assert 0.8 < statistics.pstdev(standard) < 1.2
    assert abs(statistics.fmean(errors)) < 0.01
    absolute = sorted(map(abs, errors))
    assert statistics.median(absolute) < 0.03 and absolute[len(absolute) * 95 // 100] < 0.10
    assert len(pure) > 250


def _takes_rare(truth: Truth) -> bool:
    """Whether rare sets of operations, which hold those of the packet, fall into it."""
    return any(
        not other.core
        and (other.dx, other.main) == (truth.dx, truth.main)
        and set(truth.related) < set(other.related)
        for other in truths()
    )


def test_records_of_frequent_packets_come_back_to_them(rebuilt: Rebuilt) -> None:
    pairs = list(zip(rebuilt.grouped, rebuilt.truths, strict=True))
    assert all(packet is not None for packet, _ in pairs)
    assert [p for p, truth in pairs if truth.core] == [truth.label for _, truth in pairs if truth.core]
