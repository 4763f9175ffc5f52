"""Make the benchmark file: synthetic discharge records in the canonical layout.

python benchmarks/generate.py bench.parquet
python benchmarks/generate.py bench-20m.parquet --rows 20000000
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

ROWS = 2_000_000
ROW_GROUP = 250_000
SEED = 1


def generate(
    path: Path, rows: int = ROWS, seed: int = SEED, row_group: int = ROW_GROUP, dirty: float = 0.0
) -> dict:
    """Write the file and say what it is: rows, seed, seconds, MiB."""
    from grouper.synth.rows import write_parquet

    start = time.perf_counter()
    write_parquet(path, rows, seed=seed, row_group=row_group, dirty=dirty)
    seconds = time.perf_counter() - start
    return {
        "path": str(path),
        "rows": rows,
        "seed": seed,
        "row_group": row_group,
        "dirty": dirty,
        "seconds": round(seconds, 2),
        "mib": round(path.stat().st_size / 2**20, 1),
    }


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("path", type=Path, help="Parquet file to write")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"default {ROWS:,}")
    parser.add_argument("--seed", type=int, default=SEED, help=f"default {SEED}")
    parser.add_argument("--row-group", type=int, default=ROW_GROUP, help=f"rows, default {ROW_GROUP:,}")
    parser.add_argument("--dirty", type=float, default=0.0, help="share of rows with a fault, default 0")
    args = parser.parse_args()
    print(json.dumps(generate(args.path, args.rows, args.seed, args.row_group, args.dirty)))


if __name__ == "__main__":
    main()
