"""What docs/research.md says is run as it stands there, in order."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from ..in_process import call

pytestmark = pytest.mark.slow  # seconds each; the tests of every run have a sister of theirs

PAGE = Path(__file__).parents[2] / "docs" / "research.md"
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_way_works(month: Path, tmp_path: Path) -> None:
    shutil.copytree(month, tmp_path / "LAKE")
    assert {kind for kind, _ in BLOCKS} == {"sh", "python"} and len(BLOCKS) >= 9
    for kind, text in BLOCKS:
        if kind == "python":
            with contextlib.chdir(tmp_path), contextlib.redirect_stdout(io.StringIO()):
                exec(compile(text, str(PAGE), "exec"), {})
            continue
        for line in text.splitlines():
            words = shlex.split(line)
            assert words[0] == "grouper"
            given = [found for word in words[1:] for found in _shell(tmp_path, word)]
            code, _, err = call(*given, cwd=tmp_path)
            assert code == 0, f"{line}\n{err.decode()}"


def _shell(folder: Path, word: str) -> list[str]:
    """A word as a shell gives it: a pattern as the files that it fits."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.glob(word)) if "*." in word else []
    return found or [word]


@pytest.mark.slow
def test_spark_reads_a_snapshot_right(snapshot: Path) -> None:
    sql = pytest.importorskip("pyspark.sql")
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        cases = session.read.parquet(str(snapshot / "cases"))
        assert dict(cases.dtypes)["run"] == "string"
        cleared = session.read.parquet(str(snapshot / "cases_cleared"))
        both = [frame.selectExpr("count(*)", "sum(total_cost)").collect()[0] for frame in (cases, cleared)]
        assert both[0] == both[1] and both[0][0] > 0
    finally:
        session.stop()
