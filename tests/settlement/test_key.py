"""The key of person ids: who may read it, and what is too easily guessed."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from grouper.base.errors import UsageError
from grouper.lake import Lake
from grouper.settlement.plan import key as keys
from grouper.settlement.plan.key import is_weak, read_key

from . import settle_support as support

GOOD = b"5f1d-4b7a-93ce-08f2-61d7"


def keyfile(folder: Path, content: bytes, mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    "key",
    [
        b"a" * 16, bytes(32), b"ab" * 8, b"abcdefghijklmnop", b"0123456789abcdef", b"1234567890123456",
        b"9876543210987654", b"abc123" * 5, b"password" * 4, b"00000000000000001", b"aaaaaaaabbbbbbbb",
        b"5f1d4b7a93ce08f2" * 2, b"1111222233334444",
    ],
)  # fmt: skip
def test_regular_keys_are_weak(key: bytes) -> None:
    assert is_weak(key)


def test_keys_drawn_at_random_are_not() -> None:
    rng = random.Random(1)
    for size in (16, 20, 32, 64):
        assert not any(is_weak(rng.randbytes(size)) for _ in range(2_000))
        assert not any(is_weak(rng.randbytes(size).hex().encode()) for _ in range(2_000))
    assert not is_weak(GOOD) and not is_weak(b"a key of this test, 32 bytes long")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX systems")
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = keyfile(tmp_path, GOOD, mode)
    with pytest.raises(UsageError, match=r"may be read by others; chmod 600"):
        read_key(path)
    Path(path).chmod(0o400)
    assert read_key(path) == GOOD


def test_what_is_no_key_is_refused_with_words(tmp_path: Path) -> None:
    assert read_key("") is None and read_key(keyfile(tmp_path, GOOD + b"\n")) == GOOD
    for content, words in ((b"short\n", "at least 16 bytes"), (os.urandom(70_000), "too large")):
        with pytest.raises(UsageError, match=words):
            read_key(keyfile(tmp_path, content))
    for path, words in (
        ("/dev/zero", "no plain file"),
        (str(tmp_path), "no plain file"),
        ("no", "No such file"),
    ):
        with pytest.raises(UsageError, match=words):
            read_key(path)


@pytest.mark.slow
def test_a_new_key_is_good_and_an_old_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake that was begun under a key that is refused today goes on under it, and only under it."""
    place, lake = support.city(900, 0.03, (4, 5, 6)), Lake(tmp_path / "lake")
    weak = keyfile(tmp_path, b"a" * 16)
    with pytest.raises(UsageError, match="too regular"):
        support.settle(lake, place, "2025-04", pseudonymise=weak)
    assert not lake.ledger.exists()
    monkeypatch.setattr(keys, "is_weak", lambda _: False)
    support.settle(lake, place, "2025-04", pseudonymise=weak)
    monkeypatch.undo()
    support.settle(lake, place, "2025-05", pseudonymise=weak)
    with pytest.raises(UsageError, match="another key"):
        support.settle(lake, place, "2025-06", pseudonymise=keyfile(tmp_path, GOOD))
