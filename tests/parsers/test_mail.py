"""Laws of mail: what a mail program shows is read, the richest alternative, and every message of a mailbox."""

import base64
import quopri
from pathlib import Path

import pytest

from reatt.documents.reader import FoundFile, Text, read
from reatt.parsers.mail.message import mail

SHOWN = "The oak bench leaves the depot in Kassel on 9 December."
PAGE = f"<html><body><p>{SHOWN}</p></body></html>"
LETTER = "Dear all, the ferry sails at nine and the harbour master asks for your names before Friday noon."


def read_bytes(folder: Path, name: str, data: bytes) -> list[Text]:
    (folder / name).write_bytes(data)
    return list(read(FoundFile(folder / name, explicit=True)))


def part(body: str, kind: str = "text/plain", more: str = "") -> str:
    return f"Content-Type: {kind}; charset=utf-8\n{more}\n{body}\n"


def many(kind: str, *parts: str, boundary: str = "b") -> str:
    body = "".join(f"--{boundary}\n{each}\n" for each in parts)
    return f"Content-Type: multipart/{kind}; boundary={boundary}\n\n{body}--{boundary}--\n"


def message(body: str, subject: str = "Order", more: str = "") -> bytes:
    return f"From: Ada <ada@example.org>\nTo: Bo\nSubject: {subject}\n{more}MIME-Version: 1.0\n{body}".encode()


def text_of(body: str) -> str:
    return mail(message(body)).text


@pytest.mark.parametrize(
    "plain",
    [
        "",
        " \n",
        "This message needs a program that can show HTML.",
        "View this message in your browser: https://example.org/1",
        "Order",
        "-- \nAda",
    ],
)
@pytest.mark.parametrize("around", ["{}", "related"])
def test_html_that_says_more_than_the_plain_text_is_read(plain: str, around: str) -> None:
    rich = part(PAGE, "text/html")
    rich = many("related", rich, part("x", "image/png", "Content-ID: <a>\n"), boundary="r") if around != "{}" else rich
    assert SHOWN in text_of(many("alternative", part(plain), rich))
    assert SHOWN in text_of(many("alternative", rich, part(plain)))


def test_plain_text_that_says_the_same_is_read_alone() -> None:
    rich = part(f"<p>{LETTER.replace('ferry', '<b>ferry</b>')}</p><p>Sent by an app.</p>", "text/html")
    assert text_of(many("alternative", part(LETTER), rich)).endswith(LETTER)


def test_alternatives_that_say_different_things_are_both_read() -> None:
    text = text_of(many("alternative", part(LETTER * 2), part(PAGE, "text/html")))
    assert LETTER in text
    assert SHOWN in text


@pytest.mark.parametrize(
    "parts",
    [
        (part(PAGE, "text/html"), part("_____\nlist@example.org")),
        (part("One."), part(PAGE, "text/html"), part("Three.")),
        (part("One."), part(SHOWN, more="Content-Disposition: inline\n")),
        (part("One."), part(SHOWN, more='Content-Disposition: inline; filename="list.txt"\n')),
        (part("One."), part("x", "image/png", 'Content-Disposition: inline; filename="a.png"\n'), part(SHOWN)),
        (many("alternative", part("no"), part(PAGE, "text/html"), boundary="c"), part("_____\nlist@example.org")),
    ],
)
def test_every_part_that_is_shown_is_read_in_order(parts: tuple[str, ...]) -> None:
    text = text_of(many("mixed", *parts))
    assert SHOWN in text
    assert [text.index(words) for words in ("One.", SHOWN, "Three.") if words in text] == sorted(
        text.index(words) for words in ("One.", SHOWN, "Three.") if words in text
    )


def forwarded(inner: str) -> str:
    return f"Content-Type: message/rfc822\n\nFrom: Cy <cy@example.org>\nSubject: Inner\nDate: Mon, 1 Dec 2025\n{inner}"


