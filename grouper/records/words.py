"""Fields whose values are words of a list: which words are understood, and what each is read as.

The words stand in ``tables/records/words.csv`` (field, word, value, source). A value may be a word
itself: 三级甲等 is 3a, and 3a is 3 unless somebody (a payment policy) tells 3a from 3. A word that
neither the list nor the caller knows is not understood: it is never taken for another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache, lru_cache

from grouper.base.errors import TableError, UsageError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table
from grouper.records.values import NOT_UNDERSTOOD, Parsed, Parser, blank, clean

FLAG_FIELDS = ("refund_flag", "valid_flag", "interim_flag")
# Regional codes of these go on behind a national one: 2101 is a kind of 21.
_WITH_SUBCODES = frozenset({"admission_type"})
_WHOLE = re.compile(r"0*(\d{1,18})(?:\.0{0,9})?")


@cache
def word_table() -> dict[str, dict[str, tuple[str, str]]]:
    """Field -> folded word -> (value, the word as the list writes it); the value "" says "not stated"."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    path = tables_dir() / "records" / "words.csv"
    for row in read_table(path, needed=("field", "word", "value"), kind=TableError):
        word = row.text("word")
        found.setdefault(row.text("field"), {})[fold_word(word)] = (row.text("value"), word)
    return found


def word_fields() -> tuple[str, ...]:
    """The canonical fields that have a list of words."""
    return tuple(word_table())


def fold_word(text: str) -> str:
    """A word as it is compared: half-width, in lower case, without blanks."""
    return "".join(clean(text)[0].casefold().split())


class WordReader:
    """Reads the words of one field.

    ``also``: words that the caller understands as they are (the levels of a policy). ``given``: a
    value map of the user, word -> value, which comes first.
    """

    def __init__(self, field: str, also: Iterable[str] = (), given: Mapping[str, str] | None = None) -> None:
        self.field = field
        self._words = {word: value for word, (value, _) in word_table().get(field, {}).items()}
        self._also = {fold_word(word): word for word in also}
        self._given = {fold_word(word): value for word, value in (given or {}).items()}

    def __call__(self, text: str) -> Parsed:
        """The value as a text, None where it is not stated; ``bad`` where the word is not understood."""
        text, note = clean(text)
        mapped = self._given.get(fold_word(text))
        if mapped is not None:
            text, note = clean(mapped)[0], "value-map"
        if (nothing := blank(text)) is not None:
            return nothing
        key = self._key(fold_word(text))
        if key is None:
            return NOT_UNDERSTOOD
        value = self._value(key)
        if value == "":
            return Parsed(None, note="not-stated")
        return Parsed(value, note=note or ("" if key == value else "text"))

    def _key(self, word: str) -> str | None:
        """The word by which ``word`` is known; a number may have zeros before it or behind a point."""
        whole = _WHOLE.fullmatch(word)
        for candidate in (word, whole[1] if whole else word):
            if candidate in self._also or candidate in self._words:
                return candidate
        if whole and self.field in _WITH_SUBCODES and len(whole[1]) > 2 and whole[1][:2] in self._words:
            return whole[1]
        return None

    def _value(self, word: str) -> str:
        seen: set[str] = set()
        while word not in self._also and word not in seen:
            seen.add(word)
            word = fold_word(self._words.get(word, word))
        return self._also.get(word, word)

    def known(self) -> str:
        """The values that are understood, each with its first word, for a message."""
        first: dict[str, str] = {}
        for value, word in word_table().get(self.field, {}).values():
            truth = value in ("true", "false") and word.isascii()
            if value and fold_word(word) != value and not truth:
                first.setdefault(value, word)
        listed = [f"{value} {word}" for value, word in first.items()]
        own = sorted(set(self._also.values()) - first.keys())
        return "、".join(listed + own)


def parse_sex(text: str) -> Parsed:
    """1 male, 2 female; unknown and not stated are missing."""
    return whole_number(_plain("sex"))(text)


def parse_discharge_way(text: str) -> Parsed:
    """1-5 or 9, as a code (1, 01, 1.0) or as a word of the list."""
    return whole_number(_plain("discharge_way"))(text)


def whole_number(read: Parser) -> Parser:
    """A reader of words whose values are codes, giving them as int."""

    def parse(text: str) -> Parsed:
        parsed = read(text)
        return parsed if parsed.value is None else parsed._replace(value=int(parsed.value))

    return parse


def flag(read: Parser) -> Parser:
    """A reader of words whose values are true and false, giving them as bool."""

    def parse(text: str) -> Parsed:
        parsed = read(text)
        return parsed if parsed.value is None else parsed._replace(value=parsed.value == "true")

    return parse


@lru_cache(maxsize=64)
def _plain(field: str) -> WordReader:
    return WordReader(field)


def known_words(field: str) -> str:
    """The values of a field that are understood, each with its first word."""
    return WordReader(field).known()


def check_value(field: str, value: str, where: str) -> None:
    """Raise UsageError when a value map gives a value that the field does not know.

    Levels of hospitals are not checked: a policy may have its own.
    """
    if field == "hospital_level" or field not in word_table():
        return
    if WordReader(field)(value).bad:
        known = known_words(field)
        raise UsageError(
            zh=f"{where}：{value!r} 不是 {field} 的值；可用：{known}",
            en=f"{where}: {value!r} is no value of {field}; known are {known}",
        )


def nearest(word: str, field: str, among: Collection[str] = ()) -> str:
    """The value of the known word that looks most like ``word``; "" when none does."""
    import difflib

    folded = fold_word(word)
    table = word_table().get(field, {})
    near = difflib.get_close_matches(folded, [*table, *map(fold_word, among)], 1, cutoff=0.6)
    return table[near[0]][0] if near and near[0] in table else ""
