"""The ICD lists of ``tables/icd``: codes, names, kinds, grey codes and crosswalks.

All functions read their table once and return a shared object: do not change it.
Codes are in their official letter case.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import repeat
from typing import Literal

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir

Side = Literal["diagnosis", "procedure"]


def read_columns(name: str, header: str) -> list[list[str]]:
    """The columns of ``tables/icd/<name>.csv``, each a list with one string per row.

    ``header`` is the first line that the file must have. The tables quote
    nothing, so cutting the whole text at commas is exact; it is many times
    faster than the csv module.
    Raises TableError when the file is missing, quotes something, has another
    header or a row of another width.
    """
    path = tables_dir() / "icd" / f"{name}.csv"
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise TableError(zh=f"缺少编码表 {path.name}", en=f"the ICD table {path.name} is missing") from error
    first, _, body = text.removesuffix("\n").partition("\n")
    if first != header or not body or '"' in body:
        raise TableError(
            zh=f"编码表 {path.name} 的表头应为 {header}，须有数据行，不得使用引号",
            en=f"the ICD table {path.name} must have the header {header}, rows, and no quotes",
        )
    commas = header.count(",")
    if set(map(str.count, lines := body.split("\n"), repeat(","))) != {commas}:
        number = next(i for i, line in enumerate(lines, start=2) if line.count(",") != commas)
        raise TableError(
            zh=f"编码表 {path.name} 第 {number} 行应有 {commas + 1} 列",
            en=f"the ICD table {path.name}, line {number}: {commas + 1} columns expected",
        )
    cells = body.replace("\n", ",").split(",")
    return [cells[i :: commas + 1] for i in range(commas + 1)]


@cache
def _diagnosis_columns() -> list[list[str]]:
    return read_columns("diagnosis", "code,name,grey")


@cache
def _procedure_columns() -> list[list[str]]:
    return read_columns("procedure", "code,name,kind,kind_source,grey")


def _marked(codes: list[str], marks: list[str]) -> frozenset[str]:
    return frozenset(code for code, mark in zip(codes, marks, strict=True) if mark)


@cache
def diagnoses() -> dict[str, str]:
    """Name of each of the 33,304 diagnoses of ICD-10 医保版2.0."""
    codes, names, _ = _diagnosis_columns()
    return dict(zip(codes, names, strict=True))


@cache
def procedures() -> dict[str, str]:
    """Name of each of the 13,767 operations of ICD-9-CM-3 医保版2.0."""
    codes, names, *_ = _procedure_columns()
    return dict(zip(codes, names, strict=True))


# Editions of operations, each with the codes of those before it; the later ones are labels of ours: the
# insurance list 2.0 and what the grouping documents of that year name beyond it.
EDITIONS = ("insurance-2.0", "insurance-2.0+2024", "insurance-2.0+2026")


@cache
def later_procedures() -> dict[str, str]:
    """Edition of each operation that is newer than ICD-9-CM-3 医保版2.0 (``procedure_later.csv``).

    Raises TableError when a code is of an unknown edition, or stands in 2.0.
    """
    codes, _, editions, _ = read_columns("procedure_later", "code,name,edition,source")
    for line, (code, edition) in enumerate(zip(codes, editions, strict=True), start=2):
        if edition not in EDITIONS[1:] or code in procedures():
            raise TableError(
                zh=f"procedure_later.csv 第 {line} 行：{code} 的版本 {edition} 不认识，或已在医保版2.0中",
                en=f"procedure_later.csv, line {line}: {code} is in 2.0, or its edition {edition} unknown",
            )
    return dict(zip(codes, editions, strict=True))


def procedures_of(edition: str) -> dict[str, str]:
    """Name of each operation of an edition, "" where no source has one; 2.0 if the edition is not known."""
    last = EDITIONS.index(edition) if edition in EDITIONS else 0
    return _procedures_until(last) if last else procedures()


@lru_cache(maxsize=len(EDITIONS))
def _procedures_until(last: int) -> dict[str, str]:
    codes, names, editions, _ = read_columns("procedure_later", "code,name,edition,source")
    later = {c: n for c, n, e in zip(codes, names, editions, strict=True) if e in EDITIONS[: last + 1]}
    return {**procedures(), **later}


@cache
def grey_diagnoses() -> frozenset[str]:
    """Diagnoses that may not stand alone in a settlement list (医保灰码)."""
    codes, _, grey = _diagnosis_columns()
    return _marked(codes, grey)


@cache
def grey_procedures() -> frozenset[str]:
    """Operations that may not stand alone in a settlement list (医保灰码)."""
    codes, _, _, _, grey = _procedure_columns()
    return _marked(codes, grey)


@cache
def procedure_kinds() -> dict[str, str]:
    """Kind (类别) of each operation: surgery, therapeutic, diagnostic, interventional; "" if unresolved."""
    codes, _, kinds, _, _ = _procedure_columns()
    return dict(zip(codes, kinds, strict=True))


@lru_cache(maxsize=2)
def crosswalk(side: Side) -> dict[str, str]:
    """Insurance code of each clinical code that differs from it; "" where there is none.

    ``side`` is "diagnosis" (国临版2.0) or "procedure" (国临版3.0). 245 and 5 of
    the keys are insurance codes too, and nearly all mean something else there:
    apply this only to a file that is known to be in the clinical edition.
    """
    clinical, insurance, _ = read_columns(f"{side}_crosswalk", "clinical_code,insurance_code,note")
    return dict(zip(clinical, insurance, strict=True))
