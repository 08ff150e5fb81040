"""English function words, which say nothing about the subject of a question."""

STOP_WORDS = frozenset(
    """
    a an the and or of in on at by to for from with as into about
    is are was were be been being am do does did has have had can could will would shall should may might must
    what which who whom whose when where why how
    i you he she it we they me him her us them my your his its our their this that these those there
    """.split()
)
