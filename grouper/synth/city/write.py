"""A city as files: one Parquet a month, the hospitals, and the options that everything was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from grouper.base.errors import UsageError
from grouper.base.output import parquet_options
from grouper.base.paths import local_path
from grouper.base.toml_in import read_toml
from grouper.base.toml_out import toml_text
from grouper.base.whole import unwritten, whole_file, write_text
from grouper.payment.pool.budget import OFFSITE
from grouper.synth.city.costs import CaseWeights
from grouper.synth.city.hospitals import assessment_csv, hospital_csv
from grouper.synth.city.model import VERSION, City
from grouper.synth.city.rows import SCHEMA, TRUTH, city_batches, maker_of

Progress = Callable[[int, int | None], None]
FUNDED = 97  # per cent of what the pool pays that the budget covers: a small overspend
_SAMPLE = 120_000  # rows that the budget is estimated from
_INSURANCES = ("310", "390")
_DICTIONARIES = {
    "hospital_code", "hospital_level", "insurance_type", "sex", "age_years", "los_days", "discharge_way",
    "department", "icu_hours", "admission_type", "region_code", "region_of_treatment", "birth_weight_g",
    "admission_weight_g",    "age_days", "admission_date", "discharge_date", "settlement_date", "birth_date",
}  # fmt: skip


POOLS = {"310": "employee", "390": "resident"}


@dataclass
class Written:
    """What was written: files, rows by kind and by fault, and what the pool paid."""

    files: list[Path] = field(default_factory=list)
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    pool_fen: Counter[str] = field(default_factory=Counter)  # by insurance type, refunds netted
    budget: dict[str, int] = field(default_factory=dict)  # yuan by insurance type, of the whole year


def write_city(
    folder: str | Path,
    city: City,
    progress: Progress | None = None,
    *,
    months: Collection[int] = range(1, 13),
    weights: CaseWeights | None = None,
) -> Written:
    """Write ``YYYY-MM.parquet`` for each of ``months``, ``hospitals.csv``, ``assessment.csv``,
    ``budget.toml`` and ``city.toml``.

    Each file appears when it is whole. ``progress(done, total)`` is called with rows. Raises
    UsageError when the folder holds another city, as months of two cities would mix, and when a file of
    these names is there that is not this city's: it is somebody's.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritten(target, error) from error
    options = {**city.options(), "made": {"weights": weights.origin if weights else ""}}
    _check_city(target, options)
    budget, elsewhere = _expected(city, weights, FUNDED)
    tables = {
        "hospitals.csv": hospital_csv(city),
        "assessment.csv": assessment_csv(city),
        "budget.toml": _budget_toml(city, budget, elsewhere),
    }
    _refuse_others(target, city, months, tables)
    done = Written([write_text(target / "city.toml", toml_text(options))], budget=budget)
    order = maker_of(city).order
    total = sum(order.first_row(m + 1) - order.first_row(m) for m in months)
    for month in sorted(months):
        path = target / f"{city.year}-{month:02}.parquet"
        _write_month(path, city, month, weights, done, lambda: progress and progress(done.rows, total))
        done.files.append(path)
    done.files += [write_text(target / name, text) for name, text in tables.items()]
    return done


def _check_city(target: Path, options: dict[str, Any]) -> None:
    """``city.toml`` is written first, so that no month stands in the folder without it."""
    path = target / "city.toml"
    if path.exists() and read_toml(path) != options:
        raise UsageError(
            zh=f"{target} 中已有另一座城市的数据（见 {path.name}）；请用 -o 指定其他目录，或先删除该目录",
            en=f"{target} holds the data of another city (see {path.name}); name another folder with -o, "
            "or remove it first",
        )


def _refuse_others(target: Path, city: City, months: Collection[int], tables: Mapping[str, str]) -> None:
    """Raise UsageError for a file in the place of one of the city's that is not it; made by its options,
    they are the same at every call."""
    places = {target / f"{city.year}-{month:02}.parquet": _origin(city, month) for month in sorted(months)}
    found = [path for path, origin in places.items() if path.exists() and _origin_of(path) != origin]
    for name, text in tables.items():
        path = target / name
        if path.exists() and not (path.is_file() and path.read_bytes() == text.encode()):
            found.append(path)
    if found:
        raise UsageError(
            zh=f"{found[0]} 已存在，且不是这座城市的文件（或之后有改动），不会覆盖；"
            "请用 -o 换一个目录，或先移走它",
            en=f"{found[0]} is there and is no file of this city, or was changed since; it is not replaced: "
            "choose another folder with -o, or move it away",
        )


def _origin(city: City, month: int) -> str:
    return f"version={VERSION} month={month} {city}"


