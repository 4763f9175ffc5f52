"""DIP code texts to ids: known codes at once, others by step 1, and new ids for codes no list knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from grouper._fast.codes import BLANK, LOST_ZERO
from grouper.codes.book import UNKNOWN, CodeBook, CodeOptions, Kind, Resolved
from grouper.grouping.dip import normalise


class DipCodes(CodeBook):
    """All codes of one kind that the lists and the catalogue know; shared between threads.

    A code that nobody knows resolves to UNKNOWN with its normalised text: its beginning still counts.
    """

    def __init__(
        self, kind: Kind, codes: Sequence[str], crosswalk: Mapping[str, str], options: CodeOptions
    ) -> None:
        super().__init__(kind, codes, crosswalk, options)
        self._normalise = normalise.diagnosis if kind == "diagnosis" else normalise.procedure

    def _resolve(self, text: str) -> Resolved:
        folded = self._normalise(text)
        if not folded:
            return Resolved(BLANK, "", "blank" if text else "")
        code = self._spelled(folded)
        if code is not None and self.options.clinical and code in self._crosswalk:
            target = self._crosswalk[code]
            if not target:
                return Resolved(UNKNOWN, folded, "unmapped")
            return Resolved(self._ids.get(target, UNKNOWN), target, "crosswalk")
        if code in self._ids:
            dotted = "." in code and "." not in normalise.fold(text)
            return Resolved(self._ids[code], code, "dot" if dotted else "notation")
        if code is not None:
            return Resolved(UNKNOWN, folded, "clinical")
        guess = self._cut_short(folded) if self.kind == "diagnosis" else self._zeros(folded)
        return guess or self._inside(text) or Resolved(UNKNOWN, folded, "unknown")

    def _cut_short(self, folded: str) -> Resolved | None:
        """A diagnosis that may be the beginning of a full code (I63.9); as it is, its beginning counts."""
        code = self.completed(folded)
        if code is None:
            return None
        if self.options.repair:
            return Resolved(self._ids[code], code, "completed")
        return Resolved(UNKNOWN, folded, "cut-short")

    def _zeros(self, folded: str) -> Resolved | None:
        """A number that may be an operation without its zeros."""
        code = self.completed(folded) if normalise.with_zeros(folded) else None
        if code is None:
            return None
        if self.options.repair:
            return Resolved(self._ids[code], code, "zero-repaired")
        return Resolved(LOST_ZERO, code, "lost-zero")


class BatchCodes(DipCodes):
    """A code book for one batch: codes that nobody knows get ids of their own behind the known ones."""

    def __init__(self, book: DipCodes) -> None:
        self.__dict__.update(book.__dict__)  # shares the index and the memory of texts
        self._book = book
        self.extra: dict[str, int] = {}

    def resolve(self, text: str | bytes) -> Resolved:
        found = self._book.resolve(text)
        if found.id != UNKNOWN:
            return found
        number = self.extra.setdefault(found.code, len(self.codes) + 1 + len(self.extra))
        return found._replace(id=number)

    def texts(self) -> Iterable[str]:
        """The code of each id, from 0 on."""
        return ("", *self.codes, *self.extra)
