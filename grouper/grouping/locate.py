"""Which scheme a name stands for: an id, the path of a folder, or an area; DRG and DIP alike."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from grouper.grouping.drg.tables import store


class Located(NamedTuple):
    """The folder of a scheme, and what kind of scheme it is."""

    kind: Literal["drg", "dip"]
    folder: Path


def locate(name: str, when: date | None = None) -> Located:
    """The scheme named by id, by path, or by area and date.

    An area may have DRG and DIP schemes: then ``when``, or an id, must choose.
    Raises UsageError when nothing fits, when several do, or when it does not apply on ``when``.
    """
    from grouper.grouping.dip.tables import catalogue

    drg = store.scheme_folders()
    if name not in drg:
        folder = catalogue.find(name, when)
        if folder is not None:
            return Located("dip", folder)
        if not (Path(name) / "scheme.toml").is_file():
            dip = catalogue.scheme_folders()
            folder = store.by_area(name, when, {**drg, **dip})
            return Located("dip" if folder in dip.values() else "drg", folder)
    return Located("drg", store.find(name, when))


def stamp(name: str, when: date | None = None) -> tuple[tuple[str, int, int], ...]:
    """Path, time of change and size of every file of a scheme and of those it builds on.

    Equal stamps mean that a scheme loaded before is still the one on disk.
    """
    kind, folder = locate(name, when)
    folders = store.scheme_folders()
    if kind == "dip":
        from grouper.grouping.dip.tables import catalogue

        folders = catalogue.scheme_folders()
    found: list[tuple[str, int, int]] = []
    here: Path | None = folder
    while here is not None:
        for path in sorted(here.iterdir()):
            state = path.stat()
            found.append((str(path), state.st_mtime_ns, state.st_size))
        here = folders.get(store.read_meta(here).get("base") or "")
    return tuple(found)
