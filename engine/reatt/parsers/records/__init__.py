"""Files of many records, each a document: JSON Lines, Parquet, Arrow. `rows.py` has the rules that they share."""
