"""Which scheme a name stands for: an id, the path of a folder, or an area, whatever its family."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

from grouper.base.paths import is_there
from grouper.grouping.engine import Named
from grouper.grouping.family import Family, families, family
from grouper.grouping.tables.folders import by_area, check_date


class Located(NamedTuple):
    """The folder of a scheme, and the kind of its family."""

    kind: str
    folder: Path

    @property
    def family(self) -> Family:
        return family(self.kind)

    def load(self, profile: str | None = None) -> Named:
        """The scheme itself. Raises TableError for broken tables."""
        return self.family.load(self.folder, profile)


def locate(name: str, when: date | None = None) -> Located:
    """The scheme named by id, by path, or by area and date.

    An area may have schemes of several families: then ``when``, or an id, must choose.
    Raises UsageError when nothing fits, when several do, or when it does not apply on ``when``.
    """
    shipped: dict[str, Located] = {}
    for each in families():
        folders = each.folders()
        if name in folders:
            return _checked(Located(each.KIND, folders[name]), when)
        shipped |= {id_: Located(each.KIND, folder) for id_, folder in folders.items()}
    for each in reversed(list(families())) if is_there(name) else ():
        if each.recognises(Path(name)):
            return _checked(Located(each.KIND, Path(name)), when)
    chosen = by_area(name, when, {id_: located.folder for id_, located in shipped.items()})
    return next(located for located in shipped.values() if located.folder == chosen)


def _checked(located: Located, when: date | None) -> Located:
    if when:
        check_date(located.family.meta(located.folder), when)
    return located


def shipped() -> list[Located]:
    """Every shipped scheme, family by family."""
    return [Located(each.KIND, folder) for each in families() for folder in each.folders().values()]


def stamp(name: str, when: date | None = None) -> tuple[tuple[str, int, int], ...]:
    """Path, time of change and size of every file of a scheme and of those it builds on.

    Equal stamps mean that a scheme loaded before is still the one on disk.
    """
    located = locate(name, when)
    folders = located.family.folders()
    found: list[tuple[str, int, int]] = []
    here: Path | None = located.folder
    while here is not None:
        for path in sorted(here.iterdir()):
            state = path.stat()
            found.append((str(path), state.st_mtime_ns, state.st_size))
        here = folders.get(located.family.meta(here).get("base") or "")
    return tuple(found)
