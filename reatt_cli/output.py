"""Everything that `reatt` prints goes through this module: answers to stdout, the rest to stderr.

Under `--json` stdout holds exactly one object (or one a line) and stderr stays empty unless the command fails. Text
from documents, names and models is made safe (`rendering.visible`) on its way out, piped or not. Rich only sees `Text`
objects: its markup would swallow `[id]` and choke on `[/x]`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

from reatt_cli import rendering

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from reatt.progress import Progress
    from reatt_store.errors import ReattError

Color = Literal["auto", "always", "never"]
ProgressStyle = Literal["auto", "never", "json"]


PIPED_WIDTH = 100  # width of a line of text if there is no terminal


class Dumpable(Protocol):
    """What can be printed as JSON: a schema object, or what stands for one."""

    def model_dump(self, *, mode: str, by_alias: bool) -> dict[str, Any]:
        """Return the object as JSON has it."""
        ...


class StdoutClosed(BaseException):
    """The reader of stdout has gone (`| head -1`): stop quietly. Not an error, so not an Exception."""


@dataclass(frozen=True)
class Output:
    """Prints results, notes and progress of a command, as its options say."""

    json: bool = False
    quiet: bool = False
    color: Color = "auto"
    progress_style: ProgressStyle = "auto"
    compact: bool = False  # JSON without spaces

    def result(self, model: Dumpable, render: Callable[[], None]) -> None:
        """Print the result: one object under `--json`, else call `render`."""
        if self.json:
            self.record(model)
        else:
            render()

    def record(self, model: Dumpable) -> None:
        """Print one schema object as one line of JSON, regardless of the options."""
        _write_object(sys.stdout, model.model_dump(mode="json", by_alias=True), self.compact)

    def say(self, *parts: str | Text) -> None:
        """Print one line of the result on stdout; every part is made safe and stays on the line."""
        self._print(self._out, parts)

    def block(self, text: str) -> None:
        """Print several lines of a document's text on stdout, made safe."""
        from rich.text import Text

        self._print(self._out, [Text(rendering.visible(text.replace("\r\n", "\n")))])

    def table(self, rows: Sequence[Sequence[str | Text]], indent: str = "") -> None:
        """Print aligned rows on stdout; cut to the width on a terminal only, so pipes get everything."""
        for line in rendering.columns(rows, self.width - len(indent) if self._out.is_terminal else None):
            self._print(self._out, [indent, line])

    def note(self, *parts: str | Text) -> None:
        """Print one line about the run on stderr: not under `--quiet`, not under `--json`."""
        if not self.quiet and not self.json:
            self._print(self._err, parts)

    def aside(self, text: str) -> None:
        """Print one dim line about a question on stderr: not under `--json`."""
        from rich.text import Text

        if not self.json:
            self._print(self._err, [Text(rendering.one_line(text), "dim")])

    def warn(self, text: str) -> None:
        """Print one warning on stderr, even under `--quiet`; under `--json` it is inside the object instead."""
        if not self.json:
            self._print(self._err, ["warning: ", text])

    def error(self, error: ReattError) -> None:
        """Print a failure on stderr in one line: what is wrong and what to do. Under `--json`, one JSON object."""
        if self.json:
            fields = {"code": error.exit_code, "id": error.id, "message": error.message, "fix": error.fix}
            more = {"path": error.path, "retryable": error.retryable}
            _write_object(sys.stderr, {"schema": "reatt.error/1", **fields, **more})
        else:
            fix = f"   try: {rendering.one_line(error.fix)}" if error.fix else ""
            message = rendering.one_line("; ".join(error.message.splitlines()))
            _write(sys.stderr, f"reatt: {message}{fix}\n")

    def traceback(self, text: str) -> None:
        """Print a traceback on stderr; only `--debug` asks for one."""
        _write(sys.stderr, rendering.visible(text))

    def raw(self, text: str) -> None:
        """Write our own text to stdout unchanged: JSON, help, a completion script."""
        _write(sys.stdout, text)

    def prompts(self, prompt: str) -> Iterator[str]:
        """Prompt line by line until the end of input (Ctrl-D)."""
        import readline  # noqa: F401  (gives `input` its history and arrow keys)

        while True:
            try:
                yield input(prompt)
            except EOFError:
                self.note("")
                return

    @contextmanager
    def progress(self, every: float | None = None) -> Iterator[Callable[[Progress], None]]:
        """Show progress on stderr: a bar that vanishes on a terminal, JSON lines if asked for, else nothing.

        With `every`, a run without a terminal says where it is every so many seconds.
        """
        if self.progress_style == "json":
            yield _progress_lines()
        elif self.progress_style == "never" or self.quiet or self.json:
            yield lambda _: None
        elif not (self._err.is_terminal and sys.stderr.isatty()):  # --color always is about colours alone
            yield (lambda _: None) if every is None else _lines_every(every)
        else:
            with self._bar() as advance:
                yield advance

    @property
    def on_terminal(self) -> bool:
        """Whether stdout is a terminal."""
        return self._out.is_terminal

    @property
    def width(self) -> int:
        """Width of a line of text: the terminal's, or that of a page."""
        return self._out.width if self._out.is_terminal else PIPED_WIDTH

    @cached_property
    def _out(self) -> Console:
        return self._console(sys.stdout)

    @cached_property
    def _err(self) -> Console:
        return self._console(sys.stderr)

    def _console(self, stream: IO[str]) -> Console:
        from rich.console import Console

        dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
        size = shutil.get_terminal_size() if dumb else None  # Rich assumes 80 columns for every such terminal
        always = self.color == "always" or (self.color == "auto" and bool(os.environ.get("FORCE_COLOR")))
        never = self.color == "never" or (self.color == "auto" and bool(os.environ.get("NO_COLOR")))
        return Console(
            file=stream, force_terminal=True if always else None, color_system=None if never else "auto",
            markup=False, highlight=False, emoji=False, soft_wrap=True, legacy_windows=False,
            width=size.columns if size else None, height=size.lines if size else None,
        )  # fmt: skip

    def _print(self, console: Console, parts: Sequence[str | Text]) -> None:
        from rich.text import Text

        line = Text.assemble(*(_on_its_line(part) if isinstance(part, str) else part for part in parts))
        with console.capture() as captured:
            console.print(line, soft_wrap=True)
        _write(console.file, captured.get())

    @contextmanager
    def _bar(self) -> Iterator[Callable[[Progress], None]]:
        from rich import progress as bars
        from rich.table import Column

        room = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # all the space that the other columns leave
        label = bars.TextColumn("{task.description}", markup=False, table_column=room)
        counts = (bars.BarColumn(bar_width=10), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
        shown = bars.Progress(label, *counts, console=self._err, transient=True, expand=True)
        tasks: dict[str, Any] = {}
        with shown:

            def advance(step: Progress) -> None:
                text = rendering.one_line(f"{step.phase} {step.note}")
                if step.phase not in tasks:
                    tasks[step.phase] = shown.add_task(text, total=step.total)
                shown.update(tasks[step.phase], completed=step.done, total=step.total, description=text)

            yield advance


def _on_its_line(text: str) -> str:
    """Make a text safe, including line ends: a file name may contain one, followed by a forged line of output."""
    return rendering.visible(text).replace("\n", "\\n")


def encode(value: Any, compact: bool = False) -> str:
    """Encode one line of JSON that is safe to show on a terminal and means exactly what the text meant."""
    separators = (",", ":") if compact else None
    return rendering.json_safe(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=separators))


