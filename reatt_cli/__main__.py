"""Where the program starts: Ctrl-C ends it without a word while it loads, for there is nothing yet to tidy up."""

from __future__ import annotations

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Load the command line and run it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have made us deaf to it: so we stay
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from reatt_cli import app

    app.main()


if __name__ == "__main__":
    main()
