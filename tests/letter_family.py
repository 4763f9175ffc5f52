"""A third family for the tests: three groups by the first letter of the principal diagnosis, one table.

It knows nothing of DRG and DIP, and no module of the package knows of it but by the table of families.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from grouper.base.errors import UsageError
from grouper.base.findings import Finding
from grouper.base.reasons import REASON_NUMBER
from grouper.grouping.columns import TEXT, Verdicts, row_of, tally
from grouper.grouping.engine import Grouped
from grouper.grouping.tables.change import Change, Words, of_options
from grouper.grouping.tables.importing import Imported

KIND = "letter"
NAMES = ("字母方案", "scheme of letters")
GROUP, GROUP_NAME, COUNTED = "letter_group", "letter_name", "letter_group"
LISTED = {"id": "id", "groups": "groups"}
PARTS = ("code",)
PAGE = False
SHEETS = 1
SOURCES: dict[str, tuple[str, ...]] = {}
TABLE = "letters.csv"
_COLUMNS = (GROUP, GROUP_NAME, "status", "reason", "reason_text", "warnings")
_WORDS = Words({"options": ("选项", "Options"), "group": ("组", "Groups")}, {})


@dataclass(frozen=True)
class Letters:
    id: str
    name: str
    meta: Mapping[str, Any]
    digest: str
    groups: Mapping[str, tuple[str, str]]  # letter: code and name


@dataclass(frozen=True)
class LetterEngine:
    scheme: Letters
    lang: str
    kind = KIND
    fields = ()

    @property
    def compiled(self) -> Mapping[str, tuple[str, str]]:
        return self.scheme.groups

    @property
    def result_fields(self) -> list[pa.Field]:
        return [pa.field(name, TEXT) for name in _COLUMNS]

    def group(self, batch: pa.RecordBatch, flags: pa.Array | None = None) -> Grouped:
        codes = batch.column("diagnoses").to_pylist()
        groups = [self.scheme.groups.get((row or [""])[0][:1]) for row in codes]
        numbers = [REASON_NUMBER["grouped" if group else "no-adrg"] for group in groups]
        reason = pa.array(numbers, pa.int32())
        columns = Verdicts(self.lang).of(reason, pa.array([0] * len(codes), pa.int32()))
        for place, name in enumerate((GROUP, GROUP_NAME)):
            texts = [group[place] if group else None for group in groups]
            columns[name] = pa.array(texts, pa.string()).dictionary_encode()
        return Grouped([columns[name] for name in _COLUMNS], tally(reason), Counter())


@dataclass(frozen=True)
class LetterExplanation:
    letter: str
    result: Mapping[str, Any]

    def summary(self, lang: str = "zh") -> str:
        return self.text(lang)

    def text(self, lang: str = "zh") -> str:
        return f"{self.letter} → {self.result[GROUP] or '-'}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def details(explained: LetterExplanation, lang: str) -> dict[str, Any]:
    empty = ("codes", "because", "complications", "path", "near", "retried", "warnings")
    return {"summary": [explained.text(lang)], **{key: [] for key in empty}}


def named_groups(scheme: Letters) -> Iterable[tuple[str, str, str]]:
    return [(code, name, "") for code, name in scheme.groups.values()]


def standing(engine: LetterEngine, code: str) -> dict[str, Any]:
    used = code[:1] in engine.scheme.groups
    return {"used": used, "not_for_grouping": False, "level": None, "exclusion": None, "excludes": 0}


def leads(engine: LetterEngine, code: str, lang: str) -> Iterable[dict[str, Any]]:
    return []


def settled() -> dict[str, pa.DataType]:
    return {GROUP: pa.string(), GROUP_NAME: pa.string()}


def folders() -> dict[str, Path]:
    return {}


def recognises(folder: Path) -> bool:
    return (folder / TABLE).is_file()


def meta(folder: Path) -> dict[str, Any]:
    return {"id": folder.name, "name": folder.name, "area": "nowhere"}


def load(folder: Path, profile: str | None = None) -> Letters:
    path = folder / TABLE
    with path.open(encoding="utf-8", newline="") as file:
        groups = {row["letter"]: (row["group"], row["name"]) for row in csv.DictReader(file)}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Letters(folder.name, folder.name, meta(folder), digest, groups)


def options(scheme: Letters) -> dict[str, Any]:
    return {}


def groups(scheme: Letters) -> set[str]:
    return {code for code, _ in scheme.groups.values()}


def unscored(scheme: Letters) -> set[str]:
    return set()


def primary_care(scheme: Letters) -> set[str] | None:
    return None


def engine(scheme: Letters, codes: object, lang: str) -> LetterEngine:
    return LetterEngine(scheme, lang)


def explain(engine: LetterEngine, record: Mapping[str, Any]) -> LetterExplanation:
    batch = pa.RecordBatch.from_pylist([{"diagnoses": record["diagnoses"]}])
    return LetterExplanation(record["diagnoses"][0][:1], row_of(_COLUMNS, engine.group(batch).columns))


def listing() -> list[dict[str, Any]]:
    return [{"id": "letters", "groups": 3}]


def show(scheme: Letters, part: str, value: str, names: Mapping[str, str], lang: str) -> Iterable[str]:
    for letter, (code, name) in scheme.groups.items():
        if not part or value.startswith(letter):
            yield f"{code} {name}"


def codebook(scheme: Letters) -> dict[str, list[dict[str, Any]]]:
    groups = [{"group_code": code, "name_zh": name} for code, name in scheme.groups.values()]
    return {"groups": groups, "adrgs": [], "mdcs": []}


def diff(a: Letters, b: Letters) -> list[Change]:
    gone = [
        Change("group", key, "removed", before=a.groups[key][1]) for key in a.groups.keys() - b.groups.keys()
    ]
    return [*of_options({}, {}), *gone]


def in_words(changes: Sequence[Change], names: Mapping[str, str], lang: str) -> list[str]:
    return _WORDS.lines(changes, lambda change, zh: f"{change.key} {change.before}", lang)


def verify(folder: Path, beside: bool = False) -> list[Finding]:
    one = [key for key in load(folder).groups if len(key) != 1]
    return [Finding("error", "letter", folder.name, key, "不是一个字母", "is not one letter") for key in one]


def export(folder: Path, names: Mapping[str, str]) -> dict[str, list[list[str]]]:
    return {"letters": [["letter", *row] for row in load(folder).groups.values()]}


def source_of(book: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[int, str]:
    return -1, ""


def imported(source: Path, kind: str, meta: Mapping[str, Any], given: Mapping[str, Any]) -> Imported:
    raise UsageError(zh="字母方案不能导入", en="a scheme of letters cannot be imported")


def write(folder: Path, letters: str = "IJK") -> Path:
    """A scheme of some of the letters I, J and K as a folder."""
    rows = {"I": "I,HEART,循环", "J": "J,LUNGS,呼吸", "K": "K,BELLY,消化"}
    folder.mkdir()
    lines = ["letter,group,name", *(rows[letter] for letter in letters)]
    (folder / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
