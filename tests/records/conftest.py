"""Reading in one line, for the tests of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from grouper.base.reasons import Flag
from grouper.records import ColumnMap, NormaliseOptions, Normaliser, Source, open_records


class Read(NamedTuple):
    rows: list[dict[str, Any]]
    flags: list[Flag]
    counts: Counter[str]
    kept: pa.Table


@pytest.fixture
def read() -> Callable[..., Read]:
    """Open, check and prepare files."""

    def run(
        paths: Path | str | Sequence[Path | str],
        fields: Sequence[str],
        options: NormaliseOptions | None = None,
        allow_missing: Sequence[str] = (),
        **how: Any,
    ) -> Read:
        with open_records(paths, **how) as source:
            normaliser = Normaliser(source.columns, fields, options, allow_missing)
            normaliser.check(source.schema)
            result = Read([], [], Counter(), source.schema.empty_table())
            batches = list(source.batches())
            for batch in batches:
                assert batch.schema.equals(source.schema)
                prepared = normaliser.prepare(batch, len(result.rows))
                assert prepared.batch.num_rows == len(prepared.flags) == batch.num_rows
                prepared.batch.validate(full=True)
                result.rows.extend(prepared.batch.to_pylist())
                result.flags.extend(Flag(bits) for bits in prepared.flags.to_pylist())
                result.counts.update(prepared.counts)
            result.counts.update(source.counts)
            return result._replace(kept=pa.Table.from_batches(batches, source.schema))

    return run


@pytest.fixture
def normalise() -> Callable[..., Read]:
    """Prepare columns given as lists or Arrow arrays under canonical names."""

    def run(columns: dict[str, Any], options: NormaliseOptions | None = None, **transforms: str) -> Read:
        number = len(next(iter(columns.values())))
        given = {"diagnoses": [["I10.x00"]] * number, "procedures": [[]] * number} | columns
        batch = pa.RecordBatch.from_pydict(
            {name: c if isinstance(c, pa.Array) else pa.array(c) for name, c in given.items()}
        )
        sources = {name: Source((name,), transforms.get(name, "")) for name in given}
        wanted = [
            f
            for f in (
                "sex",
                "age_years",
                "age_days",
                "birth_weight_g",
                "los_days",
                "discharge_way",
                "department",
                "icu_hours",
            )
            if f in columns
        ]
        if "birth_date" in columns:
            wanted += [field for field in ("age_years", "age_days") if field not in wanted]
        if (options and options.stay != "given") and "los_days" not in wanted:
            wanted.append("los_days")
        normaliser = Normaliser(ColumnMap("canonical", sources), wanted, options)
        normaliser.check(batch.schema)
        prepared = normaliser.prepare(batch)
        prepared.batch.validate(full=True)
        flags = [Flag(bits) for bits in prepared.flags.to_pylist()]
        return Read(prepared.batch.to_pylist(), flags, prepared.counts, pa.Table.from_batches([batch]))

    return run
