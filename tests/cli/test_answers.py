"""Answers and passages as a person reads them."""

import io
import os
import pty
import re
import sys
from contextlib import suppress

import pytest

from reatt_cli.output import Output
from reatt_cli.replies import answers, page
from reatt_cli.schemas import answers as schemas

TEXT = "All staff may take leave. Parental leave in Norway is 49 weeks at full pay. Ask Ada for the form."
QUESTION = "How long is parental leave in Norway?"


def evidence(number=1, text=TEXT, share=0.74, tokens=(), **fields):
    pairs = [
        schemas.Token(q=QUESTION[a:b], q_start=a, q_end=b, start=start, end=end, weight=weight)
        for (a, b), (start, end), weight in tokens
    ]
    retrieval = schemas.Retrieval(score=1.5, rank=number, attention=1.5, bm25=None, tokens=pairs)
    place = {"path": f"/nowhere/{number}.pdf", "external_id": None, "title": "Leave", "page": 12, "line_start": 3}
    where = {"chunk": f"C-{number}", "doc": f"D-{number}", "char_start": 100, "char_end": 100 + len(text), "text": text}
    share = schemas.Attribution(share=share) if share is not None else schemas.Attribution(share=0, read=False)
    return schemas.Evidence(**{**place, **where, **fields}, retrieval=retrieval, attribution=share)


def reply(answer="49 weeks", confidence=0.86, source=0, passages=None, **fields):
    passages = passages if passages is not None else [evidence(1), evidence(2, "Something else.", 0.26)]
    start = 100 + TEXT.index("49") if source is not None else None
    told = {"id": "A-1", "question": QUESTION, "agreement_kl": 0.1, "timing_ms": {}, "warnings": []}
    span = {"source": source, "char_start": start, "char_end": None if start is None else start + 8}
    model = schemas.Model(name="m", sha256="0", generation=1)
    return schemas.Ask(
        **{**told, **span, **fields},
        answer=answer,
        abstained=answer is None,
        confidence=confidence,
        evidence=passages,
        model=model,
    )


def shown(capsys, told, explain=False, echo=False):
    answers.render_reply(Output(), told, explain, echo)
    return capsys.readouterr().out.splitlines()


def test_an_answer_comes_first_with_its_confidence_and_then_its_passages(capsys):
    lines = shown(capsys, reply())
    assert lines[0] == "49 weeks   confidence 0.86"
    assert re.fullmatch(r"  1  /nowhere/1\.pdf p\.12  .*\[49 weeks\].*  74 %", lines[1])
    assert re.fullmatch(r"  2  /nowhere/2\.pdf p\.12  Something else\. +26 %", lines[2])


def test_a_passage_that_was_not_read_says_so_instead_of_a_share(capsys):
    told = reply(passages=[evidence(1, share=1.0), evidence(2, "Something else.", share=None)])
    lines = shown(capsys, told)
    assert lines[1].endswith("  100 %")
    assert re.fullmatch(r"  2  /nowhere/2\.pdf p\.12  Something else\. +not read", lines[2])
    assert "not read" in page.page(told)
    assert told.model_dump()["evidence"][1]["attribution"] == {"share": 0, "read": False}


def test_where_the_model_is_unsure_the_passages_come_first(capsys):
    lines = shown(capsys, reply(confidence=0.2))
    assert lines[-1] == "unsure: 49 weeks   confidence 0.20"
    assert lines[0].startswith("  1  ")


def test_abstaining_says_so_and_shows_the_three_nearest_passages(capsys):
    passages = [evidence(number) for number in range(1, 6)]
    lines = shown(capsys, reply(None, 0.1, None, passages))
    assert lines[0] == "no confident answer   confidence 0.10; nearest passages:"
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]


def test_an_answer_of_none_of_the_passages_marks_none_as_its_source(capsys):
    assert "[yes]" not in "".join(shown(capsys, reply("yes", source=None)))


def quote(text, source=0, key=None, sentence=None):
    """Quote a part of the first passage's text, or the beginning of another's."""
    start = 100 + (TEXT.index(text) if source == 0 else 0)
    more = {} if key is None else {"key_start": start + text.index(key), "key_end": start + text.index(key) + len(key)}
    if sentence is not None:
        begin = 100 + (TEXT.index(sentence) if source == 0 else 0)
        more |= {"sentence_start": begin, "sentence_end": begin + len(sentence)}
    return schemas.Quote(
        text=text, source=source, char_start=start, char_end=start + len(text), probability=0.5, **more
    )


