"""The `reatt` command: one file per command group."""
