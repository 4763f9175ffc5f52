"""What one scheme changes against another, in the form that all families share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_ZH = {"added": "新增", "removed": "删除", "renamed": "更名", "value": "取值", "codes": "编码"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of B against A.

    ``section`` and ``what`` are those of the family (its ``diff``): ``added``, ``removed``, ``renamed``,
    ``value`` (of an option), ``codes`` and others. ``key`` names the group, list, option or table.
    ``added`` and ``removed`` hold codes, or the groups concerned.
    """

    section: str
    key: str
    what: str
    before: str = ""
    after: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The change for JSON; a note where there is one."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "note" or self.note}


def of_options(
    old: Mapping[str, Any], new: Mapping[str, Any], unsaid: Collection[str] = ()
) -> Iterator[Change]:
    """Options with other values; those of ``unsaid`` mean nothing for grouping."""
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name) and name not in unsaid:
            yield Change("options", name, "value", _plain(old.get(name)), _plain(new.get(name)))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Words:
    """The words of a family: ``headings`` of its sections (Chinese, English) in the order in which they are
    told, and of its kinds of change: ``zh``, and ``en`` where the name does not do."""

    headings: Mapping[str, tuple[str, str]]
    zh: Mapping[str, str]
    en: Mapping[str, str] = field(default_factory=dict)

    def what(self, what: str, zh: bool) -> str:
        """The words for a kind of change."""
        return {**_ZH, **self.zh}[what] if zh else self.en.get(what, what)

    def lines(self, changes: Sequence[Change], line: Callable[[Change, bool], str], lang: str) -> list[str]:
        """The changes under headings, each as ``line`` puts it (in Chinese or not)."""
        zh = lang != "en"
        lines = []
        for section, heading in self.headings.items():
            some = [change for change in changes if change.section == section]
            if some:
                counts = Counter(change.what for change in some)
                summary = ", ".join(f"{self.what(what, zh)} {n}" for what, n in counts.items())
                lines += [f"{heading[0 if zh else 1]}: {summary}", *(f"  {line(c, zh)}" for c in some)]
        return lines
