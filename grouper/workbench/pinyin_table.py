"""Makes ``tables/icd/pinyin.csv``: how the characters in names of codes and groups are read.

    python -P -m grouper.workbench.pinyin_table

Every name is read as a whole, so that 重 is zhong in 重度 and chong in 重复; a character that is read in
several ways keeps all of them, the most frequent first. Needs pypinyin (the extra ``dev``), which
readers of the table do without.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from grouper.base.paths import tables_dir
from grouper.base.tables_out import csv_text
from grouper.base.whole import write_text
from grouper.codes import icd
from grouper.grouping.locate import shipped

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_RARE = 200  # a reading that fewer of so many places have is the dictionary's mistake, not a second one


def names() -> Iterator[str]:
    """All names that are searched: of diagnoses, of procedures, of the groups of all shipped schemes."""
    yield from icd.diagnoses().values()
    yield from icd.procedures_of(icd.EDITIONS[-1]).values()
    for located in shipped():
        yield from (name for _, name, _ in located.family.named_groups(located.load()))


def readings(texts: Iterable[str]) -> dict[str, list[str]]:
    """Character -> its syllables without tones, the most frequent first."""
    from pypinyin import Style, lazy_pinyin

    found: dict[str, Counter[str]] = {}
    runs = Counter(run for text in texts for run in HAN.findall(text))
    for run, times in runs.items():
        for char, syllable in zip(run, lazy_pinyin(run, style=Style.NORMAL, v_to_u=False), strict=True):
            if syllable.isascii() and syllable.isalpha():
                found.setdefault(char, Counter())[syllable] += times
    return {char: _frequent(counted) for char, counted in sorted(found.items())}


def _frequent(counted: Counter[str]) -> list[str]:
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [syllable for syllable, times in ordered if times * _RARE >= ordered[0][1]]


def table_text() -> str:
    """The text of the table."""
    rows = [[char, " ".join(syllables)] for char, syllables in readings(names()).items()]
    return csv_text(["character", "syllables"], rows)


if __name__ == "__main__":
    write_text(tables_dir() / "icd" / "pinyin.csv", table_text())
