"""What reaches a terminal: made safe, readable without colour, silent where nobody looks."""

import io
import json
import os
import pty
import re
import sys
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.progress import Progress
from reatt_cli import rendering
from reatt_cli.output import Output, encode

NASTY = "a\x1b]52;c;aGk=\x07b\x9b31mc\u202edoc\u200b\x7f\U000e0041\udc80[/x]"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\U000e0000-\U000e007f]")


@dataclass(frozen=True)
class Step:
    phase: str
    done: int
    total: int | None
    note: str = ""


@given(st.text())
def test_no_control_character_survives_any_way_out(text):
    assert not CONTROL.search(rendering.visible(text))
    assert not CONTROL.search(encode({"text": text}))
    assert not CONTROL.search(rendering.highlighted(text, [(0, len(text))]).plain)


@given(st.text())
def test_json_means_what_the_text_meant_but_for_lone_surrogates(text):
    assert json.loads(encode(text)) == re.sub("[\ud800-\udfff]", "\ufffd", text)


@given(st.text())
def test_text_without_control_characters_is_shown_as_it_is(text):
    plain = rendering._UNSAFE.sub("", text)
    assert rendering.visible(plain) == plain


@pytest.mark.parametrize("write", ["say", "block", "note", "warn"])
def test_every_way_to_print_makes_text_safe(write, capsys):
    getattr(Output(), write)(NASTY)
    printed = "".join(capsys.readouterr())
    assert "\\x1b]52;c;aGk=\\x07b\\x9b31mc\\u202edoc\\u200b\\x7f\\U000e0041\\udc80[/x]" in printed
    assert not CONTROL.search(printed)


@pytest.mark.parametrize("write", ["say", "note", "warn"])
def test_a_line_end_in_a_text_begins_no_line(write, capsys):
    getattr(Output(), write)("a\nreatt: b")
    assert "".join(capsys.readouterr()).endswith("a\\nreatt: b\n")


def test_tables_and_markup_like_text_are_printed_as_text(capsys):
    Output().table([("src/[id].tsx", "[/nested] :smile: \x1b[31m"), ("b", "[bold]x[/bold]")])
    assert capsys.readouterr().out == "src/[id].tsx  [/nested] :smile: \\x1b[31m\nb             [bold]x[/bold]\n"


def test_a_pipe_gets_whole_lines_and_no_colour(capsys):
    Output().table([("x" * 300, "y")])
    Output().say(rendering.highlighted("the answer is here", [(4, 10)]))
    assert capsys.readouterr().out == "x" * 300 + "  y\nthe [answer] is here\n"


