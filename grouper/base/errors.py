"""Errors that a user can act on, each in Chinese and English with its exit code."""

from __future__ import annotations

EXIT_OK = 0
EXIT_USAGE = 1
EXIT_DATA = 2
EXIT_RECONCILIATION = 3


class GrouperError(Exception):
    """Base of all errors that are shown to the user as one message.

    ``zh`` and ``en`` say the same; ``str(error)`` is the English text.
    """

    exit_code = EXIT_USAGE

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en

    def text(self, lang: str) -> str:
        """The message in ``lang`` ("zh" or "en")."""
        return self.en if lang == "en" else self.zh


class UsageError(GrouperError):
    """The call itself cannot be carried out: unknown scheme, missing column, bad option."""


class TableError(GrouperError):
    """A rule table is wrong: bad syntax, missing list, digest that does not match."""


class DataError(GrouperError):
    """The input data cannot be read or are rejected as a whole."""

    exit_code = EXIT_DATA


class ReconciliationError(GrouperError):
    """Counts or sums do not add up; nothing was written."""

    exit_code = EXIT_RECONCILIATION
