"""Pages from templates: every text of a page is a pair, Chinese and English."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from grouper.base.version import VERSION
from grouper.web.guard import cookie_name
from grouper.web.sessions import Session, Sessions
from grouper.web.settings import Settings

HERE = Path(__file__).parent
LANGS = ("zh", "en")


@cache
def environment() -> Environment:
    """Everything that is put into a template is escaped; a name that is not there is a fault."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["amount"] = amount
    made.filters["days"] = lambda value: f"{value:+d}" if isinstance(value, int) else ""
    return made


def amount(value: Any) -> str:
    """Yuan with fen, in thousands; a dash for what is not known."""
    if value is None or value == "":
        return "—"
    text = str(value)
    sign, text = ("−", text[1:]) if text.startswith("-") else ("", text)
    whole, _, fen = text.partition(".")
    return f"{sign}{int(whole):,}" + (f".{fen}" if fen else "")


class Pages:
    """What makes a page for a request: its language, its session, its template."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self.settings, self.sessions = settings, sessions

    def lang(self, request: Request) -> str:
        """Asked for in the address, else of the session, else of the server."""
        asked = request.query_params.get("lang", "")
        session: Session | None = request.state.session
        if asked in LANGS:
            if session is not None:
                session.lang = asked
            return asked
        return (session.lang if session is not None else "") or self.settings.lang

    def show(self, request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
        """A page, with a session for it where the browser has none."""
        lang = self.lang(request)
        session: Session | None = request.state.session
        made = ""
        if session is None:
            made, session = self.sessions.begin(lang=lang)
        t = partial(pick, lang)
        told = environment().get_template(template).render(
            t=t, lang=lang, csrf=session.csrf, settings=self.settings, version=VERSION, path=request.url.path,
            inside=session.inside, other=other_language(request, lang), **values,
        )  # fmt: skip
        response = HTMLResponse(told, code)
        if made:
            self.keep(response, made)
        return response

    def keep(self, response: Any, key: str) -> None:
        """The cookie of a session: not for scripts, not for other sites."""
        response.set_cookie(
            cookie_name(self.settings), key, httponly=True, samesite="strict", secure=self.settings.tls
        )


def pick(lang: str, zh: str, en: str) -> str:
    return en if lang == "en" else zh


def other_language(request: Request, lang: str) -> str:
    """The same page in the other language."""
    other = "zh" if lang == "en" else "en"
    return str(request.url.include_query_params(lang=other).query)
