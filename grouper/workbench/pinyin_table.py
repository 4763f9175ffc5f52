"""Makes ``tables/icd/pinyin.csv``: how the characters of names of codes and groups are read.

    python -P -m grouper.workbench.pinyin_table

Every name is read as a whole, so that 重症 is zhong and 重复 chong; a character that is read in several ways
among the names keeps all of them, the most frequent first. Needs pypinyin (the extra ``dev``); what reads the
table does not.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from grouper.base.paths import tables_dir
from grouper.base.tables_out import write_table
from grouper.codes import icd
from grouper.grouping.locate import shipped
from grouper.workbench.search_groups import groups_of


def names() -> Iterator[str]:
    """All names that are searched: of diagnoses, of procedures, of the groups of all shipped schemes."""
    yield from icd.diagnoses().values()
    yield from icd.procedures_of(icd.EDITIONS[-1]).values()
    for located in shipped():
        yield from (group.name for group in groups_of(located.load(), located.kind))


def readings(texts: Iterable[str]) -> dict[str, list[str]]:
    """Character -> its syllables without tones, the most frequent first."""
    from pypinyin import Style, lazy_pinyin

    found: dict[str, Counter[str]] = {}
    for text in texts:
        plain = "".join(char for char in text if is_han(char))
        for char, syllable in zip(plain, lazy_pinyin(plain, style=Style.NORMAL, v_to_u=False), strict=True):
            if syllable.isascii() and syllable.isalpha():
                found.setdefault(char, Counter())[syllable] += 1
    return {
        char: [s for s, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
        for char, counted in sorted(found.items())
    }


def is_han(char: str) -> bool:
    """Whether a character is a Chinese one."""
    return "CJK" in unicodedata.name(char, "")


def main() -> None:
    rows = [[char, " ".join(syllables)] for char, syllables in readings(names()).items()]
    write_table(tables_dir() / "icd" / "pinyin.csv", ["character", "syllables"], rows)


if __name__ == "__main__":
    main()
