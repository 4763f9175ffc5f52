"""What in a lake belongs to a run, and what to nobody."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from grouper.base.errors import UsageError
from grouper.lake import chain, guide, intent
from grouper.lake.formats import CHAINED
from grouper.lake.layout import (
    CHAIN,
    DEMO,
    LEDGER,
    LOCK,
    REPORTS,
    SET_ASIDE,
    STAGING,
    TABLES,
    Lake,
)
from grouper.lake.ledger import Record

_OF_LAKE = frozenset({LEDGER, f"{LEDGER}.wal", LOCK, DEMO})


def files_below(root: Path, start: Path | None = None) -> Iterator[str]:
    """Every file, link and special file below a folder, relative to ``root``; links are not followed.

    Raises UsageError for a folder that cannot be looked into.
    """
    for folder, names, files in os.walk(start or root, onerror=_unreadable):
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*files, *links]):
            yield Path(folder, name).relative_to(root).as_posix()


def _unreadable(error: OSError) -> NoReturn:
    raise UsageError(
        zh=f"无法读取目录 {error.filename}：{error.strerror}",
        en=f"cannot look into {error.filename}: {error.strerror}",
    ) from error


def unexplained(lake: Lake, runs: Collection[str]) -> list[str]:
    """Files where runs keep theirs that belong to none of ``runs``. Their own folders are not looked into."""
    found: list[str] = []
    for folder in sorted(_strange_folders(lake, runs)):
        whole = folder.is_dir() and not folder.is_symlink()
        found += files_below(lake.root, folder) if whole else [folder.relative_to(lake.root).as_posix()]
    return found


def _strange_folders(lake: Lake, runs: Collection[str]) -> Iterator[Path]:
    places = [(table, ("area=", "year=", "month=", "run=")) for table in TABLES]
    for name, keys in [*places, (REPORTS, ("",)), (CHAIN, ("",)), (STAGING, ("",))]:
        top = lake.root / name
        if top.is_symlink() or top.is_file():
            yield top
        elif top.is_dir():
            yield from _within(top, keys, runs)


def _within(folder: Path, keys: tuple[str, ...], runs: Collection[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        inner = path.is_dir() and not path.is_symlink() and path.name.startswith(keys[0])
        if not inner:
            if not (folder.name == CHAIN and path.is_file() and path.stem in runs and path.suffix == ".json"):
                yield path
        elif len(keys) > 1:
            yield from _within(path, keys[1:], runs)
        elif folder.name == STAGING or path.name.removeprefix(keys[0]) not in runs:
            yield path


def unowned(lake: Lake, records: Iterable[Record], unfinished: Iterable[intent.Intent] = ()) -> list[str]:
    """Every file, link or special file of a lake that is not one that a run wrote; nor what repair set aside.

    Reports of runs before format 3 have no digests: their folders are taken for theirs.
    """
    owned, folders = {*_OF_LAKE, *guide.own(lake)}, {SET_ASIDE}
    for record in records:
        run = record.run["run"]
        owned.add(chain.place_of(run))
        owned.update(row["path"] for row in record.rows["outputs"])
        if record.format < CHAINED:
            folders.add(f"{REPORTS}/{run}")
    for found in unfinished:
        owned.update((*found.files, chain.place_of(found.run)))
        folders.add(f"{STAGING}/{found.run}")
    return [
        name for name in files_below(lake.root)
        if name not in owned and not any(name.startswith(f"{folder}/") for folder in folders)
    ]  # fmt: skip


def set_aside(lake: Lake) -> list[str]:
    """The files that repair set aside."""
    folder = lake.root / SET_ASIDE
    return list(files_below(lake.root, folder)) if folder.is_dir() else []


def links(lake: Lake) -> list[str]:
    """Links in a lake, which has none of its own."""
    names = (name for name in files_below(lake.root) if not name.startswith(f"{SET_ASIDE}/"))
    return [name for name in names if (lake.root / name).is_symlink()]
