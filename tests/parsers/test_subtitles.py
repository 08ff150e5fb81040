"""Laws of subtitles: what is said is read once, as running text, under the time at which it is said."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.documents.reader import FoundFile, Text, read
from reatt.parsers.text.subtitles import subtitles
from reatt_store.errors import EmptyDocument

FILM = """\ufeff1\r
00:00:01,000 --> 00:00:03,500\r
The harbour master keeps\r
the <i>tide tables</i>.\r
\r
2\r
00:00:03,600 --> 00:00:05,000\r
{\\an8}- Where are they?\r
- In the drawer.\r
\r
3\r
01:02:03,000 --> 01:02:05,000\r
It is 412 metres long &amp; lit.\r
"""
TALK = """WEBVTT - The mole of Greypoint

STYLE
::cue { color: lime }

NOTE made by a volunteer

intro
00:01.000 --> 00:04.000 align:start position:0%
<v Edda Voss>The northern mole was rebuilt
<v Edda Voss>in <c.year>1973</c>.

00:04.100 --> 00:06.000
<v.loud Jonah Pell>Who paid?</v>

00:07.000 --> 00:09.000
<v Jonah Pell>The town did.
"""
ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.000 align:start position:0%

the<00:00:00.400><c> fish</c><00:00:00.900><c> market</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
the fish market


00:00:02.010 --> 00:00:04.000 align:start position:0%
the fish market
is<00:00:02.400><c> open</c>

00:00:04.000 --> 00:00:06.000 align:start position:0%
is open
on Friday
"""
CARELESS = """1
0:00:01,5 --> 0:00:02,000
Words before
2
0:00:02,100 --> 0:00:03,000
and after 12

and behind a gap.

3
0:00:03,000 --> 0:00:04,000

4
0:00:04,000 --> 0:00:05,000
No.

5
0:00:05,600 --> 0:00:06,000
No.
"""
JAPANESE = "1\n00:00:01,000 --> 00:00:02,000\n図書館は\n月曜日に休みます。\n"


def parsed(folder: Path, name: str, source: bytes) -> Text:
    (folder / name).write_bytes(source)
    [text] = read(FoundFile(folder / name, explicit=True))
    return text


@pytest.mark.parametrize(
    ("name", "source", "title", "words"),
    [
        (
            "film.srt",
            FILM,
            "film",
            "0:00:01\nThe harbour master keeps the tide tables.\n- Where are they?\n- In the drawer.\n\n"
            "1:02:03\nIt is 412 metres long & lit.",
        ),
        (
            "talk.vtt",
            TALK,
            "The mole of Greypoint",
            "0:00:01\nEdda Voss: The northern mole was rebuilt in 1973.\nJonah Pell: Who paid? The town did.",
        ),
        ("rolling.vtt", ROLLING, "rolling", "0:00:00\nthe fish market is open on Friday"),
        ("careless.srt", CARELESS, "careless", "0:00:01\nWords before and after 12 and behind a gap. No. No."),
        ("unnamed", FILM.replace("\ufeff", ""), "unnamed", None),
        ("unnamed", TALK, "The mole of Greypoint", None),
        ("japanese.srt", JAPANESE, "japanese", "0:00:01\n図書館は月曜日に休みます。"),
    ],
)
def test_cues_are_joined_under_their_time(tmp_path: Path, name: str, source: str, title: str, words: str) -> None:
    text = parsed(tmp_path, name, source.encode())
    assert text.kind == "subtitles"
    assert text.title == title
    assert words is None or text.text == words
    for at, heading in text.headings:
        assert text.text.startswith(heading + "\n", at)


def test_a_long_speech_has_a_time_every_hundred_words_at_the_end_of_a_sentence() -> None:
    cues = "\n".join(
        f"{n}\n00:{n // 60:02}:{n % 60:02},000 --> 00:{n // 60:02}:{n % 60:02},900\nThe keeper of light {n}\nwent up.\n"
        for n in range(1, 100)
    )
    content = subtitles(cues)
    assert [heading for _, heading in content.headings] == [
        "0:00:01", "0:00:15", "0:00:29", "0:00:43", "0:00:57", "0:01:11", "0:01:25", "0:01:39"
    ]  # fmt: skip
    assert content.text.count("went up.") == 99


def test_the_encoding_of_old_files_is_found(tmp_path: Path) -> None:
    source = "1\n00:00:01,000 --> 00:00:02,000\nLe café est à côté.\n" * 3
    assert "Le café est à côté." in parsed(tmp_path, "a.srt", source.encode("cp1252")).text


@pytest.mark.parametrize("source", ["WEBVTT\n\nNOTE nothing\n", "1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n"])
def test_a_file_that_shows_nothing_is_empty(tmp_path: Path, source: str) -> None:
    with pytest.raises(EmptyDocument):
        parsed(tmp_path, "a.vtt", source.encode())


PIECES = ["1", "00:00:01,000 --> 00:00:02,000", "00:59.9 --> 1:00:00.1", "NOTE", "", "words", "<v A>said", "<c", "- no"]


@given(st.lists(st.sampled_from(PIECES)).map("\n".join))
def test_any_lines_are_read_and_times_stand_where_they_are_said_to(source: str) -> None:
    content = subtitles(source)
    for at, heading in content.headings:
        assert content.text.startswith(heading + "\n", at)


def test_lines_of_captions_that_overlap_are_read_once() -> None:
    rolling = "00:01.000 --> 00:05.000\nWe sail\nat dawn\n\n00:03.000 --> 00:07.000\nat dawn\nand fish\n"
    assert subtitles(f"WEBVTT\n\n{rolling}").text == "0:00:01\nWe sail at dawn and fish"
    growing = "".join(
        f"00:0{n}.000 --> 00:0{n + 1}.000\n{' '.join('We sail at dawn.'.split()[:n])}\n\n" for n in range(1, 5)
    )
    assert subtitles(f"WEBVTT\n\n{growing}").text == "0:00:01\nWe sail at dawn."


def test_how_signs_are_read_aloud_stands_behind_them() -> None:
    source = "WEBVTT\n\n00:01.000 --> 00:02.000\n<ruby>東京<rt>とうきょう</rt></ruby>に行く\n"
    assert subtitles(source).text == "0:00:01\n東京(とうきょう)に行く"


def test_subtitles_with_styles_are_read_without_them(tmp_path: Path) -> None:
    events = [
        r"Dialogue: 0,0:00:04.00,0:00:05.00,Default,Bo,0,0,0,,No, look\Nthere.",
        r"Dialogue: 0,0:00:01.00,0:00:03.50,Default,Marta,0,0,0,,{\i1\pos(1,2)}The key{\i0}, is\hhere.",
        r"Dialogue: 0,0:00:01.00,0:00:03.50,Default,,0,0,0,,{\p1}m 0 0 l 9 9{\p0}",
        "Comment: 0,0:00:02.00,0:00:03.00,Default,,0,0,0,,not shown",
    ]
    source = "[Script Info]\nTitle: Tides\n\n[Events]\nFormat: Layer, Start, End, Style\n" + "\n".join(events)
    for name in ("a.ass", "a.txt"):
        text = parsed(tmp_path, name, source.encode())
        assert text.kind == "subtitles"
        assert text.text == "0:00:01\nMarta: The key, is here.\nBo: No, look there."
