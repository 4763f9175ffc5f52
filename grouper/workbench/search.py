"""Codes and groups searched as one types: by code, name, pinyin and initials; and where a code can lead.

    grouper.search("ngs", scheme="chs-drg-2.0")      脑梗死 …
    grouper.leads("I63.900", "chs-drg-2.0")

The index of codes is made once for the process, that of groups once for each scheme; a search takes a few
milliseconds.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from grouper.base.errors import UsageError
from grouper.base.kept import Kept
from grouper.codes import icd
from grouper.grouping.api import Grouper
from grouper.grouping.family import family
from grouper.workbench import loaded
from grouper.workbench.pinyin import read

FORMAT, LEADS_FORMAT = "grouper.search/1", "grouper.leads/1"
KINDS = ("diagnosis", "procedure", "group")
_CLASSES = {
    "surgery": ("手术", "surgery"),
    "therapeutic": ("治疗性操作", "therapeutic"),
    "diagnostic": ("诊断性操作", "diagnostic"),
    "interventional": ("介入治疗", "interventional"),
    "": ("", ""),
}
_HOW = {
    "code": ("编码", "code"), "name": ("名称", "name"), "initials": ("拼音首字母", "initials"),
    "pinyin": ("拼音", "pinyin"),
}  # fmt: skip
_LONGEST = 60  # characters of a query that are looked at
_ENOUGH = 2_000  # places where a text stands that are looked at
_MOST = 200  # results


class Item(NamedTuple):
    """Something that can be found. ``above``: of a group, what it belongs to."""

    kind: str
    code: str
    name: str
    above: str = ""


class _Texts:
    """Texts of many items in one, so that one search finds them all."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._starts: list[int] = []
        self._owner: list[int] = []
        parts, place = [], 0
        for number, several in enumerate(texts):
            for text in several:
                self._starts.append(place)
                self._owner.append(number)
                parts.append(text)
                place += len(text) + 1
        self._whole = "\n".join(parts)

    def find(self, text: str) -> Iterator[tuple[int, bool]]:
        """The items that hold a text, and whether it begins there."""
        place, number = self._whole.find(text), 0
        while place >= 0 and number < _ENOUGH:
            at = bisect_right(self._starts, place) - 1
            yield self._owner[at], self._starts[at] == place
            following = self._starts[at + 1] if at + 1 < len(self._starts) else len(self._whole)
            place, number = self._whole.find(text, following), number + 1