def test_sentences_are_shown_whole_with_what_the_model_points_at_marked(capsys):
    said = "Parental leave in Norway is 49 weeks at full pay."
    lines = shown(capsys, reply(said, mode="sentence", quotes=[quote(said, key="49 weeks")]))
    assert lines[0] == "Parental leave in Norway is [49 weeks] at full pay.   confidence 0.86"
    assert "[49 weeks]" in lines[1]


def test_every_item_of_a_list_is_shown_in_its_sentence_with_its_passage(capsys):
    said = "Parental leave in Norway is 49 weeks at full pay."
    quotes = [quote("49 weeks", sentence=said), quote("Ada"), quote("Something", 1, sentence="Something else.")]
    lines = shown(capsys, reply(mode="list", quotes=quotes))
    assert lines[:4] == [
        "3 answers   confidence 0.86",
        "  Parental leave in Norway is [49 weeks] at full pay.  (passage 1)",
        "  Ada  (passage 1)",
        "  [Something] else.  (passage 2)",
    ]
    assert "[Something]" in lines[5]


def test_a_list_of_one_is_shown_as_a_span(capsys):
    assert shown(capsys, reply(mode="list", quotes=[quote("49 weeks")]))[0] == "49 weeks   confidence 0.86"


def test_a_list_of_one_of_what_should_be_several_is_shown_in_its_sentence(capsys):
    told = reply(mode="list", quotes=[quote("49 weeks", sentence="Parental leave in Norway is 49 weeks at full pay.")])
    assert shown(capsys, told)[0] == "Parental leave in Norway is [49 weeks] at full pay.   confidence 0.86"


def test_two_documents_that_disagree_are_both_shown(capsys):
    told = reply(disagree=True, quotes=[quote("49 weeks", sentence="is 49 weeks at"), quote("Something", 1)])
    assert shown(capsys, told)[:2] == ["two documents disagree   confidence 0.86", "  is [49 weeks] at  (passage 1)"]
    assert "Two documents disagree" in page.page(told)


@pytest.mark.parametrize("confidence", [0.86, 0.2])
def test_yes_stands_above_the_sentence_that_says_so(capsys, confidence):
    said = "Parental leave in Norway is 49 weeks at full pay."
    lines = shown(capsys, reply("yes", confidence, None, mode="yes-no", quotes=[quote(said, key="full pay")]))
    at = lines.index("  Parental leave in Norway is 49 weeks at [full pay].  (passage 1)")
    assert lines[at - 1].endswith(f"yes   confidence {confidence:.2f}")


def test_why_there_is_no_answer_is_said_if_the_model_was_not_unsure(capsys):
    told = reply(None, 0.9, None, withheld="the best span is not an amount")
    assert shown(capsys, told)[0].startswith("no answer, because the best span is not an amount   confidence 0.90")


def test_explain_says_how_the_question_was_answered(capsys):
    lines = shown(capsys, reply(mode="list", why='"which" asks for all that there are'), explain=True)
    assert lines[-1] == '  answered by a list: "which" asks for all that there are'


def test_a_line_number_stands_where_there_are_no_pages(capsys):
    lines = shown(capsys, reply(passages=[evidence(page=None)]))
    assert "1.pdf:3  " in lines[1]


def test_sentences_of_a_second_passage_stand_below_those_of_the_first(capsys):
    other = "Leave is 49 weeks in Oslo, too."
    quotes = [
        schemas.Quote(text=TEXT[26:75], source=0, char_start=126, char_end=175, probability=0.6),
        schemas.Quote(text=other, source=1, char_start=100, char_end=100 + len(other), probability=0.2),
    ]
    told = reply(TEXT[26:75], passages=[evidence(1), evidence(2, other)], mode="sentence", quotes=quotes)
    lines = shown(capsys, told)
    assert lines[0] == f"{TEXT[26:75].strip()}   confidence 0.86"
    assert lines[1].strip() == f"{other}  (passage 2)"
    assert lines[2].startswith("  1  ")


