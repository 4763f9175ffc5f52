"""The key of the hash that stands for person ids: read from a file that its owner alone may read, refused
when it is easily guessed, and never kept."""

from __future__ import annotations

import hmac
import math
import os
import stat
from collections import Counter
from itertools import pairwise
from pathlib import Path

from grouper.base.errors import UsageError

KEY_BYTES = 16
_LARGEST = 65_536  # bytes of a key file
_BITS = 48  # by the frequencies of its bytes; 16 bytes drawn at random have about 62
_STEP = 0.5  # share of neighbours that are the same or follow each other


def read_key(path: str, flag: str = "--pseudonymise") -> bytes | None:
    """The key of a file that ``flag`` named, without blanks and line ends around it; None where none is.

    Raises UsageError for a file that others may read, and for a key that is too short to keep a secret.
    """
    if not path:
        return None
    try:
        mode = Path(path).stat().st_mode
        content = b""
        if stat.S_ISREG(mode):  # a pipe would not end, or be waited for
            with Path(path).open("rb") as file:
                content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(
            zh=f"无法读取 {path}（{flag}）：{error.strerror}",
            en=f"cannot read {path} ({flag}): {error.strerror}",
        ) from error
    if not stat.S_ISREG(mode):
        raise _refused(path, "不是普通文件", "is no plain file", flag)
    if os.name == "posix" and mode & 0o077:
        raise _refused(
            path,
            f"其他用户也可读取；请先 chmod 600 {path}",
            f"may be read by others; chmod 600 {path} first",
            flag,
        )
    key = content.strip()
    if len(content) > _LARGEST:
        raise _refused(path, "过大，不像密钥", "is too large for a key", flag)
    if len(key) < KEY_BYTES:
        raise _refused(path, f"密钥至少 {KEY_BYTES} 字节", f"a key has at least {KEY_BYTES} bytes", flag)
    return key


def refuse_weak(path: str, key: bytes | None) -> None:
    """Raise UsageError for a key that is too regular to keep anything secret."""
    if key is not None and is_weak(key):
        raise _refused(
            path,
            f"密钥过于简单，容易被猜出；可用 openssl rand -hex 32 > {path} 生成",
            f"the key is too regular and could be guessed; openssl rand -hex 32 > {path} makes one",
        )


def key_mark(key: bytes | None) -> str:
    """What the ledger keeps of a key: enough to see another one, too little to find it."""
    return "" if key is None else hmac.new(key, b"grouper lake", "sha256").hexdigest()[:16]


def is_weak(key: bytes) -> bool:
    """Whether a key has few different bytes, is a run of neighbours (0123…, abcd…) or one text again and
    again."""
    size = len(key)
    bits = -sum(n * math.log2(n / size) for n in Counter(key).values())
    near = sum(abs(one - other) <= 1 for one, other in pairwise(key))
    again = any(key == (key[:period] * size)[:size] for period in range(1, min(size // 2, KEY_BYTES) + 1))
    return bits < _BITS or near >= _STEP * (size - 1) or again


def _refused(path: str, zh: str, en: str, flag: str = "--pseudonymise") -> UsageError:
    return UsageError(zh=f"{path}（{flag}）：{zh}", en=f"{path} ({flag}): {en}")
