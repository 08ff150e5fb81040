"""Many shards on many processes or machines, by Ray: what ingests them, keeps them open, and searches them as one.

A shard is a plain store. Ray starts processes, notices when one dies and starts it again; the answers are made with the
code that searches several stores in one process. Only this room imports Ray, and only in functions.
"""
