"""The door: a login page where there are accounts, sessions that expire, and nothing behind it without one."""

from __future__ import annotations

import ipaddress
import os
import secrets
from html import escape
from urllib.parse import urlsplit

from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from components.context import Lab
from data.accounts import LoginError, find_person, has_accounts, log_in
from data.roles import LOCAL, Person
from data.store import now
from settings import Settings

OPEN_PATHS = {"/login", "/logout", "/healthz", "/readyz", "/metrics"}
"""What answers without a login where there are accounts."""

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in · Blindspot</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>
body {{ font: 16px/1.5 ui-sans-serif, system-ui, sans-serif; background: #f8f9fb; color: #222936; margin: 0;
  min-height: 100vh; display: grid; place-items: center }}
form {{ background: #fff; border: 1px solid #e2e6ed; border-radius: 12px; padding: 28px 32px; width: 320px }}
h1 {{ font-size: 22px; margin: 0 0 4px }} p {{ margin: 0 0 18px; color: #4a5365 }}
label {{ display: block; font-weight: 600; font-size: 14px; margin-top: 12px }}
input {{ font: inherit; width: 100%; box-sizing: border-box; margin-top: 4px; padding: 8px 10px; border-radius: 8px;
  border: 1px solid #9aa3b4; background: #f8f9fb; color: inherit }}
button {{ font: inherit; font-weight: 600; margin-top: 20px; width: 100%; padding: 9px; border: 0; border-radius: 8px;
  background: #3454d1; color: #fff; cursor: pointer }}
.wrong {{ color: #a3260b; margin: 14px 0 0 }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #0d1118; color: #f0f2f6 }} form {{ background: #151a24; border-color: #353d4d }}
  p {{ color: #ccd2dd }} input {{ background: #0d1118; border-color: #667085 }} .wrong {{ color: #ff9d85 }} }}
</style></head><body><form method="post" action="login"><h1>Blindspot</h1><p>Log in to go on.</p>
<label for="username">Name</label><input id="username" name="username" autocomplete="username" required autofocus>
<label for="password">Password</label><input id="password" name="password" type="password"
  autocomplete="current-password" required>{message}<button>Log in</button></form></body></html>"""


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(lab: Lab) -> None:
    """Raises ValueError where other machines would reach a page that asks nobody who they are."""
    if not _may_be_open(lab.settings) and not has_accounts(lab.db()):
        raise ValueError(
            f"{lab.settings.host} can be reached from other machines, and there are no accounts. Add one with "
            "`python cli.py users add NAME --role admin`, serve on 127.0.0.1, or pass --insecure if everybody who "
            "reaches it may do everything."
        )


def who(lab: Lab, request: Request) -> Person | None:
    """Who sends the request: the account of its session; without any accounts whoever is on this machine; or None."""
    if not has_accounts(lab.db()):
        return LOCAL if _may_be_open(lab.settings) else None
    session = request.session
    return find_person(lab.db(), session.get("name"), session.get("since", ""))


def user_name(lab: Lab, request: Request) -> str | None:
    """Gradio's `auth_dependency`: a name for each request that may go on."""
    person = who(lab, request)
    return person and (person.name or lab.settings.annotator)


class Door:
    """Middleware that lets a request through where `who` knows the person; others see the login page, or 401."""

    def __init__(self, app: ASGIApp, lab: Lab) -> None:
        self.app = app
        self.lab = lab

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] in ("http", "websocket") and path not in OPEN_PATHS:
            if scope["type"] == "websocket":  # the page has none
                return
            request = Request(scope)
            if who(self.lab, request) is None:
                await _turned_away(request)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def add_login(app: FastAPI, lab: Lab) -> None:
    """Puts the door in front of everything that `app` serves."""

    @app.get("/login")
    def login_page(request: Request) -> Response:
        if who(lab, request) is not None:
            return RedirectResponse("./", 303)
        return HTMLResponse(PAGE.format(message=""))

    @app.post("/login")
    def login(
        request: Request, username: str = Form(max_length=200), password: str = Form(max_length=1000)
    ) -> Response:
        """A page's form goes on to the page; a program (`gradio_client`'s `auth`) gets the cookie and JSON."""
        is_page = "text/html" in request.headers.get("accept", "")
        if not _same_origin(request):
            return JSONResponse({"error": "This form came from another site."}, 403)
        try:
            person = log_in(lab.db(), username, password, request.client.host if request.client else "")
        except LoginError as error:
            if is_page:
                message = f'<p class="wrong" role="alert">{escape(str(error))}</p>'
                return HTMLResponse(PAGE.format(message=message), 401)
            return JSONResponse({"error": str(error)}, 401)
        request.session.clear()
        request.session.update(name=person.name, since=now())
        return RedirectResponse("./", 303) if is_page else JSONResponse({"success": True})

    @app.post("/logout")
    def logout(request: Request) -> Response:
        request.session.clear()
        return RedirectResponse("./login", 303)

    app.add_middleware(Door, lab=lab)
    app.add_middleware(
        SessionMiddleware,
        secret_key=session_key(lab.settings),
        session_cookie="blindspot",
        max_age=int(lab.settings.session_hours * 3600),
        same_site="strict",
        https_only=lab.settings.https,
    )


def session_key(settings: Settings) -> str:
    """What signs the sessions' cookies: made once, readable by this user alone. Remove it to end every session."""
    path = settings.workspace / "session.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii")


def _may_be_open(settings: Settings) -> bool:
    return settings.insecure or is_loopback(settings.host)


def _turned_away(request: Request) -> Response:
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{request.scope.get('root_path', '')}/login", 303)
    return JSONResponse({"error": "Log in first."}, 401)


def _same_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
