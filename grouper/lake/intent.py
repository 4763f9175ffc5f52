"""What a run is about to put into the lake, said and kept by the disk before it does.

``.staging/<run>/intent.json`` names the files of a run that is not finished with their SHA-256. Only what
stands there may be taken back after the run has died; it goes last of all.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grouper.base.digests import sha256
from grouper.base.whole import sync
from grouper.lake.disk import make, prune
from grouper.lake.layout import PART, REPORTS, TABLES, Lake, is_run

NAME, _PART = "intent.json", "intent.part"


@dataclass(frozen=True)
class Intent:
    """``files``: path relative to the lake to SHA-256."""

    run: str
    files: Mapping[str, str]


def begin(lake: Lake, run: str) -> Path:
    """The staging folder of a run, with an intent that names nothing yet. The folder must not be there."""
    lake.staging.mkdir(mode=0o700, exist_ok=True)
    place = lake.staging / run
    place.mkdir(mode=0o700)
    write(lake, Intent(run, {}))
    sync(lake.staging)
    return place


def write(lake: Lake, intent: Intent) -> None:
    """Put an intent into the place of the one before it; it is on the disk when this returns."""
    place = lake.staging / intent.run
    made = place / _PART
    told = {"run": intent.run, "files": dict(sorted(intent.files.items()))}
    made.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sync(made)
    os.replace(made, place / NAME)
    sync(place)


def add(lake: Lake, run: str, files: Mapping[str, str]) -> None:
    """Name more files in the intent of a run."""
    found = read(lake, run)
    write(lake, Intent(run, {**(found.files if found else {}), **files}))


def read(lake: Lake, run: str) -> Intent | None:
    """The intent of a run; None where there is none, or it is none of ours."""
    path = lake.staging / run / NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        files = {str(name): str(digest) for name, digest in raw["files"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    if raw.get("run") != run or path.is_symlink() or not all(_of_run(name, run) for name in files):
        return None
    return Intent(run, files)


def _of_run(name: str, run: str) -> bool:
    """Whether a path is one where a file of this run may stand."""
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts:
        return False
    if parts[:2] == (REPORTS, run):
        return len(parts) > 2
    keys = ("area=", "year=", "month=", f"run={run}")
    return (
        len(parts) == 6 and parts[0] in TABLES and parts[5] == PART and parts[4] == keys[3]
        and all(part.startswith(key) for part, key in zip(parts[1:], keys, strict=False))
    )  # fmt: skip


def unfinished(lake: Lake) -> list[Intent]:
    """The intents that there are, by run."""
    if not lake.staging.is_dir() or lake.staging.is_symlink():
        return []
    names = sorted(path.name for path in lake.staging.iterdir() if is_run(path.name))
    return [found for name in names if (found := read(lake, name)) is not None]


def others(lake: Lake, intent: Intent) -> list[str]:
    """Files that an intent names but that are not what the run was to put there; "" digests are none."""
    found = []
    for name, digest in intent.files.items():
        path = lake.root / name
        if path.is_symlink() or (path.exists() and (not path.is_file() or sha256(path) != digest)):
            found.append(name)
    return found


def take_back(lake: Lake, intent: Intent) -> None:
    """Remove the files that an intent names, which are what it says, and then the intent."""
    _remove(lake, intent.files)
    end(lake, intent.run)


def _remove(lake: Lake, names: Iterable[str]) -> None:
    for name in names:
        path = lake.root / name
        path.unlink(missing_ok=True)
        prune(path.parent, lake.root)


def end(lake: Lake, run: str) -> None:
    """Remove the staging folder of a run that is over, its intent last."""
    place = lake.staging / run
    for path in place.iterdir():
        if path.name == NAME:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (place / NAME).unlink(missing_ok=True)
    prune(place, lake.root)


def empty(folder: Path) -> bool:
    """A staging folder of a run that died before it could say anything: nothing of anybody's is in it."""
    names = [path.name for path in folder.iterdir()]
    return not names or (names == [_PART] and (folder / _PART).is_file())


def drop_empty(lake: Lake) -> None:
    """Remove staging folders that are ``empty``."""
    if lake.staging.is_dir() and not lake.staging.is_symlink():
        for path in lake.staging.iterdir():
            if is_run(path.name) and path.is_dir() and not path.is_symlink() and empty(path):
                end(lake, path.name)
        prune(lake.staging, lake.root)


def place(lake: Lake, files: Mapping[str, Path]) -> None:
    """Move files, which an intent names, to their places relative to the lake; the disk has them then."""
    private = lake.private
    for name, source in files.items():
        target = lake.root / name
        if private:
            source.chmod(0o600)
        sync(source)
        named = make(target.parent, lake.root)
        os.replace(source, target)
        for folder in named:
            sync(folder)
