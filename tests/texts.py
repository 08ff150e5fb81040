"""Texts that tests read."""

LEAVE = "Parental leave in Norway is 49 weeks at full pay.\n"
TRAVEL = "Travel is approved by the head of department.\n"
NOUNS = """leave Norway weeks pay travel head department telescope mirror garden rye bread oven water plot fence key
    minutes treasurer Ada Oslo winter observatory lens dome star comet notebook ferry harbour salt flour
    yeast""".split()
