"""The chain anchored outside of its lake: heads that are shown and expected, keys and signatures."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from grouper.base.errors import DataError, GrouperError, UsageError
from grouper.commands import cli
from grouper.lake import Lake, ledger
from grouper.lake.sign import keygen, sign, verify
from grouper.lake.whole import heads, records
from grouper.settlement.month import settle_month

from . import settle_support as support

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake of two months, the last with reports; and a pair of keys."""
    folder, city = tmp_path_factory.mktemp("anchor"), support.city(900, 0.03, (4, 5))
    lake = Lake(folder / "lake")
    support.settle(lake, city, "2025-04")
    rows = support.take(city, "2025-05", 5)
    few = support.write(folder / "few.parquet", rows, city / "2025-05.parquet")
    settle_month(lake, support.job(city, "2025-05", few))
    keygen(folder / "key")
    return folder


def _grouper(*words: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, words), "--lang", "en"], env={"COLUMNS": "200"})


def _hashes(lake: Lake) -> list[str]:
    return list(ledger.hashes(lake).values())


def test_the_head_is_shown_by_every_command(made: Path) -> None:
    lake = Lake(made / "lake")
    head = _hashes(lake)[-1]
    line = f"chain head {head[:12]}  {head} (run 000002)"
    for command in ("audit", "status"):
        done = _grouper(command, lake.root)
        assert done.exit_code == 0 and line in done.output.splitlines(), done.output


def test_settle_shows_it_too(made: Path, tmp_path: Path) -> None:
    city, lake = support.city(900, 0.03, (4, 5)), Lake(tmp_path / "lake")
    every = ("--area", "tianmen", "--budget", city / "budget.toml", "--no-report", "-o", lake.root)
    done = _grouper("settle", *every, "--month", "2025-04", "--input", city / "2025-04.parquet",
                    "--hospitals", city / "hospitals.csv", "--max-rejected", "0.3")  # fmt: skip
    assert done.exit_code == 0 and f"chain head {_hashes(lake)[0][:12]}" in done.output, done.output
    done = _grouper("clear", *every, "--year", "2025", "--partial", "--held-remain")
    assert done.exit_code == 0 and f"chain head {_hashes(lake)[1][:12]}" in done.output, done.output


def test_every_statement_has_the_seal_of_its_run(made: Path) -> None:
    lake = Lake(made / "lake")
    with ledger.opened(lake) as connection:
        record = records(connection)[-1]
    seal = record.sealed(record.run["previous_hash"])
    pages = list(lake.root.glob("reports/000002/**/*.html"))
    assert len(pages) > 2 and all(seal in page.read_text(encoding="utf-8") for page in pages)
    assert seal != record.run["hash"] and heads([record])[seal] == "000002"
    hospital = next(lake.root.glob("reports/000002/hospitals/*.html")).stem
    done = _grouper("statement", lake.root, "--hospital", hospital)
    assert f"seal of the chain {seal[:12]}  {seal}" in done.output, done.output
    told = _grouper("statement", lake.root, "--hospital", hospital, "--json").output
    assert json.loads(told)["seal"] == seal
    for book in lake.root.glob("reports/000002/hospitals/*.xlsx"):
        with zipfile.ZipFile(book) as parts:
            assert any(seal.encode() in parts.read(name) for name in parts.namelist())
    assert _grouper("audit", lake.root, "--expect", seal).exit_code == 0


def test_an_earlier_head_is_of_this_chain_and_another_is_not(made: Path) -> None:
    lake = Lake(made / "lake")
    first, last = _hashes(lake)
    for text, run, later in ((first, "000001", 1), (first[:12], "000001", 1), (last.upper(), "000002", 0)):
        done = _grouper("audit", lake.root, "--expect", text)
        assert done.exit_code == 0 and f"head or seal of run {run}, {later} runs since" in done.output
    done = _grouper("audit", lake.root, "--expect", "0" * 64)
    assert done.exit_code == 3 and "the chain never had" in done.output


@pytest.mark.parametrize("text", ["abc", "x" * 64, "0" * 65])
def test_what_is_no_head_is_refused(made: Path, text: str) -> None:
    done = _grouper("audit", made / "lake", "--expect", text)
    assert isinstance(done.exception, UsageError) and "--expect" in done.exception.en


