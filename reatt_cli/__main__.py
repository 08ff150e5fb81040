"""The entry point. While it loads, Ctrl-C ends it silently, because there is nothing to clean up yet."""

from __future__ import annotations

import gc
import signal
from typing import NoReturn

CONTAINERS = 100_000  # new ones before Python looks for cycles; by default 700, which costs a tenth of loading torch


def main() -> NoReturn:
    """Load the command line and run it."""
    gc.set_threshold(CONTAINERS, *gc.get_threshold()[1:])
    if (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):  # the parent may have set it to be ignored; then keep that
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from reatt_cli import app

    app.main()


if __name__ == "__main__":
    main()
