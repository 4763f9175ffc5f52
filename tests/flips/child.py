"""A process that reads damaged files, one for each line that it is told, and says how each ended.

Reads JSON lines {"kind": …, "path": …}; answers {"end": "result" | "refused" | "traceback", "what": …}. A
crash ends the process, a hang keeps it silent: its parent sees both.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import grouper
from grouper.base.errors import GrouperError

OUT = Path(sys.argv[-1])  # where results are written
SCHEME = "zhejiang-2022"


def records(path: Path) -> None:
    """What ``group`` does with a file, and what ``settle`` does with it; both as far as they come."""
    ended = []
    for read in (_group, _take_in):
        try:
            read(path)
        except GrouperError as error:
            ended.append(error)
    if ended:
        raise ended[0]


def _group(path: Path) -> None:
    from grouper.grouping.files import group_files

    target = OUT / "grouped.parquet"
    target.unlink(missing_ok=True)
    summary = group_files(_loaded(), [path], target)
    found = pq.ParquetFile(target).read()
    found.validate(full=True)
    assert found.num_rows == summary.rows == sum(summary.statuses.values())
    assert found["status"].null_count == 0


def _take_in(path: Path) -> None:
    from grouper.settlement.intake import InputFile, Reading, read_files

    target = OUT / "rows.parquet"
    target.unlink(missing_ok=True)
    taken = read_files([InputFile("month", str(path), Reading(), path.name)], _loaded(), target)
    found = pq.ParquetFile(target).read()
    found.validate(full=True)
    assert found.num_rows == taken.rows["month"]


def _loaded() -> grouper.Grouper:
    if not LOADED:
        LOADED.append(grouper.load_scheme(SCHEME, lang="en"))
    return LOADED[0]


LOADED: list[grouper.Grouper] = []


def policy(path: Path) -> None:
    from grouper.payment.policy.policy import load_policy
    from grouper.payment.price.build import build

    read = load_policy(path)
    assert len(read.digest) == 64
    for first, _ in read.epochs(read.valid_from, read.valid_to)[:3]:
        build(read, read.on(first))


def budget(path: Path) -> None:
    from grouper.payment.pool.budget import read_budget

    assert len(read_budget(path).digest) == 64


def column_map(path: Path) -> None:
    from grouper.records.columns import load_map

    try:
        load_map(path).bind([f"JBDM{i}" for i in range(40)] + ["1" * 60])
    except RecursionError:
        raise AssertionError from None


def table(path: Path) -> None:
    from grouper.base.tables_in import read_table

    for row in read_table(path):
        row.text("hospital_code")


def catalogue(folder: Path) -> None:
    from grouper.codes.book import CodeOptions
    from grouper.grouping.dip.engine import make_engine
    from grouper.grouping.dip.tables.catalogue import load

    make_engine(load(folder, profile="demo-a"), CodeOptions(), "en")


def scheme(folder: Path) -> None:
    from grouper.codes.book import CodeOptions
    from grouper.grouping.drg.engine import make_engine
    from grouper.grouping.drg.tables.store import load_folder

    make_engine(load_folder(folder), CodeOptions(), "en")


def native(seed: Path) -> None:
    """Arrays of other libraries, given to three engines by the face of the package and by each itself."""
    from .native import batch

    try:
        assert batch(int(seed.name)).num_rows
    except (ValueError, pa.ArrowException):  # the library that makes it sees it
        return
    for name in (SCHEME, "dip-taian-2025", "chs-drg-3.0"):
        if name not in ENGINES:
            ENGINES[name] = grouper.load_scheme(name, lang="en")
        with suppress(GrouperError):
            ENGINES[name].group(batch(int(seed.name))).validate(full=True)
        with suppress(GrouperError, ValueError, pa.ArrowException):
            ENGINES[name].engine.group(batch(int(seed.name)))


ENGINES: dict[str, grouper.Grouper] = {}


def dies(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def sleeps(path: Path) -> None:
    time.sleep(600)


def raises(path: Path) -> None:
    raise KeyError(path)


KINDS: dict[str, Callable[[Path], None]] = {
    "records": records, "policy": policy, "budget": budget, "columns": column_map, "table": table,
    "catalogue": catalogue, "scheme": scheme, "native": native, "dies": dies, "sleeps": sleeps,
    "raises": raises,
}  # fmt: skip


def ended(kind: str, path: Path) -> dict[str, str]:
    try:
        KINDS[kind](path)
    except GrouperError as error:
        assert error.zh and error.en
        return {"end": "refused", "what": error.en}
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)
        own = [f"{Path(f.filename).name}:{f.lineno}" for f in place if "grouper" in f.filename]
        return {
            "end": "traceback",
            "what": f"{type(error).__name__} {error} at {' < '.join(own[::-1][:4])}"[:600],
        }
    return {"end": "result", "what": ""}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    print(json.dumps({"end": "ready"}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(ended(asked["kind"], Path(asked["path"]))), file=answers, flush=True)
