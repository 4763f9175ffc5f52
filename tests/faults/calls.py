"""Kinds ``flags`` and ``outputs``: a call with a bad value of an option, or with a place that takes no output."""

# ruff: noqa: E501  # a kind is a line
from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.faults.files import KINDS
from tests.faults.judge import Call, Case
from tests.faults.scene import Scene


def cases() -> Iterator[Case]:
    for entry in KINDS["flag"]:
        for call in entry["calls"]:
            for value in entry["values"]:
                make = partial(_flag, call, entry["flag"], value, entry.get("input", ""))
                yield Case("flags", f"{call}/{entry['flag']}={value!r}", make)
    table = KINDS["outputs"]
    for call in table["calls"]:
        for place in table["must"]:
            if not (call in ("synth", "plan") and place in ("", ".", "folder")):
                yield Case("outputs", f"{call}/{place!r}", partial(_place, call, place))
    for format_ in table["formats"]:
        for limit in table["limits"]:
            yield Case("outputs", f"group/{format_}/full-at-{limit}", partial(_full, format_, limit))
    for how in ("link", "pipe", "null", "again"):
        yield Case("outputs", f"group/{how}", partial(_good, how))


def _flag(call: str, flag: str, value: str, input_: str, scene: Scene, folder: Path) -> Call:
    words = scene.base(folder, call)
    value = value.replace("Z{300}", "Z" * 300)
    if input_:
        place = next(i for i, word in enumerate(words) if word.startswith("cases."))
        words[place] = f"cases.{input_}"
        (folder / words[place]).write_bytes((scene.root / words[place]).read_bytes())
    for name in ("cases.parquet", "budget.toml", "hospitals.csv"):
        if value == name and not (folder / name).exists():
            (folder / name).write_bytes((scene.root / name).read_bytes())
    if flag in words:
        words[words.index(flag) + 1] = value
    else:
        words += [flag, value]
    harmless = {("--when", value)} | {(f, v) for f, v in HARMLESS}
    refused = None if (flag, value) in harmless else True
    return Call(words, refused, [flag.strip("-"), "month", "area", "scheme", "file", "folder", "sheet", "Got unexpected", *([re.escape(value)] if "." in value else [])],
                _outputs(words))  # fmt: skip


# What another part of the call decides, or what is a good value after all.
HARMLESS = (
    ("--format", "arrow"), ("--format", "xlsx"), ("--scheme", "chs-drg-2.0/"), ("--prefix", "a\nb"), ("--prefix", "x'y"),
    ("--date", "2025-13-01"), ("--years", ""), ("--months", ""), ("--dirty", "-1"), ("--sheet", ""),
    ("--person-column", ""), ("--group-column", ""), ("--group-column", "total_cost"), ("--what-if", "point_value="),
    ("--rows", "0"), ("--layout", ""), ("--memory", ""), ("--budget", ""), ("--hospitals", ""), ("--columns", ""),
    ("--decisions", ""), ("--pseudonymise", ""), ("--area", ""), ("--policy", ""),
    ("--corrections", "cases.parquet"), ("--corrections", "budget.toml"), ("--prefix", "Z" * 300), ("--cost-column", ""),
)  # fmt: skip


def _outputs(words: list[str]) -> list[str]:
    return (
        [words[words.index("-o") + 1]]
        if "-o" in words and "old" not in words and "--dry-run" not in words
        else []
    )


def _place(call: str, place: str, scene: Scene, folder: Path) -> Call:
    words = scene.base(folder, call)
    (folder / "folder").mkdir()
    (folder / "folder" / "mine").write_text("mine")
    if not (folder / "cases.parquet").exists():
        (folder / "cases.parquet").write_bytes((scene.root / "cases.parquet").read_bytes())
    place = place.replace("Z{300}", "Z" * 300 + ".csv")
    words[words.index("-o") + 1 if "-o" in words else 3] = place
    words = [word.replace("\x00", "") for word in words]
    if call in ("group", "indices"):
        words += ["--to", "csv"]
    either = (
        call in ("plan", "synth")
        or place.startswith("\x00")
        or (call == "export" and place in ("none/out", "none/"))
    )
    either |= (call, place) in (("watch", ""), ("weights", "none/"))  # none is asked for; a file of that name
    return Call(words, None if either else True, ["-o", "output", "cannot", "folder", "directory", "exists", "lake"],
                ["folder", "cases.parquet"])  # fmt: skip


def _full(format_: str, limit: int, scene: Scene, folder: Path) -> Call:
    words = [word.replace("out.parquet", f"out.{format_}") for word in scene.base(folder, "group")]
    return Call(words, True, [f"cannot write out.{format_}"], [f"out.{format_}"], limit=limit)


def _good(how: str, scene: Scene, folder: Path) -> Call:
    words = [*scene.base(folder, "group"), "--to", "csv"]
    place = words.index("-o") + 1
    if how == "link":
        (folder / "real").mkdir()
        (folder / "out.csv").symlink_to("real/r.csv")
        words[place] = "out.csv"
        return Call(words, False, outputs=["out.csv", "real/r.csv"], right=_still_a_link)
    if how == "null":
        words[place] = "/dev/null"
        return Call(words, False, right=lambda _: "" if Path("/dev/null").is_char_device() else "no device")
    if how == "pipe":
        os.mkfifo(folder / "pipe")
        words[place] = "pipe"
        return Call(words, True, ["cannot write pipe"], right=lambda _: "nobody read it")
    (folder / "out.csv").write_text("before")
    words[place] = "out.csv"
    return Call(words, False, outputs=["out.csv"])


def _still_a_link(folder: Path) -> str:
    return "" if (folder / "out.csv").is_symlink() else "the link is gone"
