"""The token on a hospital's form: which run, which hospital and which state of the chain it belongs to."""

from __future__ import annotations

import hmac

from grouper.base.digests import sha256_of

TOKEN = 24  # hexadecimal digits


def token(run: str, hospital: str, head: str, key: bytes | None) -> str:
    """What binds a form to a run, a hospital and the chain as it was: a hash, under a key an HMAC."""
    text = f"grouper statement\n{run}\n{hospital}\n{head}\n"
    whole = hmac.new(key, text.encode(), "sha256").hexdigest() if key else sha256_of(text)
    return whole[:TOKEN]
