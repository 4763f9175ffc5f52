"""Latency of one case: group, price, explain and alternatives in one call, as a page asks for it.

    python -P benchmarks/case.py [number]

Records of the conformance sample with a hospital and money, four more diagnoses and up to two more
procedures.
"""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

AREAS = ("lishui/2022", "liaocheng/2025", "qingyang/2025", "tianmen/2025", "yulin/2024")
HOSPITAL = {
    "hospital_code": "H1", "hospital_level": "3", "insurance_type": "310", "hospital_coefficient": "1.02",
    "admission_type": "21", "payment_method": "4",
}  # fmt: skip
FUNDS = {"pool": "0.6", "funds": "0.65", "source": "benchmark"}
DATA = Path(__file__).parent.parent / "tests" / "data"


def records(scheme: str, number: int) -> list[dict[str, Any]]:
    """Records of a scheme; those of the DIP sample for a catalogue."""
    dip = scheme.startswith("dip")
    table = pq.read_table(DATA / ("dip_conformance.parquet" if dip else "drg_conformance.parquet"))
    if not dip:
        table = table.filter(pc.equal(table["scheme"], scheme))
    rng = random.Random(1)
    rows = table.take([rng.randrange(table.num_rows) for _ in range(number)]).to_pylist()
    codes = [code for row in rows for code in row["diagnoses"]]
    operations = [code for row in rows for code in row["procedures"]] or [""]
    found = []
    for place, row in enumerate(rows):
        row["diagnoses"] = [*row["diagnoses"], *rng.sample(codes, 4)]
        row["procedures"] = [*row["procedures"], *rng.choices(operations, k=rng.randrange(3))]
        money = {"total_cost": str(rng.randrange(2_000, 60_000)), "discharge_date": "2025-06-10"}
        known = {name: value for name, value in row.items() if not name.startswith("expected")}
        found.append(known | money | {"record_id": str(place)})
    return found


def times(ask: Callable[[dict[str, Any]], Any], given: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Milliseconds of each call, by the clock and of the processor: on a busy machine they differ."""
    found = []
    for record in given:
        begin, own = time.perf_counter(), time.thread_time()
        ask(record)
        found.append(((time.perf_counter() - begin) * 1000, (time.thread_time() - own) * 1000))
    return found


def told(name: str, taken: list[tuple[float, float]]) -> None:
    parts = []
    for kind, values in zip(("clock", "processor"), zip(*taken, strict=True), strict=True):
        ordered = sorted(values)
        p95 = ordered[int(len(ordered) * 0.95)]
        parts.append(f"{kind} {statistics.median(ordered):6.1f} / {p95:6.1f} ms")
    print(f"{name:<42} median / p95: {', '.join(parts)}")


def main(number: int) -> None:
    import grouper

    for area in AREAS:

        def ask(record: dict[str, Any], area: str = area, alternatives: bool = True) -> Any:
            return grouper.case(
                record, policy=area, hospital=HOSPITAL, funds=FUNDS, alternatives=alternatives
            ).as_dict()

        begin = time.perf_counter()
        ask({"diagnoses": ["K35.300"], "discharge_date": "2025-06-10"})
        print(f"{area}: first call {(time.perf_counter() - begin) * 1000:.0f} ms")
        scheme = grouper.case({}, policy=area, when=date(2025, 6, 10)).schemes[0]
        given = records(scheme["scheme"]["id"], number)
        told(f"{area}, alternatives", times(ask, given))
        told(f"{area}, without", times(lambda record: ask(record, alternatives=False), given))
    both = lambda record: grouper.case(  # noqa: E731
        record, ["chs-drg-2.0", "chs-drg-3.0"], ["lishui/2022"], hospital=HOSPITAL, funds=FUNDS
    ).as_dict()
    both({"diagnoses": ["K35.300"]})
    told("2.0 beside 3.0 and lishui, alternatives", times(both, records("chs-drg-2.0", number)))
    of_each: list[list[tuple[float, float]]] = [[], []]
    threads = [
        threading.Thread(target=lambda n=n: of_each[n].extend(times(ask, records("guangxi-2024", number))))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told("two threads at once, yulin/2024", [*of_each[0], *of_each[1]])
    grouper.search("x")
    queries = ["ngs", "脑梗", "I63", "naogeng", "fqj", "51.2", "HC", "xj", "高血压", "tnb"]
    told(
        "search",
        times(lambda record: grouper.search(record["q"], "chs-drg-2.0"), [{"q": q} for q in queries] * 5),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