class Index:
    """The items of one kind, found by code, name, initials and pinyin. Immutable; many threads may use it."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = sorted(items, key=lambda item: _folded(item.code))
        self._codes = [_folded(item.code) for item in self.items]
        readings = [read(item.name) for item in self.items]
        self._names = _Texts([[_plain(item.name)] for item in self.items])
        self._initials = _Texts([initials for initials, _ in readings])
        self._pinyin = _Texts([whole for _, whole in readings])

    def search(self, text: str) -> list[tuple[Item, int]]:
        """What a text finds, the best first, each with its place in ``RANKS``. Words between blanks must all
        fit."""
        words = text[:_LONGEST].split()
        if not words:
            return []
        found = self._word(words[0])
        for word in words[1:]:
            more = self._word(word)
            found = {number: max(rank, more[number]) for number, rank in found.items() if number in more}
        best = sorted(found.items(), key=lambda item: (*_order(self.items[item[0]], item[1]), item[0]))
        return [(self.items[number], rank) for number, rank in best]

    def _word(self, word: str) -> dict[int, int]:
        """Item -> place in ``RANKS`` of what one word finds."""
        found: dict[int, int] = {}
        code = _folded(word)
        if code:
            begin = bisect_left(self._codes, code)
            for number in range(begin, min(begin + _ENOUGH, len(self._codes))):
                if not self._codes[number].startswith(code):
                    break
                found[number] = 0 if self._codes[number] == code else 1
        plain = _plain(word)
        for texts, first in ((self._names, 2), (self._initials, 4), (self._pinyin, 6)):
            if first > 2 and not (plain.isascii() and plain.isalnum() and len(plain) > 1):
                continue
            for number, begins in texts.find(plain) if plain else ():
                rank = first if begins else first + 1
                found[number] = min(found.get(number, rank), rank)
        return found


# How something is found, the best first: a whole code, the beginning of one, then each at the beginning of a
# name before its middle.
RANKS = ("code", "code", "name", "name", "initials", "initials", "pinyin", "pinyin")
_NOT_PLAIN = re.compile(r"[\s\-_,.;:、，。；：()（）\[\]【】/]")


def _order(item: Item, rank: int) -> tuple[int, int]:
    """Codes in their order, names by their length."""
    return rank, len(item.name) if RANKS[rank] != "code" else 0


def _folded(code: str) -> str:
    return code.upper().replace(".", "").replace(" ", "")


def _plain(name: str) -> str:
    return _NOT_PLAIN.sub("", name.casefold())


@lru_cache(maxsize=16)
def codes(kind: str) -> Index:
    """The index of "diagnosis" or "procedure" codes."""
    names = icd.diagnoses() if kind == "diagnosis" else icd.procedures_of(icd.EDITIONS[-1])
    return Index(Item(kind, code, name) for code, name in names.items())


_GROUPS: Kept[tuple[str, str], Index] = Kept(64)


def groups(grouper: Grouper) -> Index:
    """The index of the groups of a scheme."""
    scheme = grouper.engine.scheme

    def make() -> Index:
        named = family(grouper.engine.kind).named_groups(scheme)
        return Index(Item("group", code, name, above) for code, name, above in named)

    return _GROUPS.get((scheme.id, scheme.digest), make)


def search(
    text: str,
    scheme: str | None = None,
    *,
    kinds: Sequence[str] = KINDS,
    limit: int = 20,
    lang: str = "zh",
) -> dict[str, Any]:
    """What a text finds: codes of ICD-10 and ICD-9-CM-3 (医保版), and groups of ``scheme``.

    Plain data: ``items`` with kind, code, name and how it was found; of codes also class, grey and, with a
    scheme, what it says of them (``standing``). ``more``: there are others. Raises UsageError for a scheme,
    a kind or a limit that is none.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not 1 <= limit <= _MOST:
        raise UsageError(
            zh=f"kinds 应为 {'、'.join(KINDS)}，limit 为 1 至 {_MOST}",
            en=f"kinds are {', '.join(KINDS)}, and limit is from 1 to {_MOST}",
        )
    grouper = loaded.scheme(scheme) if scheme else None
    found: list[tuple[Item, int]] = []
    for kind in kinds:
        if kind != "group":
            found += codes(kind).search(text)
        elif grouper is not None:
            found += groups(grouper).search(text)
    found.sort(key=lambda item: _order(*item))
    return {
        "format": FORMAT,
        "query": text[:_LONGEST].encode("utf-8", "replace").decode(),
        "scheme": grouper.id if grouper else None,
        "items": [_told(item, RANKS[rank], grouper, lang) for item, rank in found[:limit]],
        "more": len(found) > limit,
    }


def _told(item: Item, how: str, grouper: Grouper | None, lang: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": item.kind, "code": item.code, "name": item.name, "how": how,
        "how_text": _HOW[how][lang == "en"],
    }  # fmt: skip
    if item.kind == "group":
        return told | {"above": item.above}
    diagnosis = item.kind == "diagnosis"
    class_ = "" if diagnosis else icd.procedure_kinds().get(item.code, "")
    grey = icd.grey_diagnoses() if diagnosis else icd.grey_procedures()
    told |= {"class": class_, "class_text": _CLASSES[class_][lang == "en"], "grey": item.code in grey}
    if grouper is not None:
        told["standing"] = family(grouper.engine.kind).standing(grouper.engine, item.code)
    return told


def leads(code: str, scheme: str, *, lang: str = "zh") -> dict[str, Any]:
    """Where a code can lead in a scheme: the groups that ask for it, and at which place of the record.

    ``code``: in any notation that files may have. Raises UsageError for a scheme that is not known, and for a
    text that is no code of it.
    """
    grouper = loaded.scheme(scheme)
    official = _official(code)
    if official is None:
        near = [item.code for item, rank in _near(code) if RANKS[rank] == "code"][:5]
        raise UsageError(
            zh=f"{code!r} 不是编码" + (f"；相近：{'、'.join(near)}" if near else ""),
            en=f"{code!r} is no code" + (f"; near: {', '.join(near)}" if near else ""),
        )
    kind = "diagnosis" if official in icd.diagnoses() else "procedure"
    return {
        "format": LEADS_FORMAT,
        "scheme": grouper.id,
        "item": _told(Item(kind, official, _names(kind)[official]), "code", grouper, lang),
        "leads": list(family(grouper.engine.kind).leads(grouper.engine, official, lang)),
    }


def _names(kind: str) -> dict[str, str]:
    return icd.diagnoses() if kind == "diagnosis" else icd.procedures_of(icd.EDITIONS[-1])


def _official(code: str) -> str | None:
    """The code that a text is, whatever its case and dots."""
    for kind in ("diagnosis", "procedure"):
        found = codes(kind).search(code)[:1]
        if found and found[0][1] == 0:
            return found[0][0].code
    return None


def _near(code: str) -> list[tuple[Item, int]]:
    return [*codes("diagnosis").search(code)[:5], *codes("procedure").search(code)[:5]]
