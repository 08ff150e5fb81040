"""Stage 2: make further training sets out of the prose, in the format of the others.

`python -m recipes.reatt_mini.made --data DATA --out WORK` writes WORK/made/NAME, unless it is there:

- `tables`: made-up tables of 66 themes (themes.txt), filled with names, places and things of Simple Wikipedia, written
  as the parsers leave them; questions on one cell.
- `lists`: made-up handbooks, contracts, minutes, recipes and others of 18 kinds (lists.txt); questions on one value.
- `compare`: comparison and yes-no questions on two articles, by facts of the first sentences of both Wikipedias.
- `prose`: what first sentences say of their subject, and sentences that say again what a paragraph says.
- `entities`: questions of EntityQuestions on the paragraph of their subject's article that holds the answer.
- `glossary`: lists of terms of textbooks with their definitions; questions for either by the other.
- `unanswerable`: questions each on a paragraph of the right article that does not answer it.

No article teaches that `data.held_out` names, or that a development corpus has a title of; no question is made that a
development set asks. The same seed gives the same bytes.

Beside the usual fields a document may have `article`, what it is a part of; a question `places`, where its answer
begins in its document, `kind` (`comparison` or `yesno`), and `doc_ids`, the documents that it has to be read with.
"""
