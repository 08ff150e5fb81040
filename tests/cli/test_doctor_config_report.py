"""doctor, config and report: what is wrong and what to do, who has set what, an answer as a page that stands alone."""

import html.parser
import io
import json
import os
import stat

import pytest

from reatt_cli.commands import doctor
from reatt_cli.commands.config import own_file
from reatt_cli.replies import page as answer_page
from reatt_cli.schemas import published as schemas
from reatt_store.library import Library
from reatt_store.vouching import voucher

PAYLOADS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "'\"><svg onload=x>", "javascript:x", "]]><b",
    "</style><script>", "<a href=http://x>", "\x1b]52;c;aGk=\x07\u202e", "&lt;b&gt;", "<!--", "<bdi><mark>",
)  # fmt: skip


def findings(reatt, *arguments):
    done = reatt("doctor", "--json", *arguments)
    assert done.err == ""
    return done.code, {each["name"]: each for each in json.loads(done.out)["checks"]}


def configure(text, file=None):
    file = file or own_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_doctor_finds_a_good_store_good(reatt, library):
    code, found = findings(reatt)
    assert code == 0
    assert {each["status"] for each in found.values()} == {"ok"}
    assert "3 documents, 3 passages" in found["store"]["detail"]


def test_doctor_without_a_store_says_how_to_make_one(reatt):
    code, found = findings(reatt)
    assert (code, found["store"]["status"], found["store"]["fix"]) == (0, "warn", "reatt ingest PATH")


def test_doctor_tells_people_each_finding_with_what_to_do(reatt, home):
    done = reatt("doctor")
    found = findings(reatt)[1]
    assert done.code == 0
    for each in found.values():
        assert each["name"] in done.out
        assert each["fix"] in done.out


