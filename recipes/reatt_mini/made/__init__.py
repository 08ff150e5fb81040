"""Stage 2: make further training sets out of the prose, in the format of the others.

`python -m recipes.reatt_mini.made --data DATA --out WORK` writes WORK/made/NAME for every NAME of `KINDS`. The prose
is DATA/text. No article teaches that `data.held_out` names, or that a development corpus has a title of; no question
is made that a development set asks. The same seed gives the same bytes.
"""
