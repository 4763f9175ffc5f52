"""The demo removes what it made itself and nobody changed, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from grouper.base.errors import UsageError
from grouper.base.whole import begin, foreign, put_mark, remove_own
from grouper.commands.demo import _ALONE, _ASIDE, _MARK, _alone, _clear, _made, _make_city, _settle
from grouper.lake import Lake
from grouper.lake.lock import writing
from grouper.lake.views import connect
from grouper.synth.city import City


def demo(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "grouper", "demo", "--rows", "240", "-o", str(folder), *more]
    return subprocess.run(command, capture_output=True, text=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder as the demo leaves it."""
    folder = tmp_path / "lake"
    (folder / "cases").mkdir(parents=True)
    (folder / "ledger.duckdb").write_bytes(b"ledger")
    (folder / "cases" / "part.parquet").write_bytes(b"cases")
    put_mark(folder, _MARK)
    return folder


@pytest.mark.parametrize("place", ["lake", "city"])
def test_a_folder_of_ones_own_at_its_place_survives(tmp_path: Path, place: str) -> None:
    own = tmp_path / place
    own.mkdir()
    (own / "ledger.duckdb").write_bytes(b"a lake with a settled month")
    (own / "city.toml").write_text("rows = 240\n")
    before = contents(tmp_path)
    done = demo(tmp_path)
    assert done.returncode == 1 and str(own) in done.stderr and "-o" in done.stderr
    assert contents(tmp_path) == before


def test_what_it_made_and_nobody_changed_is_made_anew(made: Path) -> None:
    _clear(made.parent / "city", Lake(made))
    assert contents(made).keys() <= {".lock"}


@pytest.mark.parametrize(
    "change", ["another run", "a file beside", "a file less", "a link", "a torn mark", "a folder"]
)
def test_a_demo_that_has_changed_is_refused(made: Path, change: str) -> None:
    if change == "another run":
        (made / "ledger.duckdb").write_bytes(b"ledger with a month of one's own")
    elif change == "a file beside":
        (made / "notes.txt").write_text("keep")
    elif change == "a file less":
        (made / "cases" / "part.parquet").unlink()
    elif change == "a link":
        (made / "away").symlink_to(made.parent)
    elif change == "a folder":
        (made / "for later").mkdir()
    else:
        (made / ".grouper-demo").write_text("{")
    before = contents(made)
    with pytest.raises(UsageError, match="-o"):
        _clear(made.parent / "city", Lake(made))
    after = contents(made)
    after.pop(".lock", None)
    assert after == before
    assert change != "a folder" or (made / "for later").is_dir()


def test_what_came_while_the_demo_ran_is_not_signed_as_its_own(tmp_path: Path) -> None:
    """The marks name what the program wrote, so that the next demo refuses whatever else is there."""
    city, source, lake = City(rows=240, year=2025, seed=1, hospitals=30), tmp_path / "city", tmp_path / "lake"
    for folder in (source, lake):
        begin(folder, _MARK)
    (source / "mine.csv").write_text("x")
    _make_city(source, city)
    (lake / "cases" / "mine").mkdir(parents=True)
    done = _settle(Lake(lake), source, city, 1, ("lishui", ""), reports=True)
    (lake / "reports" / done.run / "mine.html").write_text("x")
    put_mark(lake, _MARK, _made(Lake(lake), [done.record]))
    assert foreign(source, _MARK) == ["mine.csv"]
    assert foreign(lake, _MARK, _ASIDE) == ["cases/mine/", f"reports/{done.run}/mine.html"]
    with pytest.raises(UsageError, match=r"mine\.csv"):
        _clear(source, Lake(lake))
    (source / "mine.csv").unlink()
    with pytest.raises(UsageError, match=r"mine\.html"):
        _clear(source, Lake(lake))
    (lake / "reports" / done.run / "mine.html").unlink()
    (lake / "cases" / "mine").rmdir()
    _clear(source, Lake(lake))
    assert not source.exists() and contents(lake).keys() == {".lock"}


def test_of_two_demos_in_one_folder_the_second_says_so(made: Path) -> None:
    before = contents(made)
    with _alone(made.parent):
        done = demo(made.parent)
    assert done.returncode == 1 and "另一个演示正在" in done.stderr and "-o" in done.stderr
    assert contents(made) == before and not (made.parent / _ALONE).exists()


