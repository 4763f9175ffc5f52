"""How long schemes take to load, ready to group (processor time), and how large their folders are.

    python benchmarks/editions.py chs-drg-2.0 chs-drg-3.0 dip-3.0 --runs 15

Each run is a process of its own that has imported everything before the clock starts; the schemes take turns,
so that a busy machine is as busy for all.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

_ONCE = "--once"


def once(scheme: str) -> float:
    """Milliseconds from the files of a scheme to its kernel."""
    import grouper
    from grouper.grouping.locate import locate

    family = locate(scheme).family
    apart = (id_ for id_, folder in family.folders().items() if id_ != scheme)
    warm = next(id_ for id_ in apart if family.meta(family.folders()[id_]).get("base") != scheme)
    _ = grouper.load_scheme(warm).engine.compiled.kernel  # what all schemes share: modules, code lists
    begin = time.process_time()
    _ = grouper.load_scheme(scheme).engine.compiled.kernel
    return 1000 * (time.process_time() - begin)


def size(scheme: str) -> tuple[int, int]:
    """Files and bytes of the folder of a scheme."""
    from grouper.grouping.locate import locate

    files = [path for path in Path(locate(scheme).folder).iterdir() if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("schemes", nargs="+")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument(_ONCE, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        print(once(given.schemes[0]))
        return
    times: dict[str, list[float]] = {scheme: [] for scheme in given.schemes}
    for _ in range(given.runs):
        for scheme in given.schemes:
            command = [sys.executable, __file__, scheme, _ONCE]
            times[scheme].append(float(subprocess.run(command, capture_output=True, check=True).stdout))
    print(f"{'scheme':16} {'min ms':>8} {'median ms':>10} {'files':>6} {'bytes':>10}")
    for scheme, found in times.items():
        files, number = size(scheme)
        print(f"{scheme:16} {min(found):8.1f} {statistics.median(found):10.1f} {files:6} {number:10,}")


if __name__ == "__main__":
    main()
