"""Make the example weights and scores of edition 3.0: fitted to a year of an invented city, nobody's prices.

python benchmarks/example_tables.py            # into tables/, the same bytes each time
python benchmarks/example_tables.py --to DIR

Writes weights/chs-drg-3.0-example.csv (grouper weights fit) and dip/dip-3.0-example (grouper catalogue
build --on dip-3.0), and says the mean costs that the example policies national/*-3.0 take for
rate and point values.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).parent.parent
WEIGHTS, CATALOGUE = "weights/chs-drg-3.0-example.csv", "dip/dip-3.0-example"
ROWS, YEAR, SEED = 200_000, 2026, 1
SOURCE = (
    f"Fitted to an invented city ({ROWS:,} discharges of {YEAR}, seed {SEED}); no patients, no area: "
    "an example. Made by benchmarks/example_tables.py"
)
_KEPT = ("drg", "name", "weight", "cases", "mean_cost", "basic", "unstable", "note")


def make(target: Path) -> dict[str, str]:
    """Write the tables below ``target``; returns the mean cost of all cases under both schemes, in yuan."""
    from grouper.synth.city import City, write_city

    with tempfile.TemporaryDirectory() as folder:
        write_city(folder, City(rows=ROWS, year=YEAR, seed=SEED, refunds=0, dirty=0))
        history = sorted(map(str, Path(folder).glob("*.parquet")))
        return {"chs-drg-3.0": _weights(history, target), "dip-3.0": _scores(history, target)}


def _weights(history: list[str], target: Path) -> str:
    """The table of weights, in which the fit marks the primary-care groups of the scheme."""
    import json

    from grouper.fitting.weights import WeightOptions, fit, sidecar, write

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "weights.csv"
        write(fit(history, "chs-drg-3.0", WeightOptions(year_weights=(1,), untrimmed="as-is")), made)
        rows = list(csv.DictReader(made.read_text(encoding="utf-8").splitlines()))
        mean = json.loads(sidecar(made).read_text(encoding="utf-8"))["mean_cost_yuan"]
    path = target / WEIGHTS
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _KEPT, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return mean


def _scores(history: list[str], target: Path) -> str:
    """The catalogue of scores on dip-3.0, without the report of the fit."""
    from grouper.fitting.catalogue import CatalogueOptions, build, quality, scheme_meta, write

    built = build(history, CatalogueOptions(year_weights=(Decimal(1),), untrimmed="as-is", on="dip-3.0"))
    meta = scheme_meta(
        built, "dip-3.0-example", "DIP 3.0示例分值（由虚构城市测算，非任何地区的分值）", "national"
    )
    meta |= {"verified": False, "sources": ["dip-3.0: packets and rules", SOURCE]}
    place = target / CATALOGUE
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        write(built, made, meta)
        for name in ("scheme.toml", "catalogue.csv", "scores.csv"):
            shutil.copyfile(made / name, place / name)
    return str(quality(built)["mean_cost_yuan"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=ROOT / "tables")
    for scheme, mean in make(parser.parse_args().to).items():
        print(f"{scheme}: mean cost {mean} yuan")


if __name__ == "__main__":
    main()