@pytest.mark.parametrize(
    ("color", "environment", "bold"),
    [
        ("auto", {}, False),
        ("always", {}, True),
        ("always", {"NO_COLOR": "1"}, True),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_follows_the_option_then_the_environment(color, environment, bold, capsys, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    Output(color=color).say(rendering.highlighted("yes", [(0, 3)]))
    assert capsys.readouterr().out == ("\x1b[1m[yes]\x1b[0m\n" if bold else "[yes]\n")


def in_terminal(monkeypatch, action, **environment):
    """Run an action with stdout and stderr on a real pseudo-terminal and return what it received."""
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "60", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    outer, inner = pty.openpty()
    with os.fdopen(inner, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "stderr", terminal)
        action()
    with os.fdopen(outer, "rb", buffering=0) as received, suppress(OSError):  # Linux ends a pty with EIO
        chunks = []
        while chunk := received.read(65536):
            chunks.append(chunk)
    return b"".join(chunks).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_table_fits_the_terminal(columns, monkeypatch):
    rows = [("D-1", "a/very/long/path/" * 5, "日本語の文書" * 4), ("D-22", "b", "c")]
    shown = in_terminal(monkeypatch, lambda: Output().table(rows, indent="  "), COLUMNS=str(columns))
    from rich.cells import cell_len

    assert all(cell_len(line) <= columns for line in shown.splitlines())
    assert "…" in shown


def test_a_dumb_terminal_gets_no_escape(monkeypatch):
    shown = in_terminal(monkeypatch, lambda: Output().say(rendering.highlighted("yes", [(0, 3)])), TERM="dumb")
    assert shown == "[yes]\n"


def advance(output):
    with output.progress() as step:
        step(Step("encode", 1, 4, "a\x1b[31m.md"))
        step(Step("encode", 4, 4))


def test_progress_shows_on_a_terminal_and_vanishes(monkeypatch):
    shown = in_terminal(monkeypatch, lambda: advance(Output()), COLUMNS="100")
    assert "encode" in shown
    assert "\x1b[31m.md" not in shown
    assert shown.endswith("\x1b[2K")  # the line it stood on is erased


def test_eighty_columns_show_what_a_step_of_training_tells(monkeypatch):
    def train():
        with Output().progress() as step:
            step(Step("train", 7, 1234, "answer 1.234  retrieval 0.123  teacher 0.90"))

    shown = in_terminal(monkeypatch, train, COLUMNS="80")
    assert "retrieval 0.123 teacher 0.90" in shown


def test_progress_draws_no_bar_in_a_pipe_that_wants_colours(capsys):
    advance(Output(color="always"))
    assert capsys.readouterr().err == ""


def test_progress_is_silent_in_a_pipe(capsys):
    advance(Output())
    assert capsys.readouterr() == ("", "")


def test_a_long_run_in_a_pipe_says_in_lines_how_far_it_is(capsys):
    for every, said in ((0, "encode 1 of 4 a\\x1b[31m.md\nencode 4 of 4\n"), (3600, "")):
        with Output().progress(every) as step:
            step(Progress("encode", 1, 4, "a\x1b[31m.md"))
            step(Progress("encode", 4, 4))
        assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("options", [{"quiet": True}, {"json": True}, {"progress_style": "never"}])
def test_lines_of_progress_are_left_out_when_asked(options, capsys):
    with Output(**options).progress(0) as step:
        step(Step("encode", 1, 4))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("options", [{"quiet": True}, {"json": True}, {"progress_style": "never"}])
def test_progress_is_silent_on_a_terminal_when_asked(options, monkeypatch):
    assert in_terminal(monkeypatch, lambda: (advance(Output(**options)), sys.stdout.write("end"))) == "end"


def test_progress_as_json_is_one_event_a_line(capsys):
    advance(Output(progress_style="json"))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(event["event"], event["phase"], event["done"], event["total"]) for event in events] == [
        ("progress", "encode", 1, 4),
        ("progress", "encode", 4, 4),
    ]


def test_what_an_encoding_lacks_is_escaped(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    Output().say("é 日")
    assert sys.stdout.buffer.getvalue() == b"\xe9 \\u65e5\n"


def test_a_snippet_keeps_the_heaviest_words_in_sight():
    text = "filler words here " * 30 + "parental leave in Norway is 49 weeks " + "and more filler " * 30
    start = text.index("49")
    shown = rendering.snippet(text, [(start, start + 2, 5.0), (0, 6, 0.1)], 80).plain
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert "[49]" in shown
    assert len(shown) <= 84


@given(
    st.text(max_size=200),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.floats(-5, 5))),
    st.integers(20, 90),
)
def test_a_snippet_is_one_line_of_the_text(text, weights, width):
    inside = [(min(a, b, len(text)), min(max(a, b), len(text)), w) for a, b, w in weights]
    shown = rendering.snippet(text, inside, width).plain
    assert "\n" not in shown
    unmarked = re.sub(r"\s", "", shown.replace("…", "").replace("[", "").replace("]", ""))
    cleaned = re.sub(r"\s", "", rendering.visible(re.sub(r"\s", "", text)))
    assert unmarked in cleaned.replace("…", "").replace("[", "").replace("]", "")


def test_highlights_grow_to_words_and_join():
    shown = rendering.highlighted("leave in Norway is 49 weeks long", [(10, 12), (19, 21), (22, 24)])
    assert shown.plain == "leave in [Norway] is [49 weeks] long"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (rendering.human_bytes(999), "999 B"),
        (rendering.human_bytes(1500), "1.5 kB"),
        (rendering.human_bytes(46e7), "460 MB"),
        (rendering.human_seconds(9.99), "10s"),
        (rendering.human_seconds(3700), "1h01m"),
        (rendering.human_count(3_100_000), "3.1M"),
        (rendering.counted(1, "file"), "1 file"),
        (rendering.counted(0, "file"), "0 files"),
    ],
)
def test_numbers_are_written_for_people(value, text):
    assert value == text