def test_a_page_is_of_one_question(reatt, store, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Why?\n"))
    done = reatt("ask", "-", "--report", "page.html")
    assert (done.code, "--report is for one question" in done.err) == (2, True)


def test_doctor_says_who_else_can_look_in(reatt, library):
    library.chmod(0o755)
    found = findings(reatt)[1]["modes"]
    assert (found["status"], found["fix"]) == ("warn", "chmod 700 .reatt")


def test_two_builds_of_faiss_are_a_failure(reatt, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: "1.15.1")
    code, found = findings(reatt)
    assert (code, found["faiss"]["status"]) == (1, "fail")
    assert "pip uninstall" in found["faiss"]["fix"]


def test_a_store_that_cannot_be_read_and_a_lost_model_fail_and_the_rest_is_told(reatt, library):
    (next((library / "models").iterdir()) / "config.json").unlink()
    assert findings(reatt)[1]["model"]["status"] == "fail"
    (library / "reatt.db").write_bytes(b"no database" * 100)
    code, found = findings(reatt)
    assert (code, found["store"]["status"], found["sqlite"]["status"]) == (1, "fail", "ok")


@pytest.mark.parametrize(("typed", "count"), [((), 1), (("-k", "2"), 2)])
def test_an_option_comes_before_the_file(typed, count, reatt, store):
    configure("[search]\ntop = 1\nretriever = 'words'\n")
    assert len(json.loads(reatt("search", "--json", "leave travel", *typed).out)["hits"]) == count


def test_the_environment_comes_between(reatt, store, monkeypatch):
    configure('device = "cuda:7"\n')
    assert reatt("search", "x", "--retriever", "words", "--ok-empty").code == 0
    monkeypatch.setenv("REATT_DEVICE", "cpu")
    told = {row["name"]: row for row in json.loads(reatt("config", "--json").out)["settings"]}
    assert (told["device"]["value"], told["device"]["source"]) == ("cpu", "REATT_DEVICE")


def test_the_file_in_a_store_comes_before_your_own_and_sets_no_model(reatt, store):
    configure("[ask]\ntop = 3\nbeams = 2\n")
    configure("[ask]\ntop = 5\n", store / "config.toml")
    told = {row["name"]: row["value"] for row in json.loads(reatt("config", "--json").out)["settings"]}
    assert (told["ask.top"], told["ask.beams"], told["search.top"]) == (5, 2, 8)
    configure('model = "evil"\n', store / "config.toml")
    done = reatt("list")
    assert (done.code, "model is not a setting" in done.err) == (2, True)


@pytest.mark.parametrize(
    "text", ["tpo = 3", "[ask]\ntpo = 3", "[ask]\ntop = true", "[ask\n", "[hooks]\na = 1", "\ud800"]
)
def test_what_is_no_setting_is_named_with_its_file(text, reatt, home):
    own_file().parent.mkdir(parents=True)
    own_file().write_bytes(text.encode("utf-8", "surrogatepass"))
    done = reatt("list")
    assert (done.code, "config.toml" in done.err, "Traceback" in done.err) == (2, True, False)


def test_config_path_is_where_the_file_is_looked_for(reatt, home, monkeypatch):
    monkeypatch.setenv("REATT_CONFIG", str(home / "mine.toml"))
    assert reatt("config", "path").out == f"{home}/mine.toml\n"


class Page(html.parser.HTMLParser):
    """What a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = set(), [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def answered(reatt, library):
    return json.loads(reatt("ask", "--json", "--explain", "--abstain", "never", "How long is parental leave?").out)


def test_an_answer_becomes_a_page_with_its_evidence_and_shares(reatt, answered, home):
    (home / "work" / "a.json").write_text(json.dumps(answered))
    assert reatt("report", "a.json").out == f"{answered['id']}.html\n"
    file = home / "work" / f"{answered['id']}.html"
    page = Page(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    assert {"mark", "meter"} <= page.tags
    for evidence in answered["evidence"]:
        assert evidence["text"] in page.text
        assert f"{evidence['attribution']['share']:.0%} of the attention" in page.text


def test_ask_writes_the_same_page_by_itself(reatt, answered, home):
    assert reatt("ask", "--abstain", "never", "How long is parental leave?", "--report", "p.html").code == 0
    page = (home / "work" / "p.html").read_text()
    assert page == answer_page.page(schemas.Ask.model_validate(answered))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_becomes_markup_and_nothing_is_fetched(payload, answered):
    answered |= {"question": payload, "answer": payload}
    answered["evidence"][0] |= {"text": payload + answered["evidence"][0]["text"], "title": payload, "path": payload}
    text = answer_page.page(schemas.Ask.model_validate(answered))
    page = Page(text)
    known = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "p",
        "h1",
        "h2",
        "bdi",
        "span",
        "blockquote",
        "mark",
        "meter",
    }
    assert page.tags <= known
    assert {name for name, _ in page.attributes} <= {
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "value",
    }
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "default-src 'none'" in text


def put_page(store, text, words):
    (store / "reports").mkdir(exist_ok=True)
    (store / "reports" / "R-1.html").write_text(f"{text}<!-- {words} -->\n")


def begin_run(store, **settings):
    with Library.open(store) as library, library.writing() as writer:
        return writer.begin_run("unlabelled", settings)


def test_the_page_of_a_run_comes_out_of_the_store_if_its_user_made_it(reatt, store, home):
    put_page(store, "<p>run</p>", voucher(b"<p>run</p>"))
    assert reatt("report", "R-1", "-o", "out.html").out == "out.html\n"
    assert (home / "work" / "out.html").read_text() == "<p>run</p>"
    begin_run(store)
    assert "the runs are: R-1" in reatt("report", "R-8").err


@pytest.mark.parametrize(
    "words", ["", "ab" * 32, "\ud800".encode("utf-8", "replace").decode(), voucher(b"another") or ""]
)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_page_that_nobody_vouches_for_is_made_anew_from_the_record_of_the_run(payload, words, reatt, store, home):
    put_page(store, f"<script>evil</script>{payload}", words)
    assert reatt("report", "R-1", "-o", "out.html").code == 2
    assert not (home / "work" / "out.html").exists()
    begin_run(store, note=payload)
    assert reatt("report", "R-1", "-o", "out.html").code == 0
    text = (home / "work" / "out.html").read_text()
    assert ("evil" in text, "default-src 'none'" in text) == (False, True)
    assert Page(text).tags <= {"html", "head", "meta", "title", "style", "body", "p", "h1", "h2", "bdi"}


def test_a_page_follows_no_link_and_leaves_no_part(reatt, store, home):
    """The attack: whoever made the store chose the content, and with a link beside it the file to be written."""
    (home / "bashrc").write_text("mine")
    put_page(store, "evil", voucher(b"evil"))
    for name in ("R-1.html.part", "R-1.html"):
        (home / "work" / name).symlink_to(home / "bashrc")
    assert reatt("report", "R-1").code == 0
    assert (home / "bashrc").read_text() == "mine"
    assert {path.name for path in (home / "work").iterdir()} == {".reatt", "R-1.html", "R-1.html.part"}


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/null", "/dev/shm/../null", "pipe", "to-a-pipe"])
def test_a_page_replaces_neither_device_nor_pipe(name, reatt, store, home):
    put_page(store, "evil", voucher(b"evil"))
    os.mkfifo("pipe")
    os.symlink("pipe", "to-a-pipe")
    done = reatt("report", "R-1", "-o", name)
    assert (done.code, "is not a regular file" in done.err) == (2, True)
    assert stat.S_ISFIFO(os.stat("to-a-pipe").st_mode)


@pytest.mark.parametrize("text", ["{}", "[]", "no", '{"schema": "reatt.ask/1"}', '{"schema": "reatt.search/1"}'])
def test_what_is_no_answer_is_refused_in_one_line(text, reatt, home):
    (home / "work" / "a.json").write_text(text)
    done = reatt("report", "a.json")
    assert (done.code, done.err.count("\n")) == (2, 1)
