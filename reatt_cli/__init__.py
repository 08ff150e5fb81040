"""The `reatt` command: the commands are in `commands/`, shared code is here. Importing it loads nothing heavy."""

__version__ = "0.1.0"
