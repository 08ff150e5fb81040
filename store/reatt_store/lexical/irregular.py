"""English words whose forms no stemmer joins: mouse and mice, run and ran."""

from __future__ import annotations

_NOUNS = """
    knife knives, wife wives, life lives, wolf wolves, leaf leaves, shelf shelves, half halves, calf calves,
    thief thieves, loaf loaves, elf elves, scarf scarves, hoof hooves, sheaf sheaves, mouse mice, louse lice,
    goose geese, foot feet, tooth teeth, man men, woman women, child children, ox oxen, person people, penny pence,
    analysis analyses, crisis crises, thesis theses, hypothesis hypotheses, diagnosis diagnoses, basis bases,
    axis axes, criterion criteria, phenomenon phenomena, bacterium bacteria, stimulus stimuli, nucleus nuclei,
    fungus fungi, cactus cacti, radius radii, alumnus alumni, matrix matrices, appendix appendices,
    vertex vertices, curriculum curricula, memorandum memoranda, larva larvae, alga algae, vertebra vertebrae,
    formula formulae, antenna antennae, genus genera, corpus corpora
"""
_VERBS = """
    run ran, write wrote written, speak spoke spoken, drive drove driven, buy bought, bring brought, think thought,
    catch caught, teach taught, seek sought, fight fought, sell sold, tell told, hold held, find found, lose lost,
    leave left, meet met, feed fed, lead led, build built, send sent, spend spent, lend lent, keep kept,
    sleep slept, feel felt, deal dealt, mean meant, begin began begun, drink drank drunk, sing sang sung,
    swim swam swum, sink sank sunk, give gave given, take took taken, shake shook shaken, break broke broken,
    choose chose chosen, steal stole stolen, freeze froze frozen, grow grew grown, know knew known,
    throw threw thrown, blow blew blown, fly flew flown, draw drew drawn, wear wore worn, tear tore torn,
    swear swore sworn, rise rose risen, ride rode ridden, hide hid hidden, bite bit bitten, eat ate eaten,
    fall fell fallen, see saw seen, go went gone, come came, become became, make made, say said, stand stood,
    understand understood, pay paid, hear heard, win won, sit sat, shoot shot, strike struck, stick stuck, dig dug,
    hang hung, bind bound, grind ground, forget forgot forgotten, forgive forgave forgiven, weave wove woven,
    breed bred, bleed bled, flee fled, shine shone, sweep swept, weep wept, creep crept, bend bent, slide slid,
    spin spun, sting stung, swing swung, tread trod trodden, wake woke woken
"""


def _forms() -> dict[str, tuple[str, ...]]:
    groups = [group.split() for block in (_NOUNS, _VERBS) for group in block.split(",")]
    return {word: tuple(form for form in group if form != word) for group in groups for word in group}


FORMS = _forms()


def other_forms(word: str) -> tuple[str, ...]:
    """Return the other forms of a word, none for one whose forms are regular.

    >>> other_forms("mice"), other_forms("ran"), other_forms("cat")
    (('mouse',), ('run',), ())
    """
    return FORMS.get(word, ())
