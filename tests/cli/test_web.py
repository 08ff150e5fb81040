"""`reatt serve --http`: what the command line says, over HTTP, to nobody but who has the address."""

import http.client
import json
import os
import socket
from contextlib import contextmanager
from html.parser import HTMLParser
from importlib import util

import anyio
import jsonschema
import pytest

pytest.importorskip("uvicorn", reason='the extra is not installed: pip install "reatt[web]"')
pytest.importorskip("starlette", reason='the extra is not installed: pip install "reatt[web]"')

from reatt_cli.schemas import published as schemas
from reatt_cli.settings import Settings
from reatt_cli.web import guard, server
from tests.served import served

QUESTION = "How long is parental leave?"
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)> \"'&\u202e\x1b]52;c;x\x07 leave"


@pytest.fixture
def site(library, runtime, reatt):
    """Serve the page of a store, one document of which is an attacker's; return its address."""
    (library.parent / "<b>attack.md").write_text(f"# <b>Leave</b>\n\n{ATTACK}\n")
    assert reatt("ingest", "<b>attack.md").code == 0
    settings = Settings(store=str(library), model=os.environ["REATT_MODEL"], device="cpu")
    with served(library, model=os.environ["REATT_MODEL"]), server.serving(settings, "127.0.0.1", 0) as address:
        yield address


