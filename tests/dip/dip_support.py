"""What the DIP tests share: engines, the conformance sample, random records, small catalogues."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from grouper.codes import icd
from grouper.codes.book import CodeOptions
from grouper.grouping.dip import facts
from grouper.grouping.dip.engine import DipEngine, make_engine
from grouper.grouping.dip.options import options_from
from grouper.grouping.dip.reference import Reference, Trace
from grouper.grouping.dip.tables.catalogue import Catalogue, Row, assemble, load

from ..support import canonical

FEATURES = Path(__file__).parent / "features"
SAMPLE = Path(__file__).parent.parent / "data" / "dip_conformance.parquet"
PROFILES = (
    "demo-a",
    "demo-b",
    "demo-c",
    "dip-pingdingshan-2025",
    "dip-pingdingshan-2025-extended",
    "dip-taian-2025",
)
SCHEMA = canonical(
    ["record_id", "diagnoses", "procedures", "age_years", "age_days", "los_days", "discharge_way",
     "icu_hours", "birth_weight_g", "total_cost"]
)  # fmt: skip
# Texts that are no code, or one that no list knows.
ODD = (
    "",
    " ",
    "-",
    "12",
    "99.9999x999",
    "17.99999",
    "ABCDEF",
    "6.31",
    "４７．０１００",
    "441300x001",
    "45.9999",
)


@cache
def catalogue(profile: str) -> Catalogue:
    """A shipped scheme, or a profile of the invented catalogue."""
    return load(FEATURES, profile=profile) if profile.startswith("demo") else load(profile)


def engine_of(catalogue_: Catalogue, options: CodeOptions | None = None, lang: str = "en") -> DipEngine:
    return make_engine(catalogue_, options or CodeOptions(), lang)


@cache
def engine(profile: str) -> DipEngine:
    return engine_of(catalogue(profile))


@cache
def reference(profile: str) -> Reference:
    return Reference(catalogue(profile))


def batch_of(records: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(records), schema=SCHEMA)


def rows_of(
    engine_: DipEngine, records: Sequence[dict[str, Any]], more: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The result columns of the kernel, one dict a record; ``more``: columns behind the usual ones."""
    short = ["code", "name", "kind", "score", "packet", "status", "reason", "text"]
    names = [*short, "matched", "unmatched", "auxiliary", "warnings", *more]
    return pa.table(engine_.group(batch_of(records)).columns, names).to_pylist()