def _origin_of(path: Path) -> str:
    """Which city's month a file says that it is; "" for any other file."""
    try:
        with path.open("rb") as file:
            found = pq.read_schema(file).metadata or {}
    except (OSError, pa.ArrowException):
        return ""
    return str(found.get(b"grouper.city", b""), errors="replace")


def _write_month(
    path: Path,
    city: City,
    month: int,
    weights: CaseWeights | None,
    done: Written,
    report: Callable[[], object],
) -> None:
    schema = SCHEMA.with_metadata({"grouper.city": _origin(city, month)})
    lists = [f"{name}.list.element" for name in ("diagnoses", "procedures")]
    used = [name for name in SCHEMA.names if name in _DICTIONARIES] + lists
    options = parquet_options(SCHEMA) | {"store_schema": True, "use_dictionary": used}
    with whole_file(path) as part, pq.ParquetWriter(local_path(part), schema, **options) as writer:
        for batch in city_batches(city, month, weights=weights, truth=True):
            _count(batch, done)
            writer.write_batch(
                batch.drop_columns([field.name for field in TRUTH]), row_group_size=batch.num_rows
            )
            report()


def _count(batch: pa.RecordBatch, done: Written) -> None:
    done.rows += batch.num_rows
    for name, counter in (("row_kind", done.kinds), ("row_fault", done.faults)):
        for entry in pc.value_counts(batch.column(name).drop_null()).to_pylist():
            counter[entry["values"]] += entry["counts"]
    for insurance, fen in _pool(batch).items():
        done.pool_fen[insurance] += fen


def _pool(batch: pa.RecordBatch) -> dict[str, int]:
    """What the pool paid, in fen, by insurance type."""
    paid, insured = batch.column("pool_paid"), batch.column("insurance_type")
    sums = {kind: pc.sum(paid.filter(pc.equal(insured, kind))).as_py() for kind in _INSURANCES}
    return {kind: int((amount or 0) * 100) for kind, amount in sums.items()}


def expected_budget(
    city: City, *, weights: CaseWeights | None = None, funded: int = FUNDED
) -> dict[str, int]:
    """A round budget in yuan for each insurance type: ``funded`` per cent of what the pool may expect to pay.

    Estimated from a sample of the year's rows, so the same whatever months are made. Only
    the people of the city count: what is paid for others is not its budget's.
    """  # fmt: skip
    return _expected(city, weights, funded)[0]


def _expected(city: City, weights: CaseWeights | None, funded: int) -> tuple[dict[str, int], dict[str, int]]:
    """``expected_budget``, and the part of it for care elsewhere."""
    expected: Counter[str] = Counter()
    away: Counter[str] = Counter()
    sample = max(1, min(city.rows, _SAMPLE))
    counted = 0
    for month in range(1, 13):
        wanted = sample * _length(city, month) // max(city.rows, 1)
        if wanted:
            batch = next(city_batches(city, month, batch_rows=wanted, weights=weights))
            own = pc.and_(pc.not_equal(batch.column("region_code"), city.elsewhere), batch["valid_flag"])
            left = pc.and_(own, pc.equal(batch.column("region_of_treatment"), city.elsewhere))
            counted += batch.num_rows
            expected.update(_pool(batch.filter(own)))
            away.update(_pool(batch.filter(left)))
    scale = city.rows / max(counted, 1) * funded / 10_000
    whole, part = (
        {kind: _round_figure(sums[kind] * scale) for kind in _INSURANCES} for sums in (expected, away)
    )
    return whole, part


def _length(city: City, month: int) -> int:
    order = maker_of(city).order
    return order.first_row(month + 1) - order.first_row(month)


def _round_figure(yuan: float) -> int:
    """Three figures that count."""
    unit: int = 10 ** max(0, len(str(int(yuan))) - 3)
    return round(yuan / unit) * unit


def _budget_toml(city: City, budget: dict[str, int], elsewhere: dict[str, int]) -> str:
    """A budget file as settlement reads it; the pools are named as in the shipped policies."""
    notes = [
        "模拟数据 / invented",
        f"约为预期统筹支付的 {FUNDED}%，单位：元 / in yuan, about {FUNDED} % of what the pool may expect",
        *(f"{pool}: {kind}" for kind, pool in POOLS.items()),
    ]
    pools = {
        pool: {
            "budget": str(budget[kind]),
            "carve_outs": [
                {"name": OFFSITE, "amount": str(elsewhere[kind]), "source": "模拟数据 / invented"}
            ],
        }
        for kind, pool in POOLS.items()
    }
    return toml_text({"period": str(city.year), "regions": [city.region], "pools": pools}, notes)