@pytest.mark.parametrize(
    "body",
    [
        many("mixed", part("See below."), forwarded(part(SHOWN))),
        many("mixed", part("See below."), forwarded(part(PAGE, "text/html"))),
        many("mixed", forwarded(many("mixed", part("a"), forwarded(part(SHOWN)), boundary="c"))),
        many("digest", f"\nFrom: Cy <cy@example.org>\nSubject: Inner\n\n{SHOWN}"),
        many("mixed", part("a"), forwarded(many("alternative", part(""), part(PAGE, "text/html"), boundary="c"))),
    ],
)  # fmt: skip
def test_a_forwarded_message_is_read_with_its_heads(body: str) -> None:
    content = mail(message(body))
    assert content.text.startswith("Subject: Order\nFrom: Ada <ada@example.org>\nTo: Bo")
    assert "Subject: Inner\nFrom: Cy <cy@example.org>" in content.text
    assert content.text.index("Inner") < content.text.index(SHOWN)
    assert content.title == "Order"


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
def test_a_forwarded_message_that_was_encoded_is_read(encoding: str) -> None:
    inner = message(part(SHOWN), "Inner")
    data = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(inner)
    head = f'Content-Type: message/rfc822; name="a.eml"\nContent-Transfer-Encoding: {encoding}\n\n'
    text = text_of(many("mixed", part("See below."), head + data.decode()))
    assert "Subject: Inner\nFrom: Ada <ada@example.org>" in text
    assert text.endswith(SHOWN)


def test_a_message_that_is_only_a_message_is_read() -> None:
    assert text_of(forwarded(part(SHOWN))).endswith(SHOWN)


EVENT = (
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20240912T140000\nSUMMARY:Harvest\nLOCATION:Granary 4\n"
    "END:VEVENT\nEND:VCALENDAR"
)
INVITED = "Harvest\nWhen: 2024-09-12 14:00\nWhere: Granary 4"


@pytest.mark.parametrize(
    "body",
    [
        part(EVENT, "text/calendar; method=REQUEST"),
        many("alternative", part("You are invited."), part(EVENT, 'text/calendar; method=REQUEST; name="invite.ics"')),
        many("alternative", part("a"), part("<p>a</p>", "text/html"), part(EVENT, "text/calendar")),
        many("mixed", many("alternative", part("a"), part(EVENT, "text/calendar"), boundary="c"), part("b")),
        many("mixed", forwarded(part(EVENT, "text/calendar"))),
    ],
)
def test_an_invitation_is_read_where_it_is_shown(body: str) -> None:
    content = mail(message(body))
    assert INVITED in content.text
    assert "BEGIN:" not in content.text
    assert content.headings == ((content.text.index(INVITED), "Harvest"),)


def test_a_card_is_read_where_it_is_shown() -> None:
    card = part("BEGIN:VCARD\nFN:Mia Falk\nTEL;TYPE=work:555 0182\nEND:VCARD", "text/x-vcard")
    assert text_of(many("mixed", part("Hello."), card)).endswith("Mia Falk\nTelephone (work): 555 0182")


def test_the_reason_why_a_letter_came_back_is_read() -> None:
    state = (
        "\n\nReporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; z@example.org\nDiagnostic-Code: 552 full\n"
    )
    heads = "\n\nSubject: Our offer\nX-Id: 7\nTo: z@example.org\n"
    text = text_of(
        many("report", part("Sorry."), "Content-Type: message/delivery-status" + state,
             "Content-Type: text/rfc822-headers" + heads)
    )  # fmt: skip
    assert text.endswith(
        "Sorry.\n\nReporting-Mta: dns; mx.example.org\n\nFinal-Recipient: rfc822; z@example.org\n"
        "Diagnostic-Code: 552 full\n\nSubject: Our offer\nTo: z@example.org"
    )


@pytest.mark.parametrize(
    ("encoding", "declared"), [("koi8-r", ""), ("cp1251", ""), ("koi8-r", "koi8-r"), ("utf-8", "")]
)
def test_heads_in_an_encoding_that_nobody_names_are_read_as_the_text_is(encoding: str, declared: str) -> None:
    kind = f"Content-Type: text/plain; charset={declared}\n" if declared else ""
    words = "Ключ от сарая лежит под третьим камнем у колодца."
    data = f"From: Ирина <i@example.org>\nSubject: Ключ\n{kind}\n{words}\n".encode(encoding)
    assert mail(data).text == f"Subject: Ключ\nFrom: Ирина <i@example.org>\n\n{words}"


def test_attachments_are_named() -> None:
    attached = part("secret", more='Content-Disposition: attachment; filename="notes.txt"\n')
    text = text_of(
        many("mixed", part("One."), attached, part("x", "application/pdf", "Content-Disposition: attachment\n"))
    )
    assert text.endswith("One.\n\nAttachment: notes.txt\nAttachment: without a name")


def test_lines_that_were_broken_only_to_be_sent_are_joined() -> None:
    flowed = "The ferry \nsails at nine.\n> quoted \n> words\n-- \nAda"
    text = text_of(f"Content-Type: text/plain; format=flowed\n\n{flowed}")
    assert text.endswith("The ferry sails at nine.\n> quoted words\n-- \nAda")


