"""One process that serves many: caches with bounds, pickles by id, threads and processes that agree."""

from __future__ import annotations

import ast
import copy
import multiprocessing
import pickle
import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

import grouper
from grouper.base.errors import TableError
from grouper.codes.book import CodeOptions
from grouper.grouping import origin
from grouper.grouping.drg.engine import make_engine
from grouper.grouping.drg.tables.store import load_folder, save

from .schemes.scheme_samples import small_scheme
from .support import loaded, random_records, table_of

ROOT = Path(__file__).parent.parent / "grouper"
SCHEMES = ("zhejiang-2022", "dip-taian-2025", "chs-drg-3.0")


def records(number: int = 2_000) -> pa.Table:
    return table_of(random_records(loaded("zhejiang-2022"), random.Random(7), number)).append_column(
        "total_cost", pa.array([100.0] * number)
    )


# --- caches ---


def test_every_cache_has_a_bound() -> None:
    """``cache`` is for what has no parameter; any other has its number of entries."""
    unbounded = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for decorator in map(ast.unparse, node.decorator_list):
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                bare = decorator in ("cache", "functools.cache") and given
                if bare or decorator in ("lru_cache", "lru_cache()") or "maxsize=None" in decorator:
                    unbounded.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert unbounded == []


@pytest.mark.parametrize("scheme", ["zhejiang-2022", "dip-taian-2025"])
def test_unknown_codes_do_not_fill_the_memory(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grouper.codes.book._REMEMBERED", 500)
    monkeypatch.setattr("grouper.grouping.dip.engine._REMEMBERED", 500)
    engine = loaded(scheme).engine
    seen = []
    for batch in range(6):
        codes = [[f"Q{batch}{number:05}"] for number in range(400)]
        columns = {"diagnoses": codes, "procedures": [[f"{batch}{number}.x"] for number in range(400)]}
        engine.group(pa.RecordBatch.from_pydict(columns | {"diagnoses": codes}))
        seen.append(max(len(engine.diagnoses._resolved), len(engine.procedures._resolved)))
    assert max(seen) <= 500
    long = "Q" * 10_000
    engine.diagnoses.resolve(long)
    assert long.encode() not in engine.diagnoses._resolved


def test_a_base_that_is_changed_is_read_again(tmp_path: Path) -> None:
    base = small_scheme()
    save(base, tmp_path / "small")
    over = small_scheme(id="over", meta={**base.meta, "id": "over", "base": "small"})
    save(over, tmp_path / "over", base)
    before = load_folder(tmp_path / "over").digest
    text = (tmp_path / "small" / "drg.csv").read_text("utf-8")
    (tmp_path / "small" / "drg.csv").write_text(text.replace("脑梗死", "脑梗塞"), "utf-8")
    assert load_folder(tmp_path / "over").digest != before


# --- pickles ---


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_grouper_pickles_by_its_id(scheme: str) -> None:
    made = grouper.load_scheme(scheme, lang="en", repair_codes=True, prefix="x_")
    kept = pickle.dumps(made)
    assert len(kept) < 1_000
    back = pickle.loads(kept)
    assert (back.id, back.options) == (made.id, made.options)
    assert back.group(records(300)).equals(made.group(records(300)))
    assert pickle.loads(kept).engine is back.engine  # compiled once a process
    assert len(pickle.dumps(back)) == len(kept)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_copies_share_their_engine(scheme: str) -> None:
    made = loaded(scheme)
    for twin in (copy.copy(made), copy.deepcopy(made)):
        assert twin.engine is made.engine and twin.options == made.options
        assert twin.group(records(50)).equals(made.group(records(50)))


def test_a_scheme_of_a_folder_pickles_by_its_path_and_digest(tmp_path: Path) -> None:
    save(small_scheme(), tmp_path / "small")
    made = grouper.load_scheme(str(tmp_path / "small"))
    kept = pickle.dumps(made)
    assert str(tmp_path).encode() in kept and len(kept) < 1_000
    assert pickle.loads(kept).group(records(50)).equals(made.group(records(50)))
    text = (tmp_path / "small" / "drg.csv").read_text("utf-8")
    (tmp_path / "small" / "drg.csv").write_text(text.replace("脑梗死", "脑梗塞"), "utf-8")
    origin.engine_again.cache_clear()
    with pytest.raises(TableError, match="SHA-256"):
        pickle.loads(kept)


def test_a_profile_is_part_of_the_pickle() -> None:
    folder = Path(__file__).parent / "dip" / "features"
    for profile in ("demo-a", "demo-b"):
        made = grouper.load_scheme(str(folder), profile=profile)
        assert pickle.loads(pickle.dumps(made)).engine.scheme == made.engine.scheme


def test_an_engine_of_a_scheme_in_no_folder_pickles_with_it() -> None:
    engine = make_engine(small_scheme(), CodeOptions(), "en")
    back = pickle.loads(pickle.dumps(engine))
    assert back.scheme == engine.scheme and copy.deepcopy(engine) is engine


def test_schemes_pickle() -> None:
    for scheme in SCHEMES:
        tables = loaded(scheme).engine.scheme
        assert pickle.loads(pickle.dumps(tables)) == tables
        assert copy.deepcopy(tables) == tables


# --- threads and processes ---


@pytest.mark.parametrize("scheme", SCHEMES)
def test_eight_threads_agree_with_one(scheme: str) -> None:
    made = grouper.load_scheme(scheme)
    table = records()
    parts = [table.slice(start, 125) for start in range(0, table.num_rows, 125)]
    alone = [loaded(scheme).group(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(made.group, parts * 3))
    assert all(found.equals(wanted) for found, wanted in zip(together, alone * 3, strict=True))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_agree_with_one(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    made = loaded("zhejiang-2022")
    table = records(400)
    parts = [table.slice(start, 100) for start in range(0, 400, 100)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        found = list(pool.map(made.group, parts))
    assert all(one.equals(made.group(part)) for one, part in zip(found, parts, strict=True))
