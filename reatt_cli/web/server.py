"""The server of the page: its addresses, and uvicorn in a thread beside the warm process."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, cast

import uvicorn
from anyio.to_thread import current_default_thread_limiter, run_sync
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from reatt_cli import failures
from reatt_cli.output import encode
from reatt_cli.serving import warm
from reatt_cli.settings import Settings, log_file
from reatt_cli.web import asking, connections, document, guard

TYPES = {"page.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}


@dataclass(frozen=True)
class Address:
    """Where the server listens, and the token that it asks for."""

    host: str
    port: int
    token: str

    @property
    def url(self) -> str:
        """The address of the page, for whoever may use it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/?token={self.token}"


@contextmanager
def serving(settings: Settings, host: str, port: int) -> Iterator[Address]:
    """Answer over HTTP for a block, in a thread; raises UsageError if the address cannot be used."""
    with _bound(host, port) as listener:
        address = Address(host, listener.getsockname()[1], secrets.token_urlsafe(24))
        logging.getLogger().addHandler(logging.NullHandler())  # libraries print nothing: errors are told to who asks
        listener.room = room = connections.room()
        inner = _app(replace(settings, json=True, quiet=True), room.threads)
        app = guard.Guard(inner, address.token, guard.hosts(host, address.port))
        server = uvicorn.Server(_config(app, room))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="reatt http")
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


def _config(app: guard.App, room: connections.Room) -> uvicorn.Config:
    """Configure uvicorn to say nothing, to trust no header, and to keep to the room there is."""
    return uvicorn.Config(
        cast("Any", app), http=cast("Any", partial(connections.Connection, room)), ws="none", loop="asyncio",
        log_level="critical", access_log=False, server_header=False, proxy_headers=False, backlog=connections.WAITING,
    )  # fmt: skip


@contextmanager
def _bound(host: str, port: int) -> Iterator[connections.Listener]:
    from reatt_store.errors import UsageError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with connections.Listener(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # from now on whoever knows the address is heard, if a little later
        except (OSError, UnicodeError) as error:
            raise UsageError(f"cannot listen on {host}:{port}: {error}", "--port 0 takes a free one") from None
        yield listener


def _app(settings: Settings, threads: int) -> Starlette:
    """Make the application, which works in so many threads; with the extra `mcp` it speaks that protocol, too."""
    routes = [
        *(Route("/" if name == "page.html" else f"/{name}", partial(_file, name)) for name in TYPES),
        Route("/document", partial(_document, settings)),
        Route("/v1/ask", partial(_answered, settings, "ask"), methods=["POST"]),
        Route("/v1/search", partial(_answered, settings, "search"), methods=["POST"]),
    ]
    if find_spec("mcp") is None:
        return Starlette(routes=routes, lifespan=lambda _: _working(threads, nullcontext))
    from reatt_cli.agents.server import over_http
    from reatt_cli.agents.stores import named
    from reatt_cli.agents.tools import Tools

    tools, running = over_http(Tools(named(settings, [])))
    return Starlette(routes=[*routes, *tools], lifespan=lambda _: _working(threads, running))


@asynccontextmanager
async def _working(threads: int, running: Callable[[], AbstractAsyncContextManager[None]]) -> AsyncIterator[None]:
    """Work in so many threads while something else runs."""
    current_default_thread_limiter().total_tokens = threads
    async with running():
        yield


async def _file(name: str, request: Request) -> Response:
    """Send one of our own files."""
    content = (files("reatt_cli.web") / "static" / name).read_bytes()
    return Response(content, media_type=TYPES[name])


async def _document(settings: Settings, request: Request) -> Response:
    """Show a document at the passage that `chunk` names."""
    try:
        return HTMLResponse(await run_sync(_page, settings, request.query_params.get("chunk", "")))
    except Exception as error:
        return _failed(error)


def _page(settings: Settings, chunk: str) -> str:
    from reatt_cli.session import Session
    from reatt_store.errors import UsageError

    if not (chunk.startswith("C-") and chunk[2:].isascii() and chunk[2:].isdecimal() and len(chunk) < 20):
        raise UsageError("chunk names no passage", "?chunk=C-12")
    session = Session(settings)
    try:
        return document.page(session.library, int(chunk[2:]))
    finally:
        session.store.close()


async def _answered(settings: Settings, command: warm.Command, request: Request) -> Response:
    """Answer a question with one object, or with `stream` with lines: first what was found, then the answer."""
    try:
        told = asking.asked(await _body(request))
        if told.stream:
            return StreamingResponse(_lines(settings, command, told), media_type="application/x-ndjson")
        return _json(await run_sync(asking.answer, settings, command, told))
    except ClientDisconnect:
        return Response(status_code=408)  # to nobody
    except Exception as error:
        return _failed(error)


async def _body(request: Request) -> bytes:
    """Read the body of a request, which need not say how long it is; raises UsageError if it is too long."""
    from reatt_store.errors import UsageError

    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > guard.LARGEST:
            raise UsageError("the request is too long", "a question has at most 10,000 characters")
    return bytes(received)


async def _lines(settings: Settings, command: warm.Command, told: asking.Asked) -> AsyncIterator[str]:
    steps: tuple[warm.Command, ...] = ("search",) if command == "search" else ("search", "ask")
    for step in steps:
        try:
            yield encode(await run_sync(asking.answer, settings, step, told)) + "\n"
        except Exception as error:
            yield encode(_refusal(error)[1]) + "\n"
            return


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")


def _failed(error: Exception) -> Response:
    status, told = _refusal(error)
    return _json(told, status)


def _refusal(error: Exception) -> tuple[int, dict[str, Any]]:
    return asking.refusal(failures.known(error) or failures.internal(error, log_file(), debug=True))
