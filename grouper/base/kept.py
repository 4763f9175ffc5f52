"""Values that are dear to make, kept in memory: bounded, and safe between threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Slot(Generic[V]):
    """One value, made once by whoever asks first; others wait for it, not for other values."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: list[V] = []


class Kept(Generic[K, V]):
    """At most ``most`` values by key; the one that nobody asked for longest goes first.

    A key should say all that its value depends on, such as a digest. What raises is not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._slots: OrderedDict[K, _Slot[V]] = OrderedDict()

    def get(self, key: K, make: Callable[[], V], good: Callable[[V], bool] | None = None) -> V:
        """The value of ``key``; ``make`` makes it where there is none, or one no longer ``good``."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
        with slot.lock:
            if not slot.value or (good is not None and not good(slot.value[0])):
                slot.value[:] = [make()]
            return slot.value[0]

    def __len__(self) -> int:
        return len(self._slots)
