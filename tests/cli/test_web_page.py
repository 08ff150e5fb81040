"""The page of `reatt serve --http` in a real browser: by keyboard alone, narrow and wide, with an attacker's texts."""

import contextlib
import http.server
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason='the extra is not installed: pip install "reatt[web]"')
pytest.importorskip("starlette", reason='the extra is not installed: pip install "reatt[web]"')

from reatt_cli.settings import Settings
from reatt_cli.web import server
from reatt_store.library import Library
from tests import browser
from tests.served import served

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium is installed: apt-get install chromium")

QUESTION = "How many weeks of parental leave can each parent take?"
ATTACK = "<img src=x onerror='alert(1)'><script>document.title=2</script> zebra clause 😀 of [leave](javascript:1)"
PICTURES = os.environ.get("PICTURES")  # a folder to keep what the page looks like in


@pytest.fixture(scope="module")
def site(example_store, tmp_path_factory):
    """Serve a copy of the example store, with an attacker's document beside the others; return the address."""
    from reatt import api

    root, runtime = tmp_path_factory.mktemp("web"), tempfile.mkdtemp(prefix="reatt-")
    store = Path(shutil.copytree(example_store, root / "store"))
    (root / "<i>zebra.md").write_text(f"# <i>Zebra</i>\n\n{ATTACK}\n")
    with api.open(store) as library:
        library.ingest([str(root / "<i>zebra.md")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        with served(store), server.serving(Settings(store=str(store), device="cpu"), "127.0.0.1", 0) as address:
            yield address
    shutil.rmtree(runtime)


@pytest.fixture(scope="module")
def chromium():
    with browser.browsing() as open_page:
        yield open_page


@pytest.fixture
def page(chromium, site):
    found = chromium()
    found.resize(1400)
    found.open(site.url)
    found.wait_for("document.activeElement.id === 'question'")
    return found


ANSWERED = "document.querySelector('#answer .answer') !== null"


def ask(page, text):
    page.write(text)
    page.press("Enter", 13, "\r")
    page.wait_for(ANSWERED)


def test_a_question_is_asked_answered_explained_and_opened_by_keyboard_alone(page, site):
    ask(page, QUESTION)  # the focus is in the field from the start
    assert page.value("document.querySelector('.answer').textContent") == "26 weeks"
    assert page.value("document.querySelectorAll('#passages li').length") == 8
    assert page.value("document.querySelector('mark.answered').textContent") == "26 weeks"
    assert "% of the attention" in page.value("document.querySelector('#passages li').textContent")
    for name, tag in (("Ask", "BUTTON"), ("leave.md", "A"), ("How this came about", "SUMMARY")):
        page.press("Tab", 9)
        assert page.value("document.activeElement.tagName") == tag
        assert name in page.value("document.activeElement.textContent")
        assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter", 13, "\r")
    page.wait_for("document.querySelector('details[open] table') !== null")
    assert page.value("document.querySelectorAll('details[open] tr').length") > 5
    page.press("/", 191, "/")
    assert page.value("document.activeElement.id") == "question"
    for _ in range(2):
        page.press("Tab", 9)
    page.press("Enter", 13, "\r")
    page.wait_for("location.pathname === '/document' && document.getElementById('here') !== null")
    assert "Each parent may take 26 weeks" in page.value("document.getElementById('here').textContent")
    assert page.value("document.getElementById('here').getBoundingClientRect().top") < 900
    own = f"http://127.0.0.1:{site.port}/"
    assert page.requests
    assert all(url.startswith(own) for url in page.requests), page.requests


def test_an_attackers_text_is_text_and_marks_fall_where_they_should(page):
    ask(page, "What is the zebra clause of leave?")
    title = page.value("document.title")
    assert title.startswith("What is the zebra clause")
    assert page.value("document.querySelectorAll('#passages img, #passages script, #passages i').length") == 0
    text = page.value("document.querySelector('#passages blockquote').textContent")
    assert ATTACK in text
    links = page.value("[...document.querySelectorAll('a')].map(a => a.getAttribute('href').split('?')[0])")
    assert set(links) == {"/document"}
    page.open(page.value("document.querySelector('#passages a').href"))
    assert page.value("document.querySelectorAll('img, script, i').length") == 0
    assert ATTACK in page.value("document.getElementById('here').textContent")
    assert page.value("document.title").endswith("<i>zebra.md")


def test_lines_that_were_broken_to_be_short_flow_on_and_lists_stay_lists(page):
    long = "x" * 59
    texts = [
        f"{long}y\nand on",
        f"{long}y\n2. second",
        f"{long}y\n- point",
        f"{long}y\n  inner",
        "short\nline",
        f"{long}y\n\nnext",
    ]
    shown = page.value(f"JSON.stringify({json.dumps(texts)}.map(flowing))")
    assert json.loads(shown) == [f"{long}y and on", *texts[1:]]


def test_the_policy_forbids_whatever_could_be_made_to_run(page):
    tries = [
        "document.body.innerHTML = '<b>x</b>'", "document.write('<script>document.title = 4</script>')",
        "document.body.setAttribute('onclick', 'document.title = 3')",
        "document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:1/x.png'}))",
    ]  # fmt: skip
    for each in tries:
        page.call("Runtime.evaluate", expression=each)
    page.press("a", 65, "a")
    page.value("document.body.click()")
    assert page.value("document.body.innerHTML.includes('<b>x</b>')") is False
    assert page.value("document.title") == "reatt"


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_narrow_and_wide_in_light_and_dark(width, dark, page):
    page.resize(width, dark)
    ask(page, QUESTION)
    assert page.value("document.documentElement.scrollWidth") <= width
    light = page.value("matchMedia('(prefers-color-scheme: dark)').matches")
    assert light == dark
    picture = page.picture()
    assert picture.startswith(b"\x89PNG")
    if PICTURES:
        (Path(PICTURES) / f"page-{width}-{'dark' if dark else 'light'}.png").write_bytes(picture)


def test_a_wrong_token_shows_what_to_do_and_nothing_else(chromium, site):
    page = chromium()
    page.open(site.url + "x")
    assert "open the address that reatt serve --http has printed" in page.value("document.body.innerText")
    assert page.value("document.getElementById('form')") is None


@contextlib.contextmanager
def elsewhere(text):
    """Serve an attacker's page from another port of this machine, which is another origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as attacker:
        thread = threading.Thread(target=attacker.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{attacker.server_port}/"
        attacker.shutdown()
        thread.join()


STEAL = """<title>attack</title><iframe src="SITE"></iframe><script>
const said = [];
const body = '{"question": "leave"}';
const ways = [{}, {method: "POST", body}, {method: "POST", body, mode: "no-cors"},
              {method: "POST", body, headers: {Authorization: "Bearer TOKEN", "Content-Type": "application/json"}}];
const steal = how => fetch("SITEv1/ask?token=TOKEN", how).then(r => r.text()).then(t => said.push(t), () => 0);
Promise.all(ways.map(steal))
  .then(() => document.title = "done " + said.join(""));
</script>"""


def test_a_page_of_another_origin_gets_nothing_even_with_the_token(chromium, site):
    own = f"http://127.0.0.1:{site.port}/"
    with elsewhere(STEAL.replace("SITE", own).replace("TOKEN", site.token)) as attacker:
        page = chromium()
        page.open(attacker)
        page.wait_for("document.title.startsWith('done')")
        assert page.value("document.title").strip() == "done"
        assert page.value("frames[0].length") == 0


def test_a_name_that_was_bound_anew_to_this_machine_is_refused(chromium, site):
    page = chromium()
    page.open(f"http://rebound.localhost:{site.port}/?token={site.token}")  # resolves to this machine, as theirs would
    assert "this server does not have that name" in page.value("document.body.innerText")


def test_the_store_was_only_read(site, example_store):
    with Library.open(example_store) as library:
        assert library.status().documents == 17
