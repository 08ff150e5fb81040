"""Laws of what a page shows by other means than its text: marks, formulas, boxes, signs, words kept apart."""

import doctest

import pytest

from reatt.parsers.markup import html as module
from reatt.parsers.markup.html import html


def text_of(body: str) -> str:
    return html(f"<body>{body}</body>").text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>As you see³, it is 5 m² wide.¹²</p>", "As you see [3], it is 5 m² wide. [12]"),
        ("<p>10⁶ cells</p>", "10⁶ cells"),
        ("<p>income<a epub:type='noteref' href='#n'>3</a></p>", "income [3]"),
        ("<p>income<a role=doc-noteref href='#n'>3</a></p>", "income [3]"),
        ("<p>income<a class=noteref href='#n'><span class=super>3</span></a></p>", "income [3]"),
        ("<p>10<span class=superscript>6</span> m</p>", "10^6 m"),
        ("<p>5 m<span style='font-size: 8pt; vertical-align: super'>2</span></p>", "5 m^2"),
        ("<p>x<sup><span class=sup>3</span></sup></p>", "x^3"),
        ("<p>un<span epub:type=pagebreak>13</span>broken</p>", "unbroken"),
    ],
)
def test_raised_numbers_are_set_apart_however_they_are_raised(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a+b)/2"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "√(x+1)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "3√x"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi>",
         "∑_(i=1)^ni"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd></mtr></mtable>",
         "1 2; 3"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x"),
        ("<mi>sin</mi><mo>\u2061</mo><mi>x</mi>", "sin x"),
        ("<semantics><mi>E</mi><annotation>E</annotation></semantics>", "E"),
    ],
)  # fmt: skip
def test_a_formula_is_written_so_that_it_can_be_read(formula: str, text: str) -> None:
    assert text_of(f"<p>Thus <math>{formula}</math>.</p>") == f"Thus {text}."


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p><a>Home</a><a>News</a></p>", "Home News"),
        ("<p><span>Name</span><span>Ada</span></p>", "Name Ada"),
        ("<p><b>Tel</b><b>555</b></p>", "Tel 555"),
        ("<p><span>un</span><span>likely</span></p>", "unlikely"),
        ("<p><span class=dropcap>O</span><span>nce</span></p>", "Once"),
        ("<p><code><span>get</span><span>Name</span></code></p>", "getName"),
        ("<fieldset><legend>Address</legend><label>Town</label><output>Wick</output></fieldset>", "Address\nTown Wick"),
        ("<x-card>Oar</x-card><x-card>Sail</x-card>", "Oar Sail"),
        ("<dialog>Sure?</dialog>Yes", "Sure?\n\nYes"),
    ],
)
def test_words_that_are_shown_apart_are_apart(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>Fee <span aria-label='9 euros'><span aria-hidden=true>€9</span></span></p>", "Fee €9"),
        ("<h1 aria-label='Hello world'><span aria-hidden=true>Hello world</span></h1>", "Hello world"),
        ("<p><span class=off>$9.99</span><span aria-hidden=true>$<b>9.</b>99</span></p>", "$9.99"),
        ("<p>Go <span class=material-icons aria-hidden=true>home</span></p>", "Go"),
        ("<p>Go <span aria-hidden=true>→</span></p>", "Go"),
    ],
)
def test_words_for_the_eye_alone_are_read_once(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ul><li><input type=checkbox checked disabled> Wash<li><input type=checkbox> Dry</ul>", "[x] Wash\n[ ] Dry"),
        ("<label><input type=radio checked>By boat</label>", "[x] By boat"),
        ("<table><tr><td><input type=checkbox checked></td><td>Paid</td></tr></table>", "Paid"),
        ("<input type=checkbox id=menu><p>Text</p>", "Text"),
    ],
)
def test_boxes_say_whether_they_are_checked(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>Thanks <span style='font-family:Wingdings'>J</span></p>", "Thanks ☺"),
        ("<p>up <font face=Wingdings>à</font> down</p>", "up → down"),
        ("<p><span style='font-family:Symbol'>·<span style='font:7pt Times'>&nbsp; </span></span>item</p>", "• item"),
        ("<p style='font-family:Arial, Symbol'>abc</p>", "abc"),
        ("<p>He said <q>yes</q>.</p>", "He said “yes”."),
    ],
)
def test_letters_in_fonts_of_signs_are_signs_and_quotes_are_written(page: str, text: str) -> None:
    assert text_of(page) == text


def test_the_examples_in_docstrings_hold() -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>Town <select><option>Wick<option>Oban</select></p>", "Town Wick"),
        ("<p>Town <select><option>Wick<option selected>Oban</select></p>", "Town Oban"),
        ("<p>Towns <select multiple><option>Wick<option>Oban</select></p>", "Towns Wick Oban"),
        ("<div><template shadowrootmode='open'><p>Low tide.</p></template></div><p>High.</p>", "Low tide.\n\nHigh."),
        ("<x-tide><template shadowroot=open>Low tide.</template></x-tide>", "Low tide."),
        ("<template><p>no</p></template>Low tide.", "Low tide."),
        ("<iframe srcdoc='<p>Low &lt;b>tide&lt;/b>.</p>'></iframe><p>High.</p>", "Low tide.\n\nHigh."),
        ("<iframe src=a.html>no</iframe>Low tide.", "Low tide."),
    ],
)
def test_what_is_kept_in_a_page_for_another_place_is_read_where_it_is_shown(page: str, text: str) -> None:
    assert text_of(page) == text
