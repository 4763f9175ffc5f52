"""How many conformance vectors of each scheme get the group that they state.

    python benchmarks/vectors.py VECTORS/drg VECTORS/dip

A folder of DRG vectors has one Parquet file a scheme, a folder of DIP vectors one a catalogue, with the codes
of the expected groups in ``expected_…``; ``tests/test_conformance.py`` and ``tests/dip`` test the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import grouper

DRG = {"expected_mdc": "mdc", "expected_adrg": "adrg", "expected_drg": "drg"}
DIP = {"expected_dip": "dip_code"}
FEN = pa.decimal128(18, 2)


def records_of(path: Path, weight: str) -> pa.Table:
    """The vectors with the weight, of which they have one, as the scheme names it; costs in fen."""
    table = pq.read_table(path)
    names = [weight if name == "birth_weight_g" else name for name in table.schema.names]
    table = table.rename_columns(names)
    for name in {"birth_weight_g", "admission_weight_g"} - set(names):
        table = table.append_column(name, pa.nulls(table.num_rows, pa.int32()))
    absent = {"discharge_way": pa.int32(), "icu_hours": pa.float64(), "department": pa.string()}
    for name, type_ in absent.items():
        if name not in names:
            table = table.append_column(name, pa.nulls(table.num_rows, type_))
    if "total_cost" not in names:
        return table.append_column("total_cost", pa.nulls(table.num_rows, FEN))
    place = names.index("total_cost")
    return table.set_column(place, "total_cost", pc.round(table["total_cost"], 2).cast(FEN))


def agree(path: Path, scheme: str, expected: dict[str, str]) -> tuple[int, int]:
    """Rows, and those of which every expected code came out."""
    loaded = grouper.load_scheme(scheme)
    columns = getattr(loaded.engine.compiled, "columns", {})
    records = records_of(path, columns.get("weight", "birth_weight_g"))
    found = loaded.group(records.drop_columns([n for n in records.schema.names if n.startswith("expected_")]))
    same = [
        [a == b for a, b in zip(records[wanted].to_pylist(), found[name].to_pylist(), strict=True)]
        for wanted, name in expected.items()
    ]
    return records.num_rows, sum(map(all, zip(*same, strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    rows = right = 0
    for path in sorted(path for folder in parser.parse_args().folders for path in folder.glob("*.parquet")):
        drg = "expected_drg" in pq.read_schema(path).names
        name = path.stem if drg or path.stem.startswith("dip-") else f"dip-{path.stem}"
        number, equal = agree(path, name, DRG if drg else DIP)
        rows, right = rows + number, right + equal
        print(f"{name:32} {number:8,} {equal:8,}", flush=True)
    print(f"{'all':32} {rows:8,} {right:8,}")
    return 0 if rows == right else 1


if __name__ == "__main__":
    sys.exit(main())
