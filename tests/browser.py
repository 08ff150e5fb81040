"""A headless Chromium, driven through a pipe: it opens pages, presses keys, and says what a page holds."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 120.0  # to wait for what a page should come to hold
# The pipe is read at descriptor 3 and written at 4; a container has no sandbox of its own.
COMMAND = 'exec "$0" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --hide-scrollbars '
COMMAND += '--remote-debugging-pipe --user-data-dir="$1" about:blank 3<&"$2" 4>&"$3"'


class Page:
    """One open page."""

    def __init__(self, send, receive):
        self._send, self._receive, self._numbers = send, receive, itertools.count(1)
        self._session = None
        self.requests, self.complaints = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """Call a method of the browser's protocol; note what it reports meanwhile."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        self._send(json.dumps({"id": number, "method": method, "params": parameters} | session))
        while True:
            message = json.loads(self._receive())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message):
        told = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(told))

    def open(self, url):
        """Open an address, and wait until the document is there."""
        self.call("Page.bringToFront")
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def value(self, expression):
        """Return what an expression is worth on the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression):
        """Wait until an expression holds."""
        until = time.monotonic() + SECONDS
        while not self.value(expression):
            assert time.monotonic() < until, (expression, self.value("document.body.innerText"), self.complaints)
            time.sleep(0.05)

    def press(self, key, code=0, text=""):
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def write(self, text):
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def resize(self, width, dark=False):
        """Show the page in a window of a width, in light or dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self):
        """Return the page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])


@contextmanager
def browsing():
    """Start the browser for a block; yield a function that opens a new page."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    folder = tempfile.mkdtemp(prefix="chromium-")
    command = ["bash", "-c", COMMAND, PROGRAM, folder, str(theirs_in), str(theirs_out)]
    process = subprocess.Popen(
        command, pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    received = bytearray()

    def send(text):
        os.write(ours_out, text.encode() + b"\0")

    def receive():
        while b"\0" not in received:
            part = os.read(ours_in, 1 << 16)
            assert part, "the browser has ended"
            received.extend(part)
        message, _, rest = bytes(received).partition(b"\0")
        received[:] = rest
        return message

    try:
        yield lambda: Page(send, receive)
    finally:
        process.kill()
        process.wait()
        os.close(ours_in)
        os.close(ours_out)
        shutil.rmtree(folder, ignore_errors=True)