def test_a_declared_encoding_is_read_as_programs_mean_it() -> None:
    head = b"From: a\nSubject: b\nContent-Type: text/plain; charset="
    assert mail(head + b"iso-8859-1\n\nIt\x92s 5 \x80").text.endswith("It’s 5 €")
    assert mail(head + b"gb2312\n\n" + "镕".encode("gb18030")).text.endswith("镕")
    assert mail(head + b"us-ascii\n\n" + "é".encode()).text.endswith("é")
    assert mail(head + b"iso-2022-jp\n\n" + "四十九週間".encode("iso-2022-jp")).text.endswith("四十九週間")


LETTERS = [message(part(f"Letter {n}.\n>From here on."), f"S{n}", f"Message-ID: <{n // 3}@x>\n") for n in range(4)]
BOX = b"".join(b"From ada@example.org Mon Dec  1 09:00:00 2025\n" + letter + b"\n\n" for letter in LETTERS)


@pytest.mark.parametrize("name", ["all.mbox", "Inbox", "all.txt", "b.mbx"])
def test_every_message_of_a_mailbox_is_a_document(tmp_path: Path, name: str) -> None:
    texts = read_bytes(tmp_path, name, BOX)
    assert [(text.title, text.external_id) for text in texts] == [
        ("S0", "0@x"), ("S1", "0@x (2)"), ("S2", "0@x (3)"), ("S3", "1@x")
    ]  # fmt: skip
    assert {text.kind for text in texts} == {"mail"}
    assert texts[1].text.endswith("Letter 1.\nFrom here on.")
    assert len({text.digest for text in texts}) == 4


def test_a_mailbox_with_windows_line_ends_and_without_ids_is_read(tmp_path: Path) -> None:
    data = BOX.replace(b"Message-ID", b"X-Id").replace(b"\n", b"\r\n")
    assert [text.external_id for text in read_bytes(tmp_path, "a.mbox", data)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["1700000000.M1P1.host:2,S", "1700000000.M1P1.host,S=300", "12345", "a.mbox"])
@pytest.mark.parametrize("more", ["Date: Mon, 1 Dec 2025\n", "Received: from x\n\tby y\n", "Return-Path: <a@b>\n"])
def test_a_message_of_a_folder_of_mail_is_known_by_its_heads(tmp_path: Path, name: str, more: str) -> None:
    [text] = read_bytes(tmp_path, name, message(part(PAGE, "text/html"), more=more))
    assert (text.kind, text.title) == ("mail", "Order")
    assert SHOWN in text.text


@pytest.mark.parametrize(
    "words", ["From the start it rained.\nNote: x\n", "From: a\nTo: b\n\nA play.", "Date: x\nNote: y\nTo: z\n\nWords"]
)
def test_words_that_begin_like_mail_stay_text(tmp_path: Path, words: str) -> None:
    assert [text.kind for text in read_bytes(tmp_path, "notes", words.encode())] == ["text"]


def test_files_of_apple_mail_and_saved_pages_are_read(tmp_path: Path) -> None:
    data = message(part(SHOWN))
    [text] = read_bytes(tmp_path, "1.emlx", f"{len(data)}  \n".encode() + data + b"<?xml version='1.0'?><plist/>")
    assert text.text.endswith(SHOWN)
    page = message(many("related", part(PAGE, "text/html", "Content-Location: http://a\n"), part("x", "text/css")))
    assert [text.text.endswith(SHOWN) for text in read_bytes(tmp_path, "a.mht", page)] == [True]


def test_control_characters_lose_no_message() -> None:
    """Found by fuzzing: a part that a bad disk wrote into made the whole message unreadable."""
    noise = "".join(map(chr, range(1, 9))) * 40
    found = mail(message(part(f"{SHOWN} {noise}\n{LETTER}"), subject=f"Order {noise}"))
    assert SHOWN in found.text
    assert LETTER in found.text
    assert found.title == "Order"


@pytest.mark.parametrize(
    ("boundary", "body"),
    [
        ("zzz", "--b\nContent-Type: text/plain\n\nThe boat is sold.\n--b--\n"),
        ("zzz", "--b c\nContent-Type: text/html\n\n<p>The boat is <b>sold</b>.</p>\n--b c--\n"),
        ("zzz", "The boat is sold.\n"),
        ("", "--b\nContent-Type: text/plain\n\nThe boat is sold.\n"),
    ],
)
def test_a_message_that_says_wrongly_what_parts_it_is_read(boundary: str, body: str) -> None:
    given = f'; boundary="{boundary}"' if boundary else ""
    heads = f"From: ada@x.org\nSubject: x\nContent-Type: multipart/mixed{given}\n\n"
    assert mail((heads + body).encode()).text.endswith("\n\nThe boat is sold.")
