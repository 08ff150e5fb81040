"""The calls that every damaged store gets, and the kinds of store there are."""

KINDS = ("fresh", "adapted", "intra")
QUESTION = "the dome of Ada Berg"
CALLS = [
    ["list"],
    ["show", "D-1"],
    ["search", QUESTION, "--search", "two-stage", "--json"],
    ["ask", QUESTION, "--ok-empty", "--explain"],
    ["status", "--problems"],
    ["check", "--json"],
    ["report", "R-1", "-o", "page.html"],
    ["report", "A-0a1b2c3d4e", "-o", "page.html"],
    ["models"],
    ["check", "--repair"],
    ["search", QUESTION, "--retriever", "words"],
]
