"""Kinds ``files`` and ``names``: what a call reads is damaged, or has an odd name."""

# ruff: noqa: E501  # a kind is a line
from __future__ import annotations

import random
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.faults.judge import Call, Case
from tests.faults.scene import SECRET, Scene

KINDS = tomllib.loads((Path(__file__).parent / "kinds.toml").read_text(encoding="utf-8"))


def cases() -> Iterator[Case]:
    table = KINDS["damage"]
    for call in table["calls"]:
        for format_ in table["formats"]:
            for how in (*table["must"], *table["may"]):
                if call == "group" or how in table["few"]:
                    make = partial(_damaged, call, format_, how, how in table["must"])
                    yield Case("files", f"{call}/{format_}/{how}", make)
    for how, must in KINDS["csv"].items():
        for call in KINDS["csv"]["calls"] if how != "calls" else ():
            yield Case("files", f"{call}/csv-text/{how}", partial(_spoilt, call, how, must == "must"))
    for call in ("pay", "indices", "weights"):
        for how in (*table["few"], "text", "flip-2", "zeros"):
            yield Case("files", f"{call}/grouped/{how}", partial(_grouped, call, how, how in table["must"]))
    table = KINDS["names"]
    for call in table["calls"]:
        for name in table["files"] if call == "group" else table["files"][:6]:
            yield Case("names", f"{call}/{name!r}", partial(_named, call, name, ""))
        for name in table["folders"] if call == "group" else table["folders"][:6]:
            yield Case("names", f"{call}/{name}/", partial(_named, call, "x", name))


def _read(words: list[str]) -> int:
    """The place of the file of records in a call."""
    return next(
        i for i, word in enumerate(words) if re.fullmatch(r"(cases|grouped|cases-grouped)\.\w+", word)
    )


def _with(scene: Scene, folder: Path, call: str, format_: str) -> tuple[list[str], Path]:
    words = scene.base(folder, call)
    place = _read(words)
    words[place] = f"cases.{format_}"
    shutil.copy(scene.root / words[place], folder)
    if call == "explain":
        words[words.index("--record-id") + 1] = scene.record
    return words, folder / words[place]


def _damaged(call: str, format_: str, how: str, must: bool, scene: Scene, folder: Path) -> Call:
    words, path = _with(scene, folder, call, format_)
    if call == "weights":
        words[2:2] = []
    path.write_bytes(damage(path.read_bytes(), how, format_))
    lines = format_ in ("csv", "jsonl") and how in ("half", "cut-a-byte", "cut-late", "doubled", "appended")
    return Call(words, None if lines or not must else True, ["cases", "--format", "column", "列"], _outputs(words),
                secrets=[SECRET])  # fmt: skip


