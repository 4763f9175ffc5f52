"""Counts of the fault suite by kind and verdict: ``python -m tests.faults [PATTERN] [-v]``."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter

from tests.faults.judge import VERDICTS, Judge
from tests.faults.scene import Scene
from tests.faults.table import cases


def main() -> None:
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    begin, judge = time.monotonic(), Judge(Scene())
    counts: Counter[tuple[str, str]] = Counter()
    for case in cases():
        if words and not any(re.search(word, case.id) for word in words):
            continue
        before = time.monotonic()
        verdict, why = judge.verdict(case)
        counts[case.kind, verdict] += 1
        if verdict != "clean" or "-v" in sys.argv:
            took = time.monotonic() - before
            print(
                f"{verdict}  {case.id}  {took:.2f} s\n    {why}",
                flush=True,
            )
    kinds = dict.fromkeys(kind for kind, _ in counts)
    print("| kind | cases | " + " | ".join(VERDICTS) + " |\n|---|---|" + "---|" * len(VERDICTS))
    for kind in (*kinds, "all"):
        row = [
            sum(n for (k, v), n in counts.items() if kind in (k, "all") and v == verdict)
            for verdict in VERDICTS
        ]
        print(f"| {kind} | {sum(row)} | " + " | ".join(map(str, row)) + " |")
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