def send(site, method, path, body=None, token=True, **headers):
    """Send a request as a program would; return status, headers and body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        named["Authorization"] = f"Bearer {site.token}"
    connection = http.client.HTTPConnection(site.host, site.port, timeout=60)
    data = json.dumps(body) if isinstance(body, dict) else body
    connection.request(method, path, data, named)
    response = connection.getresponse()
    found = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode()
    connection.close()
    return found


def asked(site, name="ask", **body):
    status, _, text = send(site, "POST", f"/v1/{name}", {"question": QUESTION} | body)
    return status, json.loads(text)


def timeless(told):
    return {name: value for name, value in told.items() if name != "timing_ms"}


@pytest.mark.parametrize("name", ["search", "ask"])
@pytest.mark.parametrize("explain", [False, True])
def test_an_answer_is_the_object_that_the_command_line_prints(name, explain, site, reatt):
    status, told = asked(site, name, top=3, explain=explain)
    jsonschema.validate(told, schemas.json_schema(name))
    said = reatt(name, QUESTION, "-k", "3", "--json", "--ok-empty", *(["--explain"] if explain else []))
    assert status == 200
    assert timeless(told) == timeless(json.loads(said.out))


def test_less_of_it_can_be_asked_for(site):
    status, told = asked(site, "search", fields="path,text", compact=True)
    jsonschema.validate(told, schemas.json_schema("search-fields"))
    assert status == 200
    assert all(set(each) == {"path", "text"} for each in told["hits"])


def test_a_stream_tells_first_what_was_found_and_then_the_answer(site):
    status, headers, text = send(site, "POST", "/v1/ask", {"question": QUESTION, "stream": True})
    found, reply = map(json.loads, text.splitlines())
    assert (status, headers["content-type"]) == (200, "application/x-ndjson")
    jsonschema.validate(found, schemas.json_schema("search"))
    jsonschema.validate(reply, schemas.json_schema("ask"))


WRONG = [
    (b"", 400, "USAGE"), (b"no json", 400, "USAGE"), (b"[]", 400, "USAGE"), (b'{"question": 1}', 400, "USAGE"),
    (b'{"question": "  "}', 400, "BAD_QUESTION"), (b'{"question": "a", "nonsense": 1}', 400, "USAGE"),
    (b'{"question": "a", "top": 0}', 400, "USAGE"), (b'{"question": "a", "fields": "nothing"}', 400, "USAGE"),
    (b'{"question": "a", "abstain": NaN}', 400, "USAGE"), (b"\xff", 400, "USAGE"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "id"), WRONG)
def test_a_mistake_is_one_object_that_says_what_to_do(body, status, id, site):
    got, _, text = send(site, "POST", "/v1/ask", body)
    told = json.loads(text)
    jsonschema.validate(told, schemas.json_schema("error"))
    assert (got, told["id"], bool(told["fix"])) == (status, id, True)


def test_a_store_that_is_gone_is_said(site, library):
    (library / "reatt.db").unlink()
    status, told = asked(site, "search")
    assert (status, told["id"], told["code"]) == (404, "NO_STORE", 10)


PATHS = [
    ("GET", "/"), ("GET", "/document?chunk=C-1"), ("POST", "/v1/ask"), ("POST", "/v1/search"), ("POST", "/mcp"),
    ("GET", "/nothing"), ("OPTIONS", "/v1/ask"),
]  # fmt: skip
REFUSED = [
    ("no token", 403, {"token": False}), ("a wrong one", 403, {"token": False, "Authorization": "Bearer wrong"}),
    ("an empty one", 403, {"token": False, "Authorization": "Bearer "}),
    ("another origin", 403, {"Origin": "http://evil.example"}), ("no origin", 403, {"Origin": "null"}),
    ("another port", 403, {"Origin": "http://127.0.0.1:1"}), ("https", 403, {"Origin": "https://127.0.0.1:PORT"}),
    ("a rebinding name", 421, {"Host": "evil.example:PORT"}), ("a name that looks like ours", 421,
     {"Host": "127.0.0.1.evil.example:PORT"}), ("no port", 421, {"Host": "127.0.0.1"}),
]  # fmt: skip


@pytest.mark.parametrize(("who", "status", "how"), REFUSED, ids=[who for who, *_ in REFUSED])
def test_nobody_else_gets_anything(who, status, how, site):
    told = {
        name: value.replace("PORT", str(site.port)) if isinstance(value, str) else value for name, value in how.items()
    }
    for method, path in PATHS:
        got, headers, text = send(site, method, path, {"question": QUESTION} if method == "POST" else None, **told)
        assert got == status, (method, path)
        assert "leave" not in text
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "query", ["?token=", "?token=wrong", "?token=wrong&token=also", "?Token=TOKEN", "?token=TOKEN%20"]
)
def test_an_address_with_a_wrong_token_is_refused(query, site):
    assert send(site, "GET", "/" + query.replace("TOKEN", site.token), token=False)[0] == 403


def test_the_address_that_is_printed_opens_the_page(site):
    status, headers, text = send(site, "GET", f"/?token={site.token}", token=False)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert site.token not in text


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/document?chunk=C-1", "/nothing", "/v1/ask"])
@pytest.mark.parametrize("token", [True, False])
def test_every_answer_says_what_a_browser_must_not_do_with_it(path, token, site):
    headers = send(site, "GET", path, token=token)[1]
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert {name.decode() for name, _ in guard.HEADERS} <= headers.keys()
    assert "server" not in headers


def test_a_request_that_is_too_long_is_refused_said_or_unsaid(site):
    long = json.dumps({"question": "a" * 200_000})
    assert send(site, "POST", "/v1/ask", long)[0] == 413
    with socket.create_connection((site.host, site.port), timeout=60) as connection:
        head = f"POST /v1/ask HTTP/1.1\r\nHost: {site.host}:{site.port}\r\nAuthorization: Bearer {site.token}\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{len(long):x}\r\n{long}\r\n0\r\n\r\n".encode())
        assert b" 400 " in connection.recv(100)


def test_nothing_behind_the_guard_gets_more_of_a_request_than_is_allowed():
    part, got = b"a" * 50_000, []

    async def endless():
        return {"type": "http.request", "body": part, "more_body": True}

    async def greedy(scope, receive, send):
        while (message := await receive())["type"] == "http.request":
            got.append(len(message["body"]))

    headers = [(b"host", b"here:1"), (b"authorization", b"Bearer secret")]
    scope = {"type": "http", "path": "/mcp", "query_string": b"", "headers": headers}
    anyio.run(guard.Guard(greedy, "secret", frozenset(("here:1",))), scope, endless, endless)
    assert guard.LARGEST < sum(got) <= guard.LARGEST + len(part)


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text += data


def test_a_document_is_shown_at_the_place_and_never_as_markup(site):
    hits = asked(site, "search", top=9)[1]["hits"]
    attack = next(each for each in hits if "attack" in each["path"])
    status, _, text = send(site, "GET", f"/document?chunk={attack['chunk']}")
    seen = Seen(text)
    assert status == 200
    assert set(seen.tags) <= {"html", "head", "meta", "title", "link", "body", "main", "h1", "bdi", "p", "pre", "mark"}
    assert seen.ids == ["here"]
    assert "<script>alert(1)</script>" in seen.text
    assert not {"\u202e", "\x1b", "\x07"} & set(text)


@pytest.mark.parametrize("chunk", ["", "C-", "D-1", "C-1x", "C-١", "C-99999", "C-" + "9" * 30, "../x", "C-1%00"])
def test_what_is_no_passage_is_refused(chunk, site):
    status, _, text = send(site, "GET", f"/document?chunk={chunk.replace('١', '%D9%A1')}")
    assert status == 400
    assert json.loads(text)["id"] in ("USAGE", "NO_SUCH_ID")


def test_our_own_page_fetches_nothing_from_elsewhere_and_makes_no_markup():
    for name in server.TYPES:
        text = (server.files("reatt_cli.web") / "static" / name).read_text("utf-8")
        assert "http:" not in text
        assert "https:" not in text
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", "onclick"):
            assert word not in text


def test_agents_are_answered_over_http_as_well(site):
    pytest.importorskip("mcp", reason='the extra is not installed: pip install "reatt[mcp]"')
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async def conversation():
        url = f"http://{site.host}:{site.port}/mcp"
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {site.token}"}, timeout=60)
        async with http, Client(streamable_http_client(url, http_client=http)) as client:
            found = await client.call_tool("search", {"question": QUESTION})
            return {tool.name for tool in (await client.list_tools()).tools}, found.structured_content

    names, found = anyio.run(conversation)
    assert names == {"search", "ask", "read", "list", "status"}
    assert found["passages"]


@contextmanager
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_is_taken_and_an_address_of_another_machine_are_mistakes(reatt, library, runtime):
    with taken() as port:
        done = reatt("serve", "--http", "--port", port)
    assert (done.code, "cannot listen" in done.err) == (2, True)
    assert reatt("serve", "--http", "--host", "192.0.2.1").code == 2


def test_without_the_extra_the_command_says_what_to_install(reatt, library, monkeypatch):
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    done = reatt("serve", "--http")
    assert (done.code, 'pip install "reatt[web]"' in done.err) == (2, True)
