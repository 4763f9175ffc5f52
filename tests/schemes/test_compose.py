"""Lists written by what they are made of: the same lists come back, whatever their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.errors import TableError
from grouper.grouping.drg.tables.model import Scheme
from grouper.grouping.drg.tables.store import FILES, load_folder, save, scheme_folders
from grouper.grouping.tables.compose import LEAST, composed
from grouper.grouping.tables.text import format_lists, parse_lists

from .scheme_samples import small_scheme

CODES = [f"A{n:02}.000" for n in range(100)]
SPANS = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(lambda ends: CODES[min(ends) : max(ends)])


@given(
    st.dictionaries(
        st.sampled_from([f"L{n}.dx" for n in range(9)]),
        st.lists(SPANS, min_size=1, max_size=3).map(lambda spans: frozenset().union(*spans)).filter(bool),
    )
)
def test_lists_come_back_whatever_they_are_made_of(lists: dict[str, frozenset[str]]) -> None:
    text = format_lists(lists, {})
    assert parse_lists(text, {}, "lists.txt") == lists
    assert composed(dict(reversed(lists.items()))) == composed(lists)


def test_a_union_a_near_repeat_and_their_twin() -> None:
    one, two = frozenset(CODES[:40]), frozenset(CODES[40:80])
    lists = {"W.dx": one | two, "X.dx": one | two, "A.dx": one, "B.dx": two, "N.dx": one | two | {"Z99.900"}}
    text = format_lists(lists, {})
    assert "[W.dx] = A.dx | B.dx\n[X.dx] = W.dx\n[N.dx] = W.dx\n+ Z99.900\n" in text
    assert text.count("A00.000") == 1 and len(one) < LEAST


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[A.dx] = B.dx | C.dx\n[B.dx]\nA00.000\n", "A.dx"),  # nothing stands before it
        ("[B.dx]\nA00.000\n[A.dx] = B.dx |\n", "A.dx"),  # a part without a name
        ("[B.dx]\nA00.000\n[C.dx]\nA01.000\n[A.dx] = B.dx | C.dx\n- A02.000\n", "A02.000"),
    ],
)
def test_a_union_that_cannot_be_made_is_an_error(text: str, words: str) -> None:
    with pytest.raises(TableError, match=words):
        parse_lists(text, {}, "lists.txt")


def test_the_shipped_scheme_is_as_the_program_writes_it(
    tmp_path: Path, shipped: Callable[[str], Scheme]
) -> None:
    save(shipped("chs-drg-3.0"), tmp_path)
    folder = scheme_folders()["chs-drg-3.0"]
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == {
        name: (folder / name).read_bytes() for name in FILES
    }


def test_the_folder_of_3_is_smaller_than_that_of_2() -> None:
    sizes = {
        name: sum(file.stat().st_size for file in scheme_folders()[name].iterdir())
        for name in ("chs-drg-2.0", "chs-drg-3.0")
    }
    assert sizes["chs-drg-3.0"] < sizes["chs-drg-2.0"]


# --- groups of primary care --------------------------------------------------------------------------


def test_groups_of_primary_care_come_back_and_an_overlay_keeps_those_that_it_has(tmp_path: Path) -> None:
    base = small_scheme(primary_care=("BR15", "BR29"))
    save(base, tmp_path / "small")
    assert load_folder(tmp_path / "small").primary_care == ("BR15", "BR29")
    meta = {**base.meta, "id": "local", "base": "small"}
    drgs = {variant: rows for variant, rows in base.drgs.items() if variant != "BR2"}
    local = replace(base, id="local", meta=meta, drgs=drgs, primary_care=("BR15",))
    meta["counts"] = local.counts()
    save(local, tmp_path / "local", base)
    assert not (tmp_path / "local" / "primary_care.csv").exists()
    assert load_folder(tmp_path / "local").primary_care == ("BR15",)


@pytest.mark.parametrize("codes", ["BR99", "BR15\nBR15"])
def test_a_group_of_primary_care_must_be_a_group_once(tmp_path: Path, codes: str) -> None:
    save(small_scheme(), tmp_path)
    (tmp_path / "primary_care.csv").write_text(f"drg\n{codes}\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"BR99|BR15"):
        load_folder(tmp_path)
