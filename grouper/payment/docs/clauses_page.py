"""``docs/national-clauses.md``: every national clause, and what it does here, made from the tables.

    python -m grouper.payment.docs.clauses_page docs/national-clauses.md
    python -m grouper.payment.docs.clauses_page docs/zh/national-clauses.md

A page below ``docs/zh`` is in Chinese. A test fails when a page no longer says what the tables and policies
say.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from grouper.base.paths import tables_dir
from grouper.base.toml_in import read_toml
from grouper.base.whole import write_text
from grouper.payment.policy.clauses import Clause, Document, clauses, documents
from grouper.payment.policy.policy import policy_files
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.policy.value_words import choice

_HEAD = """\
# National clauses

[中文](zh/national-clauses.md)

Made from `tables/policies/national/documents.csv` and `clauses.csv` by
`python -m grouper.payment.docs.clauses_page docs/national-clauses.md`; do not edit.

What the national documents say of payment by disease, in our words, with where it stands in this program. A
value of a policy cites clauses by their ids (`clause = "p26"`); its source and article come from here.
**In force and draft are kept apart**: a clause of a draft limits nothing, a value that cites one is never
`verified`, and `grouper policy verify` lists it. Where a policy departs from a clause in force in its days,
`policy verify` warns (`national-limit`, `national-rule`): an area may have its own rule, but should know.
`grouper watch` counts the days to the deadlines.

"From" is a day on which a document surely holds; of some only the month of issue is known. "Read" says
whether its own text was read (a reprint counts).
"""
_HEAD_ZH = """\
# 国家条款

[English](../national-clauses.md) · [支付](payment.md) · [政策一览](policies.md)

由 `python -m grouper.payment.docs.clauses_page docs/zh/national-clauses.md` 从 `tables/policies/national/` 的
`documents.csv` 和 `clauses.csv` 生成，请勿手改。

国家（和有关地方）文件对按病种付费的规定，用本项目的话概括，并注明在程序中怎样体现。
政策取值用编号引用条款（`clause = "p26"`），出处和条款由此而来。**现行与征求意见稿分开**：
征求意见稿不作限制，引用它的取值不能标为已核实，`grouper policy verify` 逐项列出。
政策与现行条款不一致时，`policy verify` 提醒：地方可以有自己的规则，但应当知道。
`grouper watch` 计算距清算期限的天数。

施行日期为文件确已施行的日期，有的只知道印发月份；“读过原文”指读过文件本身或转载的全文。
"""
_RULES = {
    "equals": "等于{0}",
    "at_most": "不超过{0}",
    "between": "在{0}之间",
    "about": "约为{0}",
    "one_of": "取{0}之一",
    "includes": "包括{0}",
    "allowed": "可以设定",
}
_CODE = re.compile(r"(?:--)?[a-z][a-z0-9_/.-]*(?: [a-z][a-z-]*)*")


def clauses_page(lang: str = "en") -> str:
    """The whole page as Markdown, in English or Chinese."""
    cited = citing()
    head, told = (_HEAD_ZH, _document_zh) if lang == "zh" else (_HEAD, _document)
    return "\n".join([head, *(told(document, cited) for document in documents().values())])


def citing() -> dict[str, list[str]]:
    """The shipped policies whose own file makes a value that cites a clause, by the id of the clause."""
    frame = tables_dir() / "policies" / "national" / "common" / "frame.toml"
    found: dict[str, list[str]] = {}
    for key, path in {"national/common/frame": frame, **policy_files()}.items():
        for given in read_toml(path).get("parameters", {}).values():
            cited = given.get("clause", ())
            for one in (cited,) if isinstance(cited, str) else cited:
                found.setdefault(one, []).append(key)
    return found


def _document(document: Document, cited: dict[str, list[str]]) -> str:
    number = f" ({document.number})" if document.number else ""
    status = f"in force from {document.start}" if document.in_force else "**draft, not in force**"
    read = "read" if document.verified else "not read, or only its beginning"
    lines = [
        f"## {document.title_en}\n",
        f"{document.title}{number}, {document.issued}; {status}; text {read} ({document.source}).\n",
        "| clause | article | says | 含义 | here |",
        "|---|---|---|---|---|",
        *(_row(clause, cited) for clause in clauses().values() if clause.document is document),
    ]
    return "\n".join(lines) + "\n"


def _row(clause: Clause, cited: dict[str, list[str]]) -> str:
    cells = (f"`{clause.id}`", clause.article or "–", clause.en, clause.zh, "; ".join(_here(clause, cited)))
    return f"| {' | '.join(cells)} |"


def _here(clause: Clause, cited: dict[str, list[str]]) -> Iterator[str]:
    if clause.use == "none":
        yield f"not a parameter: {clause.reason_en}"
    elif clause.use == "deadline":
        yield f"`grouper watch`: {clause.unit} is to be cleared by {clause.value}"
    elif clause.use == "validity":
        yield "validity of the schemes and policies of edition 3.0"
    else:
        value = clause.value.replace("|", ", ")
        rule = f" {clause.rule.replace('_', ' ')} {value}".rstrip() if value else f" {clause.rule}"
        yield f"`{clause.parameter}`{rule}"
        if clause.id in cited:
            yield f"cited by {', '.join(f'`{key}`' for key in cited[clause.id])}"


def _document_zh(document: Document, cited: dict[str, list[str]]) -> str:
    number = f"，{document.number}" if document.number else ""
    status = f"{document.start} 起施行" if document.in_force else "**征求意见稿，未施行**"
    read = "读过原文" if document.verified else "未读原文，或只见开头"
    lines = [
        f"## {document.title}\n",
        f"印发：{document.issued}{number}；{status}；{read}（{document.source}）。\n",
        "| 编号 | 条款 | 规定 | 在本程序中 |",
        "|---|---|---|---|",
        *(_row_zh(clause, cited) for clause in clauses().values() if clause.document is document),
    ]
    return "\n".join(lines) + "\n"


def _row_zh(clause: Clause, cited: dict[str, list[str]]) -> str:
    said, here = _coded(clause.zh), "；".join(_here_zh(clause, cited))
    return f"| `{clause.id}` | {clause.article or '—'} | {said} | {here} |"


def _here_zh(clause: Clause, cited: dict[str, list[str]]) -> Iterator[str]:
    if clause.use == "none":
        yield f"不是参数：{_coded(clause.reason_zh)}"
    elif clause.use == "deadline":
        yield f"`grouper watch`：{clause.unit} 年度应于 {clause.value} 前清算完毕"
    elif clause.use == "validity":
        yield "3.0 版分组方案和政策的有效期"
    else:
        between = "、".join(choice(word, "zh") for word in clause.value.split("|"))
        named = PARAMETERS[clause.parameter].zh
        yield f"`{clause.parameter}`（{_coded(named)}）{_RULES[clause.rule].format(between)}"
        if clause.id in cited:
            yield f"引用：{'、'.join(f'`{key}`' for key in cited[clause.id])}"


def _coded(text: str) -> str:
    """Chinese with the names of commands, columns and parameters in code font."""
    return _CODE.sub(lambda found: f"`{found[0]}`", text)


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/national-clauses.md")
    write_text(target, clauses_page("zh" if "zh" in target.parts else "en"))


if __name__ == "__main__":
    main()
