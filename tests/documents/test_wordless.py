"""Laws of data within words: it fills no passages, and where it stood is said; the rest keeps its lines and places."""

import base64
import doctest
import random
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.documents import wordless
from reatt.documents.reader import FoundFile, read
from reatt.documents.wordless import made_for_tools, without_data
from reatt.parsers.content import Content
from reatt_store.errors import EmptyDocument, NotText

BYTES = random.Random(1).randbytes(30_000)
BASE64 = base64.b64encode(BYTES).decode()
LINES = base64.encodebytes(BYTES).decode()
PEM = f"-----BEGIN CERTIFICATE-----\n{LINES}-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "data",
    [
        f"![map](data:image/png;base64,{BASE64})",
        f"url(data:font/woff2;charset=utf-8;base64,{BASE64})",
        f'<img src="data:image/svg+xml,%3Csvg%20xmlns={"%20d=M10%2010" * 99}"/>',
        f"token: {BASE64}",
        f"key = '{BYTES.hex()}'",
        PEM,
        f"begin\n{LINES}\nend",
        f"> {LINES.replace(chr(10), chr(10) + '> ')}",
        PEM.replace("\n", "\r\n"),
    ],
    ids=range(9),
)
def test_data_leaves_the_words_around_it_and_their_lines(data: str) -> None:
    text = f"The captain is Ada.\n\n{data}\n\n# Crew\nBo and Cy.\n"
    at = text.index("# Crew")
    content = without_data(Content("", text, headings=((at, "Crew"),)))
    assert len("".join(content.text.split())) < 200
    assert content.text.startswith("The captain is Ada.\n\n")
    assert content.text[content.headings[0][0] :] == "# Crew\nBo and Cy.\n"
    assert content.text.count("\n") == text.count("\n")
    assert "characters of data without words" in content.warnings[0]


@pytest.mark.parametrize(
    "text",
    [
        "A " + "long sentence of words " * 100,
        "https://example.org/a/very/long/path?with=" + "&and=".join(["some"] * 60),
        "図書館の開放時間は午前九時から午後五時まで。" * 40,
        "Donaudampfschifffahrtsgesellschaftskapitänsmütze " * 9,
        "| " + " | ".join(map(str, range(400))) + " |",
        "def f(x):\n    return x\n" * 50,
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n" * 9,
    ],
)
def test_words_and_tables_are_no_data(text: str) -> None:
    content = Content("", text)
    assert without_data(content) is content


@given(
    st.lists(st.sampled_from([f"{BASE64[:300]}", "words and more", "\n", " ", "data:a/b,", LINES[:400]]), max_size=9)
)
def test_headings_and_pages_move_with_the_words(parts: list[str]) -> None:
    text = "".join(f"{part}\n@{n}\n" for n, part in enumerate(parts))
    places = [text.index(f"@{n}\n") for n in range(len(parts))]
    content = without_data(Content("", text, tuple(places), tuple((at, "x") for at in places)))
    if content.text:
        for n, (page, (heading, _)) in enumerate(zip(content.pages, content.headings, strict=True)):
            assert content.text[page:].startswith(f"@{n}\n")
            assert page == heading


@pytest.mark.parametrize("end", ["AAAA! no", "-----END-----", ""])
def test_lines_of_data_are_found_once_whatever_follows_them(end: str) -> None:
    lines = "A" * 76 + "\n"
    text = f"Words.\n{lines * 60_000}{end}\n"  # minutes if every line looked for the end of all
    content = without_data(Content("", text))
    assert content.text.split() == ["Words.", "…", *end.split()]
    assert content.text.count("\n") == text.count("\n")


def test_a_file_that_is_nothing_but_data_holds_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.b64").write_text(LINES)
    with pytest.raises(EmptyDocument, match="nothing but data"):
        list(read(FoundFile(tmp_path / "a.b64", explicit=True)))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("package-lock.json", b"{}"),
        ("Cargo.lock", b"[[package]]"),
        ("searchindex.js", b"Search.setIndex({})"),
        ("jquery.min.js", b"x"),
        ("app.js.map", b"{}"),
        ("app.js", b"!function(e,t){return" + b"e(t),a.b(c)," * 500),
    ],
)
def test_files_that_tools_made_for_tools_are_read_only_if_they_are_named(
    tmp_path: Path, name: str, head: bytes
) -> None:
    (tmp_path / name).write_bytes(head)
    with pytest.raises(NotText, match="made by a tool"):
        list(read(FoundFile(tmp_path / name, explicit=False)))
    assert list(read(FoundFile(tmp_path / name, explicit=True)))


WRITTEN = b"function f(x) {\n  return x;\n}\n" * 99


@pytest.mark.parametrize(("name", "head"), [("app.js", WRITTEN), ("lock.md", b"x")])
def test_what_people_write_is_for_people(name: str, head: bytes) -> None:
    assert made_for_tools(PurePath(name), head) == ""


def test_the_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(wordless).failed == 0


@given(
    st.lists(
        st.sampled_from(["Ada has a cat.\n", "Bo.\n", LINES, "> x y\n", f"t {BASE64}\n", PEM, "\n", "a" * 70 + "\n"])
    )
)
def test_a_text_is_searched_in_windows_as_in_one_piece(parts: list[str]) -> None:
    content, told = Content("", "".join(parts)), list[int]()
    whole = without_data(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wordless, "_WINDOW", 7)
        assert without_data(content, lambda: told.append(1)) == whole
    assert bool(told) == bool(content.text)
