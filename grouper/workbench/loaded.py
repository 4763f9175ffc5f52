"""Schemes and policies that stay in memory, as long as their files are what they were.

Safe between threads: one object serves all of them. A file that changes on disk is read again.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

from grouper.base.errors import UsageError
from grouper.base.kept import Kept
from grouper.grouping.api import Grouper, load_scheme
from grouper.grouping.locate import shipped, stamp
from grouper.payment.policy.policy import Policy, find_policy, policy_files
from grouper.records.schema import GROUPING_FIELDS

_Stamp = tuple[tuple[str, int, int], ...]
_MOST_SCHEMES, _MOST_POLICIES = 64, 128


class _Held(NamedTuple):
    """Something loaded, and the state of the files that it was loaded from."""

    what: Grouper | Policy
    stamp: _Stamp

    def good(self) -> bool:
        try:
            return _state(path for path, _, _ in self.stamp) == self.stamp
        except OSError:
            return False


_SCHEMES: Kept[tuple[str, date | None, str, str], _Held] = Kept(_MOST_SCHEMES)
_POLICIES: Kept[tuple[str, date | None, tuple[tuple[str, str], ...]], _Held] = Kept(_MOST_POLICIES)


def scheme(name: str, when: date | None = None, *, stay: str = "given", lang: str = "zh") -> Grouper:
    """A scheme by id, path, or area and date. Fields that a record lacks are allowed to be missing.

    ``stay``, ``lang``: as in grouper.grouping.api.Options. Raises UsageError with near names.
    """

    def load() -> _Held:
        try:
            found = load_scheme(name, when=when, allow_missing=GROUPING_FIELDS, stay=stay, lang=lang)
            return _Held(found, stamp(name, when))
        except UsageError as error:
            raise _with_near(error, name, [*(located.folder.name for located in shipped())]) from error

    found = _SCHEMES.get((name, when, stay, lang), load, _Held.good).what
    assert isinstance(found, Grouper)
    return found


def policy(name: str, when: date | None = None, what_if: Mapping[str, str] | None = None) -> Policy:
    """A policy by id, path, or area and date; with ``what_if``, some parameters changed.

    Raises UsageError with near names.
    """
    changes = tuple(sorted((what_if or {}).items()))
    own = _of_area(name, when)
    name, when = (own, None) if own else (name, when)

    def load() -> _Held:
        try:
            found = find_policy(name, when)
        except UsageError as error:
            known = [*policy_ids(), *(id_.split("/")[0] for id_ in policy_ids())]
            raise _with_near(error, name, known) from error
        tables = [table.path for table in (found.weights, found.means) if table]
        state = _state(str(path) for path in (*found.files, *tables))
        return _Held(found.changed(dict(changes)) if changes else found, state)

    found = _POLICIES.get((name, when, changes), load, _Held.good).what
    assert isinstance(found, Policy)
    return found


def _of_area(name: str, when: date | None) -> str | None:
    """The id of the one policy of an area that is valid on a day; None where that is not clear."""
    ids = policy_ids()
    if name in ids:
        return name
    found = [id_ for id_ in ids if id_.split("/")[0] == name]
    valid = [id_ for id_ in found if when is None or (p := policy(id_)).valid_from <= when <= p.valid_to]
    return valid[0] if len(valid) == 1 else None


@cache
def policy_ids() -> tuple[str, ...]:
    """The ids of the shipped policies; they do not change while the program runs."""
    return tuple(policy_files())


def _state(paths: Iterable[str]) -> _Stamp:
    states = ((path, Path(path).stat()) for path in paths)
    return tuple((path, state.st_mtime_ns, state.st_size) for path, state in states)


def _with_near(error: UsageError, name: str, known: list[str]) -> UsageError:
    """The error with the names that look like the one that is not known."""
    near = difflib.get_close_matches(name, known, 3, cutoff=0.5)
    if not near or name in known or any(each in error.zh for each in near):
        return error
    return UsageError(zh=f"{error.zh}；相近：{'、'.join(near)}", en=f"{error.en}; near: {', '.join(near)}")