def damage(content: bytes, how: str, format_: str) -> bytes:
    rng = random.Random(f"{how} {format_}")
    if how.startswith("flip"):
        changed = bytearray(content)
        for _ in range(int(how[-1])):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    head = b"PAR1" if format_ == "csv" else b"record_id,diagnoses\n"
    return {
        "empty": b"", "blanks": b" \n \n", "head-only": content[:4], "half": content[: len(content) // 2],
        "other-format": head + content[4:], "zeros": bytes(len(content)), "text": "不是数据\n".encode() * 5,
        "cut-a-byte": content[:-1], "cut-late": content[: len(content) * 9 // 10], "doubled": content * 2,
        "appended": content + b"\x00\xff" * 9,
    }[how]  # fmt: skip


def _grouped(call: str, how: str, must: bool, scene: Scene, folder: Path) -> Call:
    words = scene.base(folder, call)
    path = folder / words[_read(words)]
    path.write_bytes(damage(path.read_bytes(), how, "parquet"))
    return Call(words, must or None, ["grouped", "Parquet", "column"], _outputs(words))


def _outputs(words: list[str]) -> list[str]:
    return [words[words.index("-o") + 1]] if "-o" in words and "--dry-run" not in words else []


# --- texts of CSV ----------------------------------------------------------------------------------------


def _spoilt(call: str, how: str, must: bool, scene: Scene, folder: Path) -> Call:
    words, path = _with(scene, folder, call, "csv")
    text = path.read_text(encoding="utf-8")
    path.write_bytes(SPOILT[how](text))
    same = how in ("crlf", "bom", "blank-first-line", "cr-only", "utf-16", "semicolons", "tabs")
    right = partial(_same_groups, scene) if call == "group" and same else None
    return Call(
        words, must or None, [r"cases\.csv", "column"], _outputs(words), right, secrets=[SECRET, "张三丰"]
    )


def _same_groups(scene: Scene, folder: Path) -> str:
    import pyarrow.parquet as pq

    made, wanted = pq.read_table(folder / "out.parquet"), pq.read_table(scene.made("cases-grouped.parquet"))
    if made["record_id"].to_pylist() != wanted["record_id"].to_pylist():
        return f"{made.num_rows} rows instead of {wanted.num_rows}, or other ones"
    return "" if made["drg"].to_pylist() == wanted["drg"].to_pylist() else "other groups"


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").split("\n")


def _ragged(text: str, row: str) -> bytes:
    return "\n".join([*_lines(text), row, ""]).encode()


def _many(text: str) -> str:
    lines = _lines(text)
    return "\n".join([lines[0], *lines[1:] * 2000]) + "\n"


SPOILT: dict[str, Callable[[str], bytes]] = {
    "ragged-short": lambda t: _ragged(t, f"R99,{SECRET}"),
    "ragged-long": lambda t: _ragged(t, f"R99,{SECRET}" + ",x" * 99),
    "ragged-late": lambda t: _ragged(_many(t), f"R99,{SECRET},13800000000"),
    "invalid-byte-late": lambda t: (_many(t) + _lines(t)[1].replace("H339", "张三丰H339", 1)).encode() + b"\xff\xfe\n",
    "ragged-with-invalid-byte": lambda t: _many(t).encode() + f"R99,{SECRET},".encode() + b"\xff\xff\n",
    "nul-bytes": lambda t: t.replace("H339", "H\x00339").encode(),
    "open-quote": lambda t: _ragged(t, f'"R99,{SECRET}'),
    "header-twice": lambda t: ("sex,sex," + _lines(t)[0] + "\n").encode() + b"1,2,x\n",
    "header-of-blanks": lambda t: b" , , \n" + t.encode(),
    "no-rows": lambda t: (_lines(t)[0] + "\n").encode(),
    "blank-first-line": lambda t: b"\n" + t.encode(),
    "cr-only": lambda t: t.replace("\n", "\r").encode(),
    "crlf": lambda t: t.replace("\n", "\r\n").encode(),
    "bom": lambda t: t.encode("utf-8-sig"),
    "utf-16": lambda t: t.encode("utf-16"),
    "gb18030": lambda t: t.replace("H339", "医院H339").encode("gb18030"),
    "latin-1": lambda t: t.replace("H339", "é").encode("latin-1"),
    "semicolons": lambda t: t.replace(",", ";").encode(),
    "tabs": lambda t: t.replace(",", "\t").encode(),
    "one-column": lambda t: b"record_id\n1\n2\n",
    "wide": lambda t: (_lines(t)[0] + "".join(f",x{i}" for i in range(5000)) + "\n").encode(),
    "header-5000-digits": lambda t: t.replace("record_no", "JBDM" + "1" * 5000, 1).encode(),
    "long-cell": lambda t: t.replace("H339", "H" * 3_000_000, 1).encode(),
    "other-delimiter": lambda t: t.replace(",", "^").encode(),
}  # fmt: skip


# --- names -----------------------------------------------------------------------------------------------


def _named(call: str, name: str, inside: str, scene: Scene, folder: Path) -> Call:
    """The file under its odd name beside a decoy that a pattern would find; the result must be the usual one."""
    words = scene.base(folder, call)
    place = _read(words)
    source = folder / words[place]
    own = folder / inside if inside else folder
    own.mkdir(exist_ok=True)
    source.rename(own / f"{name}.parquet")
    if not inside:
        for decoy in ("x1.parquet", "xy.parquet", "a41.parquet"):
            shutil.copy(scene.made("cases-grouped.parquet"), folder / decoy)
    words[place] = f"./{inside}/{name}.parquet" if name.startswith("-") or inside.startswith("-") else (
        f"{inside}/{name}.parquet" if inside else f"{name}.parquet")  # fmt: skip
    return Call(words, False, outputs=_outputs(words), right=partial(_same_sum, scene, call))


def _same_sum(scene: Scene, call: str, folder: Path) -> str:
    """The result has the rows and the amounts of the call as it stands."""
    key = ("names", call)
    if key not in scene.memory:
        own = scene.root / f"plain-{call}"
        own.mkdir()
        scene.server.call(own, Call(scene.base(own, call)))
        scene.memory[key] = _content(own)
    return "" if _content(folder) == scene.memory[key] else "another result than under a plain name"


def _content(folder: Path) -> object:
    import pyarrow.parquet as pq

    if (folder / "out.csv").exists():
        return (folder / "out.csv").read_text(encoding="utf-8-sig")
    table = pq.read_table(folder / "out.parquet", partitioning=None)
    return table.drop_columns([n for n in ("input_file",) if n in table.column_names]).to_pylist()