def test_a_link_to_a_demo_is_not_followed(made: Path) -> None:
    link = made.parent / "link"
    link.symlink_to(made)
    with pytest.raises(UsageError):
        _clear(link, Lake(made.parent / "none"))
    assert (made / "ledger.duckdb").is_file()


def test_nothing_is_removed_where_one_of_the_folders_is_refused(made: Path) -> None:
    other = made.parent / "city"
    other.mkdir()
    (other / "mine.csv").write_text("x")
    with pytest.raises(UsageError):
        _clear(other, Lake(made))
    assert (made / "ledger.duckdb").is_file()


def test_a_lake_that_is_being_written_is_not_removed(made: Path) -> None:
    with writing(Lake(made)), pytest.raises(UsageError, match="another run is writing"):
        _clear(made.parent / "city", Lake(made))
    assert (made / "ledger.duckdb").is_file()


def test_a_demo_that_was_broken_off_has_words_of_its_own(tmp_path: Path) -> None:
    city = tmp_path / "city"
    begin(city, _MARK)
    _clear(city, Lake(tmp_path / "lake"))  # nothing was made yet: nothing can be lost
    assert not city.exists()
    begin(city, _MARK)
    (city / "2025-01.parquet").write_bytes(b"rows")
    with pytest.raises(UsageError, match="has not finished") as caught:
        _clear(city, Lake(tmp_path / "lake"))
    assert "尚未完成" in caught.value.zh and (city / "2025-01.parquet").is_file()


def test_a_file_that_comes_between_the_look_and_the_removal_stays(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the mark names is removed, so there is no moment at which something else could go."""
    first = Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        (made / "cases" / "late.parquet").write_bytes(b"late")
        first(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(UsageError, match=r"late\.parquet"):
        remove_own(made, _MARK)
    assert contents(made) == {"cases/late.parquet": b"late"}


@pytest.mark.slow
def test_a_second_demo_takes_the_place_of_the_first(tmp_path: Path) -> None:
    assert demo(tmp_path).returncode == 0
    assert demo(tmp_path, "--seed", "2").returncode == 0
    lake = tmp_path / "lake"
    settled = [sys.executable, "-P", "-m", "grouper", "status", str(lake)]
    assert subprocess.run(settled, capture_output=True).returncode == 0
    (lake / "mine.txt").write_text("x")
    assert demo(tmp_path).returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize(("method", "scheme"), [("drg", "chs-drg-3.0"), ("dip", "dip-3.0-example")])
def test_a_city_of_2027_is_settled_under_edition_3(tmp_path: Path, method: str, scheme: str) -> None:
    done = demo(tmp_path, "--year", "2027", "--method", method)
    assert done.returncode == 0, done.stderr
    with connect(Lake(tmp_path / "lake")) as lake:
        runs = lake.sql("SELECT period, policy_id, scheme_id FROM runs ORDER BY run").fetchall()
        paid = lake.sql("SELECT count(*) FROM cases_current WHERE method = 'group' AND settled_fund > 0")
        assert paid.fetchall()[0] > (100,)
    assert [period for period, *_ in runs] == [*(f"2027-{month:02}" for month in range(1, 13)), "2027"]
    assert {policy for _, policy, _ in runs} == {
        "national/drg-points-3.0" if method == "drg" else "national/dip-3.0"
    }
    assert {made for period, _, made in runs if period != "2027"} == {scheme}


@pytest.mark.parametrize(
    ("arguments", "told", "never"),
    [
        (
            ("--year", "2031"),
            ("national/drg-points-3.0", "2031", "--year", "name an --area"),
            "leave --area out",
        ),
        (("--year", "2027", "--area", "lishui"), ("lishui", "leave --area out"), "name an --area"),
        (("--year", "2025", "--method", "dip", "--area", "lishui"), ("is DRG, not --method dip",), "year"),
        (("--year", "2025", "--method", "drg", "--area", "tianmen"), ("is DIP, not --method drg",), "year"),
    ],
)
def test_what_cannot_be_settled_is_refused_with_the_flag_that_mends_it(
    tmp_path: Path, arguments: tuple[str, ...], told: tuple[str, ...], never: str
) -> None:
    done = demo(tmp_path / "d", *arguments, "--lang", "en")
    assert done.returncode == 1 and not (tmp_path / "d").exists()
    assert all(words in done.stderr for words in told) and never not in done.stderr


def test_a_year_without_a_policy_of_the_area_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = demo(tmp_path / "d", "--year", "2027", "--area", "lishui")
    assert done.returncode == 1 and "--year" in done.stderr and not (tmp_path / "d").exists()
