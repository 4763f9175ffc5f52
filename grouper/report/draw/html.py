"""HTML and SVG elements that cannot forget to escape: text is escaped where it is put in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Markup. Every other text is escaped when it becomes a child of an element."""

    __slots__ = ()


VOID = frozenset({"meta", "br", "rect", "line", "circle", "path", "col"})
Child = str | Iterable["Child"] | None


def el(name: str, /, *children: Child, **attributes: object) -> Html:
    """An element. ``class_`` and names with ``_`` become ``class`` and names with ``-``; None is left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Html(f"<{name}{told}/>")
    return Html(f"<{name}{told}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Children one after another; texts escaped."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, str):
            parts.append(_safe(child))
        else:
            parts.append(join(*child))
    return Html("".join(parts))


def _safe(text: str) -> str:
    """Markup as it is, every other text escaped."""
    return text if isinstance(text, Html) else escape(text)


def _value(value: object) -> str:
    """Coordinates with at most two decimals, so that the same data give the same text."""
    if isinstance(value, float):
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return str(value)


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: Iterable[int] = (0,),
    short: Iterable[int] = (),
    total: Sequence[str] | None = None,
    class_: str = "",
) -> Html:
    """A table: numbers to the right, the columns ``left`` and ``short`` to the left, the
    latter never broken; ``total`` as its last row."""
    classes = dict.fromkeys(left, ' class="l"') | dict.fromkeys(short, ' class="l n"')

    def line(tag: str, row: Sequence[str]) -> Html:
        cells = (f"<{tag}{classes.get(n, '')}>{_safe(text)}</{tag}>" for n, text in enumerate(row))
        return Html(f"<tr>{''.join(cells)}</tr>")

    head = el("thead", line("th", header))
    body = el("tbody", (line("td", row) for row in rows))
    foot = el("tfoot", line("td", total)) if total is not None else None
    return el("div", el("table", head, body, foot), class_=f"wide {class_}".strip())


def section(identity: str, title: str, *content: Child, lead: str = "") -> Html:
    """A part of the page with its heading and a sentence of what it shows."""
    return el(
        "section", el("h2", title), el("p", lead, class_="lead") if lead else None, *content, id=identity
    )


def figure(identity: str, title: str, chart: Html, note: str = "") -> Html:
    """A chart with its caption above and what one needs to read it below."""
    caption = el("figcaption", el("b", title), el("span", note) if note else None)
    return el("figure", caption, chart, id=identity)


def document(title: str, lang: str, style: str, *content: Child) -> str:
    """A whole page that needs nothing from elsewhere, and may load nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", Html(style)),
    )
    return f"<!doctype html>\n{el('html', head, el('body', *content), lang=lang)}\n"
