"""What a person, or a program of theirs, may hand to `reatt`: settings, questions, judgements, options."""

import json
from functools import cache
from typing import get_args

import typer

from reatt_cli.app import app

LONG = "a" * 70_000
TEXTS = [
    "", " ", "\n", "a", "x" * 3000, LONG, "\udcff", "caf\u00e9\u202e", "\x1b]0;x\x07", "-", "--", "-1", "*", "[",
    "[!", "**/*" * 400, "~nouser/x", "~", ".", "..", "work", "nowhere", "a/b/c", "/dev/null/x", "/dev/null",
    "/proc/self/mem", "a.md", "q.jsonl", "r.tsv", "D-1", "D-99999999999999999999", "C-1", "C-0", "A-0a1b2c3d4e",
    "R-1", "NaN", "null", "{}", "%s%n", "true", "auto", "AND", 'a" OR "b', "NEAR(a b, 99999)", "a:b", "(((((", "^a",
    "a*", "'; DROP TABLE documents; --", "\U0001f600" * 500,
]  # fmt: skip
NUMBERS = [
    "0", "1", "2", "-1", "0.5", "1e3", "1e400", "-1e400", "inf", "-inf", "nan", "1e-400", "9" * 20, "9" * 5000,
    "0x10", "1_000", "\u0661", "1,5", "+3", "2147483648", "9223372036854775808", "1e9", "16", "1000",
]  # fmt: skip
TOMLS = [
    'store = "{t}"', "store = 5", "store = [[]]", "top = {n}", "[ask]\ntop = {n}", "[ask]\nkeep = {n}",
    '[search]\nretriever = "{t}"', "[ask]\nbeams = [1]", "[ask.deep]\na = 1", "[nothing]\na = 1",
    "a = " + "[" * 100_000, "[" + "a." * 5000 + "b]", "json = 1979-05-27", "[ingest]\ntimeout = {n}",
    "[ingest]\nmax-file-size = {n}", "quiet = true\nquiet = false", "json = true", "[ask]\nabstain = {n}",
    'model = "{t}"', 'device = "{t}"', "[ask]\njson = 3", "x" * 100_000, "\0", "= 1", "[ask]\nfree = true",
    'color = "{t}"', "# {t}", "[serve]\nidle = {n}", "a = {n}", '[models]\nname = "{t}"', "verbose = {{}}",
    "[[ask]]\ntop = 1", '"" = 1', "debug = true",
]  # fmt: skip
QUESTION = '{"_id": "q1", "text": "the dome of Ada Berg", "answers": ["Oslo"]}'
QUESTIONS = [
    QUESTION, "", "{}", "[]", "null", '{"_id": "q1"}', '{"_id": 5, "text": "a", "answers": ["b"]}',
    '{"_id": "q1", "text": 7}', '{"_id": "q1", "text": "a", "answers": "b"}',
    '{"_id": "q1", "text": "a", "answers": [[]]}', '{"_id": "q1", "text": ""}',
    '{"_id": "", "text": "a", "answers": [""]}', '{"_id": "q1", "text": "\\ud800", "answers": ["\\u0000"]}',
    "[" * 100_000, '{"_id": "q2", "text": "' + "a " * 20_000 + '", "answers": ["a"]}',
    '{"_id": "q1", "text": "a", "answers": [1e999]}', '{"question": "weeks?", "answer": "12"}',
    '{"question": null, "answers": null}', '{"_id": "q1", "text": "a", "metadata": []}',
    '{"_id": "q\\n1", "text": "a", "answers": ["a"], "documents": [5]}', '{"a": ' * 50_000, "\ufeff" + QUESTION,
    QUESTION * 2,
]  # fmt: skip
JUDGEMENTS = [
    "q1\td1\t1", "q1\td1\t{n}", "q1 0 d1 1", "q1\td1", "", "\t\t", "q1\t{t}\t1", "{t}\td1\t1",
    "query-id\tcorpus-id\tscore", "q1\td1\t1\t1\t1", "q1\td1\t-5", "a" * 100_000, "q1\td1\t1\r", "\0\t\0\t1",
    "q1\td99\t1",
]  # fmt: skip
SERVING = ("serve",)  # waits by design
OFFLINE = ("models", "add")
FIXED = {"adapt": ["--dry-run"], "ingest": ["."]}
NOT_TRIED = {"--watch", "--help", "-h", "--report", "--output", "-o"}


