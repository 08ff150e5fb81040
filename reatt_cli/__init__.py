"""The `reatt` command: the commands in `commands/`, what they share beside it. Nothing heavy is imported at import."""

__version__ = "0.1.0"
