"""The `reatt` command: one file per command group."""

__version__ = "0.1.0"
