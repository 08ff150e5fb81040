"""Laws of the report: one page that stands alone and executes nothing, and JSON that says the same."""

import json
from html.parser import HTMLParser

import jsonschema
import pytest

from reatt.judging import charts
from reatt.judging.comparison import Asked, compare
from reatt.judging.report import Named, Report, html, save, to_json
from reatt.progress import TrainingLog, TrainingRow
from reatt_cli.schemas import published as schemas

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><iframe src='//evil'>",
    "javascript:alert(1)",
    "<svg/onload=alert(1)>",
    "&lt;b&gt; &amp; <!-- -->",
    "\x00\x1b]52;c;x\x07\u202egnp\ud800",
]
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Collects what a page holds, and checks that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def asked(number, rank, text="Is it?", answer="no"):
    found = tuple(f"text {n}" for n in range(1, 11))
    return Asked(f"{text} {number}", (text,), f"group {number}", "name", found, f"text {rank}", answer)


def row(step, **changes):
    usual = {"rate": 5e-5, "tokens": 200, "tokens_per_second": 100.0, "answer": 3.0 - step / 10, "cross_document": None}
    return TrainingRow(
        **{"step": step, "seconds": 2.0 * step, **usual, "agreement": 0.5, "teacher_hit": None, **changes}
    )


def report(text="Is it?", rows=None, **changes):
    before, after = [asked(n, 4, text) for n in range(20)], [asked(n, 1 + 6 * (n == 3), text, text) for n in range(20)]
    usual = {"parent": Named("mini", "ab" * 32), "model": Named("mini-adapted", "cd" * 32, f"/models/{text}")}
    log = TrainingLog(tuple([row(step) for step in range(1, 9)] if rows is None else rows), 0.4, False, "attention")
    given = {"settings": {"minutes": 20.0, "spans": text}, "examples": {"name": 70, text: 30}, "warnings": (text,)}
    measured = {"verdict": compare(before, after), "before": before, "after": after}
    told = {"run": 7, "store": "/store", "mode": "masked", "log": log, "reencoded": 18204, "seconds": 1234.5}
    return Report(**{**told, **measured, **usual, **given, **changes})


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_document_becomes_part_of_the_page(text):
    page, plain = Page(html(report(text))), Page(html(report("plain")))
    assert (page.tags, len(page.attributes)) == (plain.tags, len(plain.attributes))
    assert not {"script", "iframe", "img", "object", "link", "a", "base", "form"} & set(page.tags)
    assert not any(name.startswith("on") or name in ("src", "href", "srcdoc") for name, _ in page.attributes)


@pytest.mark.parametrize("text", HOSTILE[:-1])
def test_what_was_quoted_can_be_read_as_it_was(text):
    assert f"{text} 3" in Page(html(report(text))).text


def test_the_page_fetches_nothing_and_says_so_to_the_browser():
    page = Page(html(report()))
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert "url(" not in html(report())
    assert "http" not in html(report()).replace("http-equiv", "")


def test_no_control_reaches_the_page_and_it_can_be_written(tmp_path):
    save(report(HOSTILE[-1]), tmp_path / "reports" / "R-7.html")
    written = (tmp_path / "reports" / "R-7.html").read_bytes().decode("utf-8")
    assert not {"\x00", "\x1b", "\x07", "\u202e"} & set(written)
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["R-7.html"]
    assert (tmp_path / "reports" / "R-7.html").stat().st_mode & 0o077 == 0


def test_the_page_tells_the_verdict_and_shows_what_got_better_and_worse():
    text = Page(html(report())).text
    assert "R-7: accepted" in text
    assert "nDCG@10 rose from 0.431 to" in text
    better, worse = text.split("Got better")[1].split("Got worse")
    assert (better.count("Is it?") > 1, "Is it? 3" in better, "Is it? 3" in worse) == (True, False, True)
    assert "found at 4" in worse
    assert "found at 7" in worse


def test_a_mask_is_shown_as_a_gap():
    examples = Page(html(report("He sold <extra_id_0> ships"))).text.split("Got better")[1].split("Settings")[0]
    assert "He sold \u2581\u2581\u2581 ships 3" in examples
    assert "<extra_id_0>" not in examples


def test_the_json_is_what_the_schema_says_and_loses_nothing():
    told = json.loads(json.dumps(to_json(report(rows=[row(1), row(2, teacher_hit=0.6, cross_document=0.1)]))))
    described = schemas.json_schema("adapt")
    jsonschema.validate(told, described)
    assert set(told) == set(described["properties"])
    assert json.loads(json.dumps(schemas.Adapt.model_validate(told).model_dump(mode="json", by_alias=True))) == told
    assert told["teacher"] == {"name": "attention", "words_hit": 0.4, "before": 0.6, "after": 0.6}
    assert (told["steps"], told["tokens"]) == (2, 400)
    assert told["worse_examples"][0]["after"] == {"rank": 7, "answer": "Is it?"}


def test_a_run_that_gave_nothing_has_a_report_too():
    nothing = report(rows=[], verdict=compare([], []), before=[], after=[], model=None)
    assert "the old model is kept" in Page(html(nothing)).text
    jsonschema.validate(json.loads(json.dumps(to_json(nothing))), schemas.json_schema("adapt"))


def test_a_curve_goes_from_corner_to_corner():
    drawn = charts.curve(charts.Curve("loss", ((1.0, 3.0), (2.0, 2.0), (3.0, 1.0))))
    bottom, right = charts.HEIGHT - charts.BOTTOM, charts.WIDTH - charts.RIGHT
    middle = f"{(charts.LEFT + right) / 2:.1f},{(charts.TOP + bottom) / 2:.1f}"
    assert f'points="{charts.LEFT:.1f},{charts.TOP:.1f} {middle} {right:.1f},{bottom:.1f}"' in drawn


@pytest.mark.parametrize("points", [((1.0, 2.0),), ((1.0, 0.0), (2.0, 0.0)), ((5.0, float("nan")), (6.0, 1.0))])
def test_level_lone_and_unmeasured_points_are_drawn_without_a_fault(points):
    assert "nan" not in charts.curve(charts.Curve("x", points))
    assert "<svg" in charts.curve(charts.Curve("x", points))


def test_a_curve_without_points_is_none():
    assert charts.curve(charts.Curve("x", ((1.0, float("inf")),))) == ""


def test_a_long_run_is_drawn_with_few_points_of_the_same_mean():
    points = [(float(n), float(n % 7)) for n in range(1600)]
    thin = charts.thinned(points)
    assert len(thin) == 160
    assert sum(y for _, y in thin) / 160 == pytest.approx(sum(y for _, y in points) / 1600)


def test_an_interval_is_better_worse_or_open_by_where_zero_lies():
    sides = [
        charts.interval("x", low, (low + high) / 2, high, 1.0) for low, high in ((0.1, 0.5), (-0.5, -0.1), (-1, 1))
    ]
    assert [side for side in ("better", "worse", "open") for drawn in sides if f'class="{side}"' in drawn] == [
        "better", "worse", "open",
    ]  # fmt: skip