def outcome(trace: Trace) -> dict[str, Any]:
    """What the reference says, in the words of the result columns."""
    met: list[str] = []
    unmet: list[str] = []
    for place, operation in enumerate(trace.case.operations if trace.case else ()):
        named = trace.chosen and trace.chosen.met and place in trace.chosen.met.matched
        (met if named else unmet).append(operation.code)
    names = {"age_years": "age", "los_days": "stay", "birth_weight_g": "birth-weight"}
    missing = names.get(trace.missing, trace.missing.replace("_", "-"))
    return {
        "code": trace.row.code if trace.row else None,
        "kind": trace.row.kind if trace.row else None,
        "score": trace.row.score if trace.row else None,
        "reason": f"missing-{missing}" if missing else trace.reason,
        "matched": "|".join(met),
        "unmatched": "|".join(unmet),
    }


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Kernel against reference; codes without regard to letter case."""
    return all(_upper(found[name]) == _upper(value) for name, value in wanted.items())


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def random_records(catalogue_: Catalogue, rng: random.Random, number: int) -> list[dict[str, Any]]:
    """Records that reach deep into a catalogue: operations of its packets, repeated, swapped, odd."""
    keys = sorted({*catalogue_.operative, *catalogue_.conservative})
    by_key: dict[str, list[str]] = {}
    for code in icd.diagnoses():
        by_key.setdefault(code[:5].upper(), []).append(code)
    diagnoses, procedures = list(icd.diagnoses()), list(icd.procedures())
    severe = sorted(facts.complications())
    return [
        {
            "record_id": str(i),
            "diagnoses": [
                _principal(rng, rng.choice(keys), by_key, diagnoses),
                *rng.sample(severe, rng.choice([0, 0, 1, 2])),
                *rng.sample(diagnoses, rng.choice([0, 1])),
                *rng.choice([[], [], ["C78.000"], ["Z51.100"], ["", "E11.900"]]),
            ],
            "procedures": _operations(rng, catalogue_, keys, procedures),
            "age_years": (age := rng.choice([0, 0, 1, 6, 7, 17, 18, 65, 66, 90, None])),
            "age_days": rng.choice([0, 28, 29, 364, None]) if age == 0 else None,
            "los_days": rng.choice([0, 1, 3, 4, 10, None]),
            "discharge_way": rng.choice([1, 5, 9, None]),
            "icu_hours": rng.choice([None, 0.0, 47.5, 48.0, 192.0, 359.0, 360.0, 744.0, 5000.0]),
            "total_cost": rng.choice([None, Decimal("5000.00"), Decimal(rng.randrange(10**7)) / 100]),
        }
        for i in range(number)
    ]


def _principal(
    rng: random.Random, key: str, by_key: dict[str, list[str]], diagnoses: list[str]
) -> str | None:
    whole = rng.choice(by_key.get(key) or [key + "00"])
    return rng.choice(
        [whole] * 12
        + [whole.lower(), whole.replace(".", ""), key + "99X999", key[:3], rng.choice(diagnoses), "???", None]
    )


def _operations(
    rng: random.Random, catalogue_: Catalogue, keys: list[str], procedures: list[str]
) -> list[str | None]:
    found: list[str | None] = []
    for _ in range(rng.choice([0, 1, 1, 2, 2, 3])):
        packets = catalogue_.operative.get(rng.choice(keys))
        if packets:
            packet = rng.choice(packets)
            found += [rng.choice(term) for term in (*packet.main, *packet.related)]
    found += rng.sample(found, rng.randrange(len(found) + 1)) if rng.random() < 0.3 else []
    found += rng.sample(procedures, rng.choice([0, 0, 1]))
    found += [rng.choice([*ODD, None])] if rng.random() < 0.15 else []
    found = [code + "X009" if code and rng.random() < 0.05 else code for code in found]
    rng.shuffle(found)
    return found


def aimed_records(catalogue_: Catalogue, rng: random.Random, number: int) -> list[dict[str, Any]]:
    """Records whose operations are those of packets under the record's own key."""
    records = random_records(catalogue_, rng, number)
    keys = sorted(catalogue_.operative)
    for record in records:
        key = rng.choice(keys)
        packets = rng.sample(catalogue_.operative[key], min(2, len(catalogue_.operative[key])))
        codes = [rng.choice(term) for packet in packets for term in (*packet.main, *packet.related)]
        rng.shuffle(codes)
        record["diagnoses"] = [key + "00", *record["diagnoses"][1:]]
        record["procedures"] = codes[: rng.choice([len(codes)] * 4 + [1])] + record["procedures"][:1]
    return records


# --- small catalogues --------------------------------------------------------------------------


def row(code: str, score: float = 100, *, kind: str = "core", cost: float | None = None) -> Row:
    """A row from its code, such as ``K35.8:47.01_54.5``, ``A00-B99:SS``, ``JC:K35.8``, ``K35.8#age:1``."""
    label, _, aux = code.partition("#")
    body = label.removeprefix("JC:")
    dx, _, rest = body.partition(":")
    classes = {"BSZL": 0, "ZDXCZ": 1, "ZLXCZ": 2, "SS": 3}
    mixed = rest in classes or not dx
    main, _, related = rest.partition("_")
    type_, _, level = aux.partition(":")
    return Row(
        code=code,
        name=code,
        kind="mixed" if mixed else "primary_care" if label.startswith("JC:") else kind,
        dx=dx,
        procedures="" if mixed else main,
        related=related,
        treatment=classes.get(rest, -1),
        score=Decimal(str(score)),
        average_cost=None if cost is None else Decimal(str(cost)),
        aux=(type_, int(level)) if aux else None,
        packet=label,
    )


BLANK = Row("KBBZ", "空白病种", "mixed", "", "", "", -1, Decimal(7), None, None, "KBBZ")


def small(rows: Sequence[Row], **options: Any) -> Catalogue:
    """A catalogue of a few rows with some options."""
    meta = {"id": "small", "name": "small", "area": "nowhere"}
    return assemble(meta, options_from(options, "test"), rows, "", "test")
