"""Middleware around everything that is served: who may send what from where, how much, how often; and headers."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from urllib.parse import urlsplit

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.context import Lab
from components.login import is_loopback
from data.accounts import has_accounts
from data.logs import request_id
from data.store import StoreError

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": "frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'",
}
LIMITED = re.compile(r"/(api|gradio_api/(run|call|queue/join|upload|api))(/|$)|/export/")
"""Paths that do work; the page's own files and its heartbeat are not counted."""
SLOW_MS = 2000
GIVEN_ID = re.compile(r"[\w.-]{1,64}")

log = logging.getLogger("blindspot.requests")


class Guard:
    """Refuses other sites' requests and bodies that are too large; requests get an id, and replies headers."""

    def __init__(self, app: ASGIApp, lab: Lab) -> None:
        self.app, self.lab = app, lab
        self.most_bytes = lab.settings.upload_mib * 2**20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        token = request_id.set(given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex[:12])
        started, status = time.perf_counter(), 0

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
                out["X-Request-ID"] = request_id.get()
                if self.lab.settings.https:
                    out.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        try:
            refused = self.refusal(scope, headers)
            if refused:
                await answer(reply, *refused)
            else:
                await self.app(scope, self.counted(receive), reply)
        except BodyTooLarge:
            await answer(reply, 413, self.too_large())
        finally:
            took_ms = 1000 * (time.perf_counter() - started)
            if status >= 400 or took_ms > SLOW_MS:  # a line a request would drown these in the page's ticks
                log.warning("%s %s %d in %.0f ms", scope["method"], scope["path"], status, took_ms)
            request_id.reset(token)

    def refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and reason where the request may not go on."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin and origin not in self.lab.settings.origins and urlsplit(origin).netloc != host:
            return 403, "This request came from another site."
        if not self.is_own_name(host):
            return 403, (
                f"{host} is no name of this machine, and there are no accounts. Open http://127.0.0.1, or list "
                "the address in BLINDSPOT_ORIGINS."
            )
        if int(headers.get("content-length") or 0) > self.most_bytes:
            return 413, self.too_large()
        return None

    def is_own_name(self, host: str) -> bool:
        """Without accounts a page on loopback is this machine's alone: no other name leads to it (DNS rebinding)."""
        settings = self.lab.settings
        name = urlsplit(f"//{host}").hostname or ""
        if settings.insecure or not is_loopback(settings.host) or is_loopback(name):
            return True
        if any(urlsplit(allowed).netloc == host for allowed in settings.origins):
            return True
        try:
            return has_accounts(self.lab.db())
        except StoreError:
            return True  # the page says what is wrong with the store

    def too_large(self) -> str:
        return f"Expected at most {self.lab.settings.upload_mib} MiB at once. Send it in parts."

    def counted(self, receive: Receive) -> Receive:
        """`receive`, ending where a body that did not say its length grows too long."""
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.most_bytes:
                raise BodyTooLarge
            return message

        return counting


class Rate:
    """Refuses more requests that do work than `settings.rate_limit` from one account, or else from one address."""

    def __init__(self, app: ASGIApp, lab: Lab) -> None:
        self.app = app
        self.rate = parse(lab.settings.rate_limit) if lab.settings.rate_limit else None
        self.limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.rate and scope["type"] == "http" and LIMITED.search(scope["path"]):
            client = scope.get("session", {}).get("name") or (scope.get("client") or ("",))[0]
            if not self.limiter.hit(self.rate, client):
                await answer(send, 429, f"More than {self.rate} from {client}. Wait a moment, then go on.")
                return
        await self.app(scope, receive, send)


class BodyTooLarge(Exception):
    """The request's body is longer than is taken."""


async def answer(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
