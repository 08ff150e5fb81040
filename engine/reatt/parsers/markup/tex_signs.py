"""What the commands of LaTeX mean to a reader: which arguments are text, which signs and accents they write."""

from __future__ import annotations

# Commands whose arguments are not the text that follows: a letter for each argument. k: kept, d: left out,
# o: in brackets, where it may be missing, and left out.
_LEFT_OUT = (
    "label vspace hspace vskip hskip input include includeonly usepackage documentclass documentstyle bibliographystyle"
    " bibliography addbibresource pagestyle thispagestyle pagenumbering color pagecolor hypersetup graphicspath cline"
    " cmidrule captionsetup includegraphics includesvg includepdf newtheorem theoremstyle index glossary nocite"
    " setlist geometry linespread selectlanguage setmainfont setsansfont setmonofont sisetup phantomsection vphantom"
    " hphantom phantom tikzset usetikzlibrary lstset pgfplotsset hyphenation usetheme usecolortheme"
    " usefonttheme fontfamily fontseries fontshape microtypesetup RequirePackage ProvidesPackage newcounter stepcounter"
    " refstepcounter newlength linenumbers NeedsTeXFormat pdfbookmark crefname Crefname"
)
ARGUMENTS = dict.fromkeys(_LEFT_OUT.split(), "od") | {
    "setlength": "dd", "addtolength": "dd", "setcounter": "dd", "addtocounter": "dd", "definecolor": "ddd",
    "textcolor": "odk", "colorbox": "odk", "fcolorbox": "oddk", "multicolumn": "ddk", "multirow": "oddok",
    "parbox": "oodk", "raisebox": "dook", "rule": "odd", "makebox": "ook", "framebox": "ook", "resizebox": "ddk",
    "scalebox": "dok", "rotatebox": "odk", "fontsize": "dd", "addcontentsline": "ddd", "markboth": "dd",
    "markright": "d", "settowidth": "dd", "DeclareMathOperator": "dd", "hyperref": "ok", "foreignlanguage": "dk",
    "newif": "d", "DeclareUnicodeCharacter": "dd", "titleformat": "ddddd", "titlespacing": "dddd", "newglossaryentry":
    "dd", "newacronym": "dddd", "numberwithin": "dd", "overset": "dk", "underset": "dk",
    "texorpdfstring": "kd", "ifthenelse": "dkk", "stackrel": "dk", "setbeamertemplate": "dod",
    "acrodef": "ddd", "DeclareRobustCommand": "dod", "newenvironment": "doodd", "renewenvironment": "doodd",
    "includemedia": "odd", "gls": "ok", "ac": "k", "lettrine": "okk",
}  # fmt: skip
CITED = frozenset(
    "cite citep citet citealt citealp citeauthor citeyear citeyearpar parencite textcite autocite footcite footcitetext"
    " fullcite supercite citenum Cite Citep Citet Parencite Textcite Autocite cites parencites shortcite".split()
)
REFERRED = frozenset("ref eqref pageref autoref cref Cref nameref vref subref".split())
LISTS = frozenset("itemize enumerate description list compactitem compactenum inparaenum".split())
HEADINGS = frozenset("part chapter section subsection subsubsection paragraph subparagraph frametitle".split())
NOT_SHOWN = frozenset("comment tikzpicture pgfpicture picture filecontents filecontents* axis".split())
AS_WRITTEN = frozenset("verbatim verbatim* Verbatim lstlisting minted alltt BVerbatim".split())
TABLES = frozenset("tabular tabular* tabularx tabulary longtable array supertabular tabbing longtabu tabu".split())
MATH = frozenset("equation align gather multline eqnarray displaymath math alignat flalign dmath split".split())
# Environments with arguments that are no text; of tables the columns.
OPENING = {
    "tabular": "od", "tabular*": "dod", "tabularx": "dod", "tabulary": "dd", "longtable": "od", "array": "od",
    "figure": "o", "table": "o", "figure*": "o", "table*": "o", "minipage": "ooood", "wrapfigure": "odod",
    "enumerate": "o", "itemize": "o", "description": "o", "thebibliography": "d", "multicols": "d", "frame": "oo",
    "columns": "o", "column": "d", "list": "dd", "adjustbox": "d", "subfigure": "od", "alignat": "d", "alignat*": "d",
    "supertabular": "d", "lstlisting": "o", "minted": "od", "tabu": "d", "longtabu": "d", "otherlanguage": "d",
    "wraptable": "odod", "spacing": "d", "CJK": "dd", "CJK*": "dd", "Verbatim": "o", "letter": "k",
}  # fmt: skip

