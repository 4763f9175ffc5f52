"""Sessions of browsers, kept in memory: who has come in, in which language, with which sign for forms."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

_MOST = 10_000
_IDLE = 8 * 3600.0  # seconds: a working day


@dataclass
class Session:
    """``csrf``: what every form of this session brings along. ``inside``: the password was shown."""

    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    inside: bool = False
    lang: str = ""
    seen: float = 0.0

    def signed(self, given: str) -> bool:
        """Whether a form is of this session."""
        return hmac.compare_digest(self.csrf.encode(), given.encode())


class Sessions:
    """At most so many, by a secret that only the cookie of the browser holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Session] = OrderedDict()

    def get(self, key: str) -> Session | None:
        """The session of a cookie, unless it has been idle too long."""
        now = time.monotonic()
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            if now - found.seen > _IDLE:
                del self._held[key]
                return None
            found.seen = now
            self._held.move_to_end(key)
            return found

    def begin(self, *, inside: bool = False, lang: str = "") -> tuple[str, Session]:
        """A new session and its secret."""
        key, made = secrets.token_urlsafe(32), Session(inside=inside, lang=lang, seen=time.monotonic())
        with self._lock:
            self._held[key] = made
            while len(self._held) > _MOST:
                self._held.popitem(last=False)
        return key, made

    def end(self, key: str) -> None:
        with self._lock:
            self._held.pop(key, None)


class Buckets:
    """How often somebody may do something: ``rate`` times a second, ``burst`` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> bool:
        """Whether it may be done once more now."""
        now = time.monotonic()
        with self._lock:
            left, when = self._held.get(key, (float(self._burst), now))
            left = min(float(self._burst), left + (now - when) * self._rate)
            taken = left >= 1
            self._held[key] = (left - taken, now)
            self._held.move_to_end(key)
            while len(self._held) > _MOST:
                self._held.popitem(last=False)
        return taken