def case(pick, work):
    """Write files into a folder; return the calls to make there."""
    way = pick.choice((settings, asked, judged, options, options, options))
    return [[word.replace("\0", "?") for word in call] for call in way(pick, work)]


def settings(pick, work):
    """Write a file of settings, and use it."""
    lines = [_filled(pick, pick.choice(TOMLS)) for _ in range(pick.choice((1, 1, 2, 5)))]
    (work / "config.toml").write_bytes(_bytes(pick, "\n".join(lines)))
    calls = [["list"], ["config"], ["config", "--json"], ["search", "weeks", "--retriever", "words"]]
    return pick.sample(calls, 2)


def asked(pick, work):
    """Ask an odd question."""
    question = " ".join(pick.choice([*TEXTS, "weeks", "Ada Berg"]) for _ in range(pick.choice((1, 1, 3))))
    call = [pick.choice(("ask", "search")), "--only", pick.choice(TEXTS)] if pick.random() < 0.2 else ["search"]
    if pick.random() < 0.2:
        call = ["ask", "--ok-empty"]
    return [[*call, "--", question]]


def judged(pick, work):
    """Measure by files of questions and judgements."""
    (work / "q.jsonl").write_bytes(_bytes(pick, _lines(pick, QUESTIONS, QUESTION)))
    (work / "r.tsv").write_bytes(_bytes(pick, _lines(pick, JUDGEMENTS, "q1\td1\t1")))
    given = ["--qrels", "r.tsv"] if pick.random() < 0.7 else []
    measured = ["eval", "--queries", "q.jsonl", *given, "--retriever", pick.choice(("words", "attention"))]
    learnt = ["adapt", "--dry-run", pick.choice(("--qa", "--judged")), "q.jsonl", *given]
    return [pick.choice((measured, measured, learnt))]


def options(pick, work):
    """Call any command with odd values of its options and arguments."""
    names, parameters = pick.choice(_commands())
    call = [*names, *FIXED.get(names[0], [])]
    for parameter in pick.sample(parameters, min(len(parameters), pick.choice((0, 1, 1, 2, 4)))):
        call += _given(pick, parameter)
    return [call]


@cache
def _commands():
    """List the commands with their options and arguments."""
    found, left = [], [([], typer.main.get_command(app))]
    while left:
        names, command = left.pop()
        if hasattr(command, "commands"):
            left += [([*names, name], each) for name, each in sorted(command.commands.items())]
        elif names not in (list(SERVING), list(OFFLINE)):
            found.append((names, [each for each in command.params if not NOT_TRIED & set(each.opts)]))
    return found


def _given(pick, parameter):
    """Give a parameter a value, which may be none of its kind."""
    name = pick.choice(parameter.opts)
    value = pick.choice(NUMBERS if pick.random() < 0.4 else TEXTS)
    choices = get_args(parameter.type_descriptor.annotation)
    if all(isinstance(choice, str) for choice in choices) and choices and pick.random() < 0.5:
        value = pick.choice(choices)
    if parameter.param_type_name == "argument":
        return [value]
    return [name] if parameter.is_flag and pick.random() < 0.9 else [name, value]


def _lines(pick, odd, usual):
    return "\n".join(pick.choice((usual, _filled(pick, pick.choice(odd)))) for _ in range(pick.choice((0, 1, 2, 6))))


def _filled(pick, text):
    value = json.dumps(pick.choice(TEXTS))[1:-1]
    return text.replace("{t}", value).replace("{n}", pick.choice(NUMBERS))


def _bytes(pick, text):
    """Encode a text, mostly as it should be; now and then flip a bit."""
    data = bytearray(text.encode(pick.choice(("utf-8", "utf-8", "utf-16")), "surrogatepass"))
    if data and pick.random() < 0.1:
        data[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
    return bytes(data)
