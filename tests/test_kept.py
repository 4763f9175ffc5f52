"""Values kept in memory: made once, bounded, made again when they are no longer good."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from grouper.base.kept import Kept
from grouper.payment.price.lookups import lookups_of
from grouper.workbench import loaded

from .payment.pay_support import write_policy


def test_a_value_is_made_once_however_many_ask() -> None:
    kept: Kept[str, int] = Kept(4)
    made: list[int] = []

    def make() -> int:
        time.sleep(0.02)
        made.append(1)
        return 7

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("a", make))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 6 and made == [1]


def test_there_are_never_more_than_the_most_and_the_oldest_goes() -> None:
    kept: Kept[int, int] = Kept(3)
    for number in range(10):
        kept.get(number, lambda: 0)
        kept.get(0, lambda: 1)
    assert len(kept) == 3
    assert kept.get(9, lambda: -1) == 0 and kept.get(5, lambda: -1) == -1


def test_what_raises_is_not_kept() -> None:
    kept: Kept[str, int] = Kept(3)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 5) == 5


def test_a_policy_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    path = write_policy(tmp_path)
    before = loaded.policy(str(path))
    assert loaded.policy(str(path)) is before
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('value = "10000"', 'value = "10500"'), encoding="utf-8")
    after = loaded.policy(str(path))
    assert after is not before and after.digest != before.digest
    assert lookups_of(after) is lookups_of(before)  # the table of weights is the same


def test_a_scheme_is_loaded_once() -> None:
    assert loaded.scheme("chs-drg-2.0") is loaded.scheme("chs-drg-2.0")