def _progress_lines() -> Callable[[Progress], None]:
    started: dict[str, float] = {}

    def write(step: Progress) -> None:
        spent = time.monotonic() - started.setdefault(step.phase, time.monotonic())
        rate = step.done / spent if spent > 0 else None
        left = (step.total - step.done) / rate if rate and step.total is not None else None
        event = {"event": "progress", "phase": step.phase, "done": step.done, "total": step.total}
        rounded = {"rate": None if rate is None else round(rate, 1), "eta_s": None if left is None else round(left)}
        _write_object(sys.stderr, {**event, **rounded, "note": step.note})

    return write


def _lines_every(seconds: float) -> Callable[[Progress], None]:
    """Return what writes a step as a line, unless the last line is younger than so many seconds."""
    last = time.monotonic()

    def write(step: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            _write(sys.stderr, rendering.one_line(str(step)) + "\n")

    return write


def _write_object(stream: IO[str], value: Any, compact: bool = False) -> None:
    """Write one line of JSON; characters that the stream cannot encode become JSON escapes."""
    line = encode(value, compact)
    try:
        line.encode(_encoding(stream))
    except UnicodeEncodeError:
        line = rendering.json_ascii(line)
    _write(stream, line + "\n")


def _write(stream: IO[str], text: str) -> None:
    """Write and flush; raises `StdoutClosed`. Characters that the stream cannot encode are escaped."""
    encoding = _encoding(stream)
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        raise StdoutClosed from None


def _encoding(stream: IO[str]) -> str:
    return getattr(stream, "encoding", None) or "utf-8"
