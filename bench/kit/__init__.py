"""What every bench shares: the plan, the machine, corpora, stores, processes, tables."""
