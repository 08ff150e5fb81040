"""A store that is served by a thread of the test's own process, and questions for it."""

import os
import threading
from contextlib import contextmanager
from pathlib import Path

from reatt.search.query import Query
from reatt_cli.serving import server, warm
from reatt_cli.settings import Settings


@contextmanager
def served(store, idle=60.0, beside=(), **settings):
    """Serve a store from a thread of this process, with the product's own loop."""
    where, ready = warm.place(store, *map(Path, beside)), threading.Event()
    server.make_private(where)

    def run():
        answering = server.Warm(Settings(store=str(store), beside=tuple(beside), device="cpu", **settings))
        with warm.held(where) as alone, server.listening(where) as listener:
            assert alone
            ready.set()
            answering.serve(listener, where, idle)

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait()
    try:
        yield thread
    finally:
        warm.stop(where)
        thread.join()
        assert not thread.is_alive()


def asked(store, /, **changes):
    """Send a question as `ask` does, with something changed."""
    message = warm.request(store, os.environ.get("REATT_MODEL"), "auto", "ask", Query("When is tea?"))
    return warm.exchange(warm.place(store), message | changes)