# Combining characters by the commands of accents.
ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "d": "\u0323", "b": "\u0331", "k": "\u0328",
    "r": "\u030a", "hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "vec": "\u20d7", "dot": "\u0307",
    "ddot": "\u0308",
}  # fmt: skip
_SIGNS = """
ss ß  o ø  O Ø  ae æ  AE Æ  oe œ  OE Œ  aa å  AA Å  l ł  L Ł  i i  j j  dh ð  DH Ð  th þ  TH Þ  dj đ  DJ Đ
ldots …  dots …  cdots ⋯  textellipsis …  textendash –  textemdash —  textbackslash \\  textasciitilde ~
textasciicircum ^  textunderscore _  textbar |  textless <  textgreater >  textquotedblleft “  textquotedblright ”
textquoteleft ‘  textquoteright ’  textquotesingle '  quotedblbase „  glqq „  grqq “  glq ‚  grq ‘  flqq «  frqq »
guillemotleft «  guillemotright »  og «  fg »  textbullet •  bullet •  copyright ©  textcopyright ©  textregistered ®
texttrademark ™  pounds £  textsterling £  euro €  texteuro €  EUR €  textyen ¥  S §  P ¶  dag †  ddag ‡  textdegree °
degree °  textdollar $  textpercent %  textmu µ  LaTeX LaTeX  TeX TeX  LaTeXe LaTeX2e  BibTeX BibTeX  slash /
alpha α  beta β  gamma γ  delta δ  epsilon ε  varepsilon ε  zeta ζ  eta η  theta θ  vartheta ϑ  iota ι  kappa κ
lambda λ  mu μ  nu ν  xi ξ  pi π  rho ρ  sigma σ  tau τ  upsilon υ  phi φ  varphi φ  chi χ  psi ψ  omega ω
Gamma Γ  Delta Δ  Theta Θ  Lambda Λ  Xi Ξ  Pi Π  Sigma Σ  Upsilon Υ  Phi Φ  Psi Ψ  Omega Ω
times ×  cdot ·  div ÷  pm ±  mp ∓  leq ≤  le ≤  geq ≥  ge ≥  neq ≠  ne ≠  approx ≈  equiv ≡  sim ∼  simeq ≃  propto ∝
infty ∞  sum ∑  prod ∏  int ∫  partial ∂  nabla ∇  in ∈  notin ∉  subset ⊂  subseteq ⊆  cup ∪  cap ∩  emptyset ∅
forall ∀  exists ∃  neg ¬  wedge ∧  vee ∨  land ∧  lor ∨  to →  rightarrow →  leftarrow ←  Rightarrow ⇒  Leftarrow ⇐
leftrightarrow ↔  mapsto ↦  implies ⇒  iff ⇔  langle ⟨  rangle ⟩  lvert |  rvert |  mid |  ll ≪  gg ≫  circ ∘
star ⋆  ast *  prime ′  ell ℓ  hbar ℏ  Re ℜ  Im ℑ  angle ∠  perp ⊥  parallel ∥  oplus ⊕  otimes ⊗  checkmark ✓
colon :  lbrace {  rbrace }  lbrack [  rbrack ]  vert |  Vert ‖  surd √  dagger †
"""
SIGNS = dict(pair.split(" ", 1) for line in _SIGNS.split("\n") for pair in line.split("  ") if " " in pair)