def test_a_signature_is_good_for_its_lake_and_key_only(made: Path, tmp_path: Path) -> None:
    lake, public = Lake(made / "lake"), made / "key.pub"
    signed, path = sign(lake, made / "key", tmp_path / "a.sig")
    assert (signed.run, signed.head) == ("000002", _hashes(lake)[-1]) and verify(path, public) == signed
    done = _grouper("audit", lake.root, "--signature", path, "--public-key", public)
    assert done.exit_code == 0 and "the signature is good: run 000002" in done.output, done.output
    other = Lake(tmp_path / "other")
    support.settle(other, support.city(900, 0.03, (4, 5)), "2025-04", note="another")
    done = _grouper("audit", other.root, "--signature", path, "--public-key", public)
    assert done.exit_code == 3 and "the chain never had" in done.output
    keygen(tmp_path / "second")
    with pytest.raises(DataError, match="not by the key"):
        verify(path, tmp_path / "second.pub")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told | {"head": "0" * 64}, "not by the key"),
        (lambda told: told | {"run": "000001"}, "not by the key"),
        (lambda told: told | {"ed25519": "AAAA"}, "not by the key"),
        (lambda told: told | {"ed25519": 5}, "is no signature"),
        (lambda told: told | {"head": "short"}, "is no signature"),
        (lambda told: [told], "is no signature"),
        (lambda told: told | {"format": 2}, "signature format 2 is newer than 1"),
    ],
)
def test_a_signature_that_was_changed(made: Path, tmp_path: Path, change: object, words: str) -> None:
    _, path = sign(Lake(made / "lake"), made / "key", tmp_path / "a.sig")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))  # type: ignore[operator]
    with pytest.raises(DataError, match=words):
        verify(path, made / "key.pub")


def test_keys_are_kept_from_others_and_never_written_over(made: Path, tmp_path: Path) -> None:
    assert (made / "key").stat().st_mode & 0o777 == 0o600
    before = (made / "key").read_bytes()
    with pytest.raises(UsageError, match="is not written over"):
        keygen(made / "key")
    assert (made / "key").read_bytes() == before
    shutil.copy(made / "key", tmp_path / "open")
    (tmp_path / "open").chmod(0o644)
    with pytest.raises(UsageError, match="may be read by others; chmod 600"):
        sign(Lake(made / "lake"), tmp_path / "open", tmp_path / "a.sig")
    for name, key in (("key.pub", made / "key.pub"), ("none", tmp_path / "none")):
        if name == "none":
            key.write_bytes(b"x")
        key.chmod(0o600)
        with pytest.raises(UsageError, match="is no Ed25519 key"):
            sign(Lake(made / "lake"), key, tmp_path / "a.sig")
    _, path = sign(Lake(made / "lake"), made / "key", tmp_path / "a.sig")
    with pytest.raises(UsageError, match="is no Ed25519 key"):
        verify(path, made / "key")


def test_the_commands(made: Path, tmp_path: Path) -> None:
    done = _grouper("lake", "keygen", "-o", tmp_path / "k")
    assert done.exit_code == 0 and (tmp_path / "k.pub").is_file()
    shutil.copytree(made / "lake", tmp_path / "lake")
    done = _grouper("lake", "sign", tmp_path / "lake", "--key", tmp_path / "k")
    assert done.exit_code == 0 and (tmp_path / "lake.000002.sig").is_file(), done.output
    assert re.search("chain head [0-9a-f]{12}  [0-9a-f]{64} .run 000002.", done.output)
    assert _grouper("lake", "repair", tmp_path / "lake").output.strip() == "nothing to repair"
    (tmp_path / "lake" / "ledger.duckdb").unlink()
    (tmp_path / "lake" / "x").write_text("x")
    done = _grouper("status", tmp_path / "lake")
    assert isinstance(done.exception, GrouperError) and "grouper lake repair" in done.exception.en
    told = _grouper("lake", "repair", tmp_path / "lake").output
    assert "make the ledger again (there is no ledger), of 2 runs:" in told and "--do carries it out" in told
    assert "set aside in set-aside/0001, with list.csv, nothing deleted: 1 files" in told
    told = _grouper("lake", "repair", tmp_path / "lake", "--do").output
    assert "done; run grouper audit" in told
    done = _grouper("audit", tmp_path / "lake", "--signature", tmp_path / "lake.000002.sig", "--public-key",
                    tmp_path / "k.pub")  # fmt: skip
    assert done.exit_code == 0 and "2 files that a repair set aside" in done.output, done.output
    done = _grouper("audit", tmp_path / "lake", "--signature", tmp_path / "lake.000002.sig")
    assert isinstance(done.exception, UsageError) and "go together" in done.exception.en
