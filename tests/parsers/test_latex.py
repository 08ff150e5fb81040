"""Laws of LaTeX and BibTeX: the text of the page is read, without commands; headings stand where they are said to."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reatt.parsers.markup.bibtex import bibtex
from reatt.parsers.markup.latex import latex, plain_text
from reatt_store.errors import EmptyDocument
from tests.parsers.source_made import parsed

ARTICLE = r"""% !TeX program = pdflatex
\documentclass[11pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\newcommand{\mole}{the northern mole}
\newcommand{\met}[2][lit]{#2 metres long and #1}
\title{Harbours of the North\thanks{Paid by the town.}}
\author{Edda Vo\ss{} \and J\"org M{\"u}ller}
\date{May 2024}
\begin{document}
\maketitle
\begin{abstract}
We measure \mole{}.
\end{abstract}
\tableofcontents
\section{The mole}\label{sec:mole}
It was rebuilt in 1973~\cite[p.~12]{voss74,pell80}---after the
storm---and is \met{412}. % a comment
It costs 31\,\% of the ``budget''\footnote{See Section~\ref{sec:mole}.}, i.e.\ \textbf{5\,000} crowns.

\begin{itemize}
  \item the light
  \item[Red] on the left
  \item lists: \begin{enumerate} \item one \item two \end{enumerate}
\end{itemize}
\end{document}
Not read.
"""
ARTICLE_TEXT = """Harbours of the North

Edda Voß, Jörg Müller

May 2024

Paid by the town.

Abstract

We measure the northern mole.

The mole

It was rebuilt in 1973 [voss74, pell80, p. 12]—after the storm—and is 412 metres long and lit. \
It costs 31 % of the “budget” [1], i.e. 5 000 crowns.

[1] See Section [sec:mole].

- the light
Red: on the left
- lists:
1. one
2. two"""
CHAPTER = r"""\chapter{Prices}
\begin{table}[htb]
 \centering
 \caption[short]{Prices of \emph{stalls}}
 \begin{tabular}{|l|r|}
 \hline
 Day & Price \\ \hline
 Friday & 31~crowns \\
 Sunday & & free\\[2pt]
 \multicolumn{2}{c}{closed} \\
 \end{tabular}
\end{table}
\begin{verbatim}
reatt ask  "\foo{bar}" % kept
\end{verbatim}
Use \verb|a_b{|, \url{https://example.org/a_b} or \href{https://example.org}{this page}.
\begin{tikzpicture} \draw (0,0) -- (1,1); \end{tikzpicture}
\begin{figure}\includegraphics[width=3cm]{map.pdf}\caption{A map\label{fig:map}}\end{figure}
\paragraph{Note} It is \SI{5}{\metre\per\second} and \num{1200}\\second line.
"""
CHAPTER_TEXT = """Prices

Prices of stalls

Day\tPrice
Friday\t31 crowns
Sunday\t\tfree
closed

reatt ask  "\\foo{bar}" % kept

Use a_b{, https://example.org/a_b or this page (https://example.org).

A map

Note
It is 5 metre / second and 1200
second line."""
FORMULAS = r"""\documentclass{scrartcl}
\begin{document}
The area is $A = \pi r^2 \leq \frac{a+b}{2}$ and $x_{ij} = e^{-i\omega t}$:
\begin{equation}\label{eq:a}
 \sum_{k=1}^{n} \alpha_k = \sqrt{2}
\end{equation}
\[ f'(x) \approx 10^6 \]
\begin{theorem}[Pythagoras] $a^2$ and \(b^2\).\end{theorem}
"""
FORMULAS_TEXT = """The area is A = π r^2 ≤ (a+b)/2 and x_ij = e^(-iω t):
∑_(k=1)^n α_k = √2
f′(x) ≈ 10^6

Theorem (Pythagoras). a^2 and b^2."""
SLIDES = r"""\documentclass{beamer}
\newcommand\be{\begin{itemize}} \def\en{\end{itemize}}
\title{Tides}
\begin{document}
\begin{frame}<1>[t]{Low tide} Six.\end{frame}
\begin{frame}
\frametitle{High tide}
\be \item<1-> At n\'ine o'clock, \c{c}a va \v{s}\'\i \item Low -- at 3--4 \en
\end{frame}
\iffalse hidden \fi
\end{document}
"""
SLIDES_TEXT = """Low tide

Six.

High tide

- At níne o’clock, ça va ší
- Low – at 3–4"""
BOOKS = r"""% Encoding: UTF-8
@comment{left out}
@string{aw = "Addison" # "-Wesley"}
@Book{knuth84,
  author    = {Knuth, Donald E. and Bibby, Duane},
  title     = {The {\TeX}book},
  publisher = aw,
  year      = 1984,
  isbn      = {0-201-13447-0},
}

@article{voss74,
  author = "Edda Vo{\ss} and others", title = "On moles?", journal = {Harbours},
  volume = 3, number = 2, pages = {12--19}, month = may, year = "1974",
  abstract = {The mole is 412~metres long.}, file = {:home/x.pdf:PDF}
}
@inproceedings(pell80, editor = {Jr., Jonah and Pell}, booktitle = {Proc. of {Ferries}}, year = {1980})
@online{site, title={Tides}, url={https://example.org/a_b}, urldate={2024-05-01}}
"""
BOOKS_TEXT = """[knuth84] Donald E. Knuth, Duane Bibby: The TeXbook. Addison-Wesley, 1984.
isbn: 0-201-13447-0

[voss74] Edda Voß, others: On moles? Harbours, volume 3, number 2, pages 12–19, May 1974.
abstract: The mole is 412 metres long.

[pell80] Jonah Jr., Pell (editor). Proc. of Ferries, 1980.

[site] Tides.
url: https://example.org/a_b
urldate: 2024-05-01"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("name", "source", "kind", "title", "words", "headings"),
    [
        (
            "a.tex",
            ARTICLE,
            "latex",
            "Harbours of the North",
            ARTICLE_TEXT,
            ["Harbours of the North", "Abstract", "The mole"],
        ),
        ("b.ltx", CHAPTER, "latex", "Prices", CHAPTER_TEXT, ["Prices", "Note"]),
        ("unnamed", FORMULAS, "latex", "unnamed", FORMULAS_TEXT, []),
        ("c.tex", SLIDES, "latex", "Tides", SLIDES_TEXT, ["Low tide", "High tide"]),
        ("d.bib", BOOKS, "bibtex", "d", BOOKS_TEXT, []),
    ],
)
def test_the_text_of_the_page_is_read(
    tmp_path: Path, name: str, source: str, kind: str, title: str, words: str, headings: list[str], line_end: str
) -> None:
    text = parsed(tmp_path, name, source.replace("\n", line_end))
    assert (text.kind, text.title, text.text) == (kind, title, words)
    assert [heading for _, heading in text.headings] == headings
    for at, heading in text.headings:
        assert text.text.startswith(heading, at)


@pytest.mark.parametrize("source", ["% nothing\n", "\\documentclass{article}\\begin{document}\\end{document}"])
def test_a_source_without_text_is_empty(tmp_path: Path, source: str) -> None:
    with pytest.raises(EmptyDocument):
        parsed(tmp_path, "a.tex", source)


def test_commands_that_mean_each_other_or_more_and_more_are_given_up() -> None:
    doubling = (
        "".join(f"\\def\\{chr(97 + n)}{{\\{chr(98 + n)}\\{chr(98 + n)}}}" for n in range(24)) + "\\def\\y{words }"
    )
    started = time.process_time()
    assert latex(f"{doubling} \\a end").text.endswith("end")
    assert latex("\\def\\a{\\b}\\def\\b{\\a}\\a end").text == "end"
    assert time.process_time() - started < 20


PIECES = r"""\section{ } { \cite[ ] $ \begin{itemize} \end{itemize} \item & \\ \begin{tabular}{l} \end{tabular} 
    \footnote{ \def\x#1{#1} \x \'{ \verb| \begin{verbatim} \end{document} \frac ^ _{ word %""".split()


@given(st.lists(st.sampled_from([*PIECES, "\n", "\n\n", " "]), max_size=60).map("".join))
def test_any_words_and_groups_are_read_and_headings_stand_where_they_are_said_to(source: str) -> None:
    content = latex(source)
    for at, heading in content.headings:
        assert content.text.startswith(heading, at)


@given(st.lists(st.sampled_from('@a{ k , x = { } " # 1 y @string( \\ \n'.split(" ")), max_size=40).map("".join))
def test_any_entries_are_read(source: str) -> None:
    bibtex(source)


@pytest.mark.parametrize("deep", ["\\emph{", "\\footnote{", "\\frac{", "{", "$x^{", "\\begin{itemize}\\item "])
def test_what_is_nested_deeply_is_read(deep: str) -> None:
    assert "words" in latex(deep * 5000 + "words").text
    assert "words" in latex(deep * 5000 + "words" + "}" * 5000).text


def test_a_short_piece_is_one_line() -> None:
    assert plain_text("The {\\TeX}book,\n\\'Etude~3") == "The TeXbook, Étude 3"
