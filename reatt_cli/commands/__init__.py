"""The commands, one module for each group; `register` of each adds its commands to the program.

Heavy libraries and the engine are imported inside functions: `--help` and completion load none of them.
Whoever is not a command imports nothing from here.
"""
