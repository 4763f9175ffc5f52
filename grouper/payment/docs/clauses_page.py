"""``docs/national-clauses.md``: every national clause, and what it does here, made from the tables.

    python -m grouper.payment.docs.clauses_page docs/national-clauses.md

A test fails when the page no longer says what the tables and policies say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from grouper.base.paths import tables_dir
from grouper.base.toml_in import read_toml
from grouper.base.whole import write_text
from grouper.payment.policy.clauses import Clause, Document, clauses, documents
from grouper.payment.policy.policy import policy_files

_HEAD = """\
# National clauses

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


def clauses_page() -> str:
    """The whole page as Markdown."""
    cited = citing()
    return "\n".join([_HEAD, *(_document(document, cited) for document in documents().values())])


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


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/national-clauses.md")
    write_text(target, clauses_page())


if __name__ == "__main__":
    main()
