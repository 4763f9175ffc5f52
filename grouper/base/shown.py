"""What a notebook shows of an object: one line that names it, not the tables that it holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from html import escape
from typing import Any

WIDEST = 120  # characters of a repr


class Shown(ABC):
    """An object whose ``repr`` is ``<Name line>``; dataclasses keep it, and cut what is too long."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__repr__ = _shown  # type: ignore[assignment]  # else a dataclass would write its own

    @abstractmethod
    def line(self) -> str:
        """What the object is, in one line."""

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"


def _shown(self: Shown) -> str:
    name, line = type(self).__name__, " ".join(self.line().split())
    room = WIDEST - len(name) - 3
    return f"<{name} {line if len(line) <= room else line[: room - 1] + '…'}>"


def counted(counts: Any) -> str:
    """Numbers by name, without those of 0: ``3 grouped, 1 invalid``."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
