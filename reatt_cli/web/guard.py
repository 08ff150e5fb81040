"""Who may use the server: whoever has its token, by the address that it printed, from no other page.

A page of another origin cannot read what is here, and cannot ask: its `Origin` is refused, and it does not know the
token. A foreign host name that points to this machine (DNS rebinding) is refused by its `Host`.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset(("/page.js", "/page.css"))  # our own code, the same for everybody
LARGEST = 100_000  # bytes of a request
KNOWN = "reatt.known"  # in the state of a request: it has shown the token
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True)
class Guard:
    """Passes on what may pass, and adds to every answer what a browser must not do with it."""

    app: App
    token: str
    hosts: frozenset[str]  # what `Host` may say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        status, why = self._refusal(scope)
        if why:
            await _refuse(send, status, why)
            return
        await self.app(scope, _bounded(receive), _guarded(send))

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        """Return the status and the reason why a request is refused; "" if it is not."""
        if scope["type"] != "http":
            return 403, "only HTTP is spoken here"
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if told.get("host", "") not in self.hosts or _several(scope["headers"], b"host"):
            return 421, "this server does not have that name"
        origin = told.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return 403, "pages of other origins may not ask"
        if not told.get("content-length", "0").isdecimal() or int(told.get("content-length", "0")) > LARGEST:
            return 413, "the request is too long"
        known = self._knows(scope, told)
        scope.setdefault("state", {})[KNOWN] = known
        if scope["path"] not in OPEN and not known:
            return 403, "the token is missing or wrong: open the address that reatt serve --http has printed"
        return 200, ""

    def _knows(self, scope: Scope, told: dict[str, str]) -> bool:
        """Return whether the token is in the address or in the header `Authorization: Bearer TOKEN`."""
        query = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        given = [told.get("authorization", "").removeprefix("Bearer "), *query]
        return any(hmac.compare_digest(each.encode(), self.token.encode()) for each in given)


def hosts(name: str, port: int) -> frozenset[str]:
    """Return what `Host` may say for a server on an address."""
    names = {name, "localhost", "127.0.0.1"} if name in ("127.0.0.1", "localhost") else {name}
    return frozenset(f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in names)


def _several(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bool:
    return sum(1 for each, _ in headers if each.lower() == name) > 1


def _bounded(receive: Receive) -> Receive:
    """Pass on a request up to the limit; of a longer one, which need not say that it is, the rest never comes."""
    received = 0

    async def receiving() -> MutableMapping[str, Any]:
        nonlocal received
        if received > LARGEST:
            return {"type": "http.disconnect"}
        message = await receive()
        received += len(message.get("body", b""))
        return message

    return receiving


def _guarded(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in HEADERS}
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return sending


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    await _guarded(send)({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{why}\n".encode()})