def test_the_question_is_repeated_when_many_are_answered(capsys):
    assert shown(capsys, reply(), echo=True)[0] == f"? {QUESTION}"


def test_what_the_score_is_made_of_is_highlighted(capsys):
    norway = TEXT.index("Norway")
    told = reply("yes", source=None, passages=[evidence(tokens=[((29, 35), (norway, norway + 6), 1.5)])])
    assert "[Norway]" in shown(capsys, told)[1]


def terms(text, *words):
    return [((0, 3), (text.index(word), text.index(word) + len(word)), 1.0) for word in words]


def test_only_passages_that_the_answer_is_quoted_from_are_marked(capsys):
    other = evidence(2, "Sick leave is paid.", 0.0, terms("Sick leave is paid.", "leave"))
    lines = shown(capsys, reply(passages=[evidence(tokens=terms(TEXT, "Norway")), other]))
    assert "[Norway]" in lines[1]
    assert "[" not in lines[2]


@pytest.mark.parametrize(("share", "mark"), [(0.96, "[leave]"), (0.004, "Sick leave")])
def test_without_an_answer_passages_that_the_model_looked_at_are_marked(share, mark, capsys):
    found = evidence(1, "Sick leave is paid.", share, terms("Sick leave is paid.", "leave"))
    assert mark in shown(capsys, reply(None, 0.1, None, [found]))[1]


@pytest.mark.parametrize(("words", "mark"), [(("All", "may", "in"), "[All]"), (("may", "in"), "[may]")])
def test_stop_words_are_marked_only_where_there_are_no_others(words, mark, capsys):
    line = shown(capsys, reply("yes", source=None, passages=[evidence(tokens=terms(TEXT, *words))]))[1]
    assert mark in line
    assert ("[may]" in line) == (mark == "[may]")


def test_no_brackets_are_put_around_punctuation(capsys):
    norway, stop = TEXT.index("Norway"), TEXT.index(".")
    tokens = [((29, 35), (stop, stop + 1), 9.0), ((29, 35), (norway, norway + 6), 1.5)]
    line = shown(capsys, reply("yes", source=None, passages=[evidence(tokens=tokens)]))[1]
    assert "[Norway]" in line
    assert "[.]" not in line


def test_explain_prints_the_terms_that_sum_to_the_score(capsys):
    norway, leave = TEXT.index("Norway"), TEXT.index("leave")
    tokens = [((29, 35), (norway, norway + 6), 1.25), ((21, 26), (leave, leave + 5), 0.5), ((0, 0), (0, 0), -0.25)]
    lines = shown(capsys, reply(passages=[evidence(tokens=tokens)]), explain=True)
    assert lines[-4].endswith("attention 1.500")
    assert [line.split() for line in lines[-3:]] == [["in", "Nor"], []] or lines[-3].split()[-1] == "+1.250"
    assert sum(float(line.split()[-1]) for line in lines[-3:]) == pytest.approx(1.5)


def test_hostile_answers_and_passages_are_made_safe(capsys):
    bad = "\x1b]0;x\x07\u202e[/b]"
    lines = shown(
        capsys, reply(bad, passages=[evidence(text=bad, path=f"/{bad}", external_id=bad)], source=None), echo=True
    )
    assert not {"\x1b", "\x07", "\u202e"} & set("".join(lines))


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_every_line_fits_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    outer, inner = pty.openpty()
    with os.fdopen(inner, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        long = [evidence(number, TEXT * 9, path=f"/{'folder/' * 20}{number}.pdf") for number in (1, 2)]
        answers.render_reply(Output(color="never"), reply(passages=long), explain=False, echo=False)
    received = []
    with os.fdopen(outer, "rb", buffering=0) as shown, suppress(OSError):  # Linux ends a pty with EIO
        while chunk := shown.read(65536):
            received.append(chunk)
    lines = b"".join(received).decode().splitlines()
    assert len(lines) >= 3
    assert max(len(line) for line in lines) <= columns


@pytest.mark.parametrize(
    "arguments", ["ask", "ask --no-input", "ask - --json", "ask Why? --abstain often", "ask Why? -k 0"]
)
def test_questions_that_cannot_be_asked_are_usage_errors(arguments, reatt, store, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    done = reatt(*arguments.split())
    assert (done.code, done.out) == (2, "")
