"""The chain: for every run a file with all that the ledger has of it, by which a lost ledger is made again.

A run is finished from the moment that its record stands here; the ledger lists it right after. Runs that
older versions made get their records with the next run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grouper.base.errors import DataError
from grouper.base.formats import known
from grouper.base.whole import sync
from grouper.lake import ledger
from grouper.lake.layout import CHAIN, Lake, is_run
from grouper.lake.ledger import Record


@dataclass(frozen=True)
class Link:
    """A run as its record has it. ``hash``: that of its body, as computed when it was read."""

    record: Record
    previous: str
    hash: str


class BrokenLink(DataError):
    """A record in the chain that is torn or was changed."""


def place_of(run: str) -> str:
    """The record of a run, relative to the lake."""
    return f"{CHAIN}/{run}.json"


def runs(lake: Lake) -> list[str]:
    """The runs that have a record, in order."""
    return sorted(path.stem for path in lake.chain.glob("*.json") if is_run(path.stem))


def write(lake: Lake, folder: Path, record: Record, previous: str) -> str:
    """Put the record of a run in its place, by way of ``folder``; returns its hash."""
    body = record.body(previous)
    own = ledger.digest(body)
    run = record.run["run"]
    lake.chain.mkdir(exist_ok=True)
    made = folder / "record.part"
    made.write_text(_text(body, own), encoding="utf-8")
    if lake.private:
        made.chmod(0o600)
    sync(made)
    os.replace(made, lake.root / place_of(run))
    sync(lake.chain)
    return own


def _text(body: Mapping[str, Any], own: str) -> str:
    """One line a row, so that people can read it."""
    parts = []
    for name, value in body.items():
        if isinstance(value, list) and value:
            rows = ",\n  ".join(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in value)
            parts.append(f"{json.dumps(name)}: [\n  {rows}\n ]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}")
    parts.append(f'"hash": "{own}"')
    return "{" + ",\n ".join(parts) + "}\n"


def read(lake: Lake, run: str) -> Link:
    """The record of a run.

    Raises BrokenLink when it is not there, torn, of another run, or not what its hash is over; DataError when
    it is of a newer format.
    """
    path = lake.root / place_of(run)
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        own = body.pop("hash")
        number, version = body["run"].get("format") or 1, body["run"].get("software") or ""
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise _broken(path) from error
    if isinstance(number, int):
        known(number, "lake", str(path), DataError, version)
    try:
        record, previous = Record.of_body(body), str(body["previous"])
        found = ledger.digest(record.body(previous))
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise _broken(path) from error
    if found != own or ledger.digest(body) != own or record.run["run"] != run or path.is_symlink():
        raise _broken(path)
    return Link(record, previous, own)


def _broken(path: Path) -> BrokenLink:
    return BrokenLink(
        zh=f"{path} 缺失、残缺或被改动：与其哈希不符",
        en=f"{path} is missing, torn or was changed: it is not what its hash is over",
    )


def fill(lake: Lake, folder: Path) -> list[str]:
    """Give runs of the ledger that have no record theirs, where their rows are still what their hash is over;
    returns those that got one."""
    had, made = set(runs(lake)), []
    lacking = [run for run in ledger.hashes(lake) if run not in had]
    for run in lacking:
        with ledger.opened(lake) as connection:
            record = ledger.read(connection, run)
        previous = record.run["previous_hash"] or ""
        if ledger.digest(record.body(previous)) == record.run["hash"]:
            write(lake, folder, record, previous)
            made.append(run)
    return made


def remove(lake: Lake, run: str) -> None:
    """Take back the record of a run that did not come to be."""
    (lake.root / place_of(run)).unlink(missing_ok=True)
    if lake.chain.is_dir():
        sync(lake.chain)
