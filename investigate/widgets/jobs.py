"""`Job`: long work in a thread, so that the kernel stays free, with its progress, its end and a way to stop it.

What goes wrong becomes one sentence and a remedy inside the widget, never a traceback in the log.
"""

from __future__ import annotations

import html
import time
from collections import deque
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, RLock, Thread, current_thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

import traitlets

from investigate.case.display import amount, share, visible
from investigate.errors import Cancelled, InvestigateError, cause
from investigate.evidence.redact import redact
from investigate.sources.phrases import span
from investigate.widgets.part import Part
from investigate.widgets.watched import shown_by, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from investigate.sources.received import Progress

T = TypeVar("T")

_EVERY: Final = 0.2
"""Seconds between two messages to the page."""
_LOOK_BACK: Final = 5.0
"""Seconds the rate is measured over."""
_LONGEST: Final = 2000
"""Characters of a message; a vendor may say more."""
_WORDS: Final = {
    "download": "Downloading",
    "pull": "Pulling",
    "import": "Keeping",
    "normalise": "Reading",
    "verify": "Hashing",
    "sum up": "Summing up",
}
"""A phase of `investigate.sources.received.Progress` as people read it."""
_OVER: Final = frozenset({"done", "failed", "cancelled"})


class Job(Part):
    """One piece of work at a time, in a thread; a widget that shows how far it is.

    Traits, all sent to the page: `state` (`idle`, `running`, `cancelling`, `done`, `failed` or `cancelled`), `title`,
    `detail` (how far, how fast, how long still), `fraction` (0 to 1, None while unknown), `message` and `hint`.

    Attributes:
        result: what the work returned, None before.
        error: what it raised, None where it did not.
    """

    script = "job.js"
    style = "job.css"

    state = traitlets.Unicode("idle").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    detail = traitlets.Unicode("").tag(sync=True)
    fraction = traitlets.Float(None, allow_none=True).tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.result: Any = None
        self.error: BaseException | None = None
        self._stop = Event()
        self._publishing = RLock()
        self._thread: Thread | None = None
        self._interrupt: Callable[[], object] | None = None
        self.on_msg(self._from_page)

    @property
    def running(self) -> bool:
        """Whether work is under way."""
        return self.state in {"running", "cancelling"}

    def run(
        self,
        title: str,
        work: Callable[[Progress], T],
        then: Callable[[T], str | None] | None = None,
        *,
        after: Callable[[], object] | None = None,
        interrupt: Callable[[], object] | None = None,
    ) -> bool:
        """Start work in a thread.

        Args:
            title: what is done, as a heading.
            work: called in the thread with the progress to pass on; where that raises `Cancelled`, it must let it.
            then: called in the thread with the result; returns what is said at the end, lines of plain text.
            after: called in the thread at the end, however it ended.
            interrupt: called once when the work is cancelled, for work that reports no progress, for example
                `connection.interrupt` of DuckDB.

        Returns:
            Whether it was started: False while other work is under way.
        """
        with self._publishing:
            if self.running:
                return False
            self.result, self.error, self._interrupt = None, None, interrupt
            self._stop.clear()
            self._show(state="running", title=title, detail="", fraction=None, message="", hint="")
        self._thread = Thread(
            target=self._work, args=(work, then, after), name=f"investigate: {title[:40]}", daemon=True
        )
        self._thread.start()
        return True

    def cancel(self) -> None:
        """Ask the work to stop: it does at its next report of progress. Nothing happens when none is under way."""
        with self._publishing:
            if self.state != "running":
                return
            self._stop.set()
            self._show(state="cancelling")
        if self._interrupt is not None:
            self._interrupt()

    def wait(self, timeout: float | None = None) -> bool:
        """Until the work is over; for notebooks that run without a person, and for tests.

        Args:
            timeout: seconds; None waits for as long as it takes.

        Returns:
            Whether it is over.
        """
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join(timeout)
        return not self.running

    def say(self, message: str, hint: str = "", *, title: str = "") -> None:
        """Show plain text where the end of work would stand; while work is under way, nothing happens."""
        with self._publishing:
            if not self.running:
                self._show(state="done", title=title, detail="", fraction=None, message=message, hint=hint)

    def fail(self, error: BaseException, *, title: str = "") -> None:
        """Show an error as if work had raised it; while work is under way, nothing happens."""
        with self._publishing:
            if not self.running:
                self._end("failed", *sentences(error), title=title)

    @contextmanager
    def guarded(self, title: str = "") -> Iterator[None]:
        """A context for the handler of a click: whatever is raised in it is shown here, and goes no further."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a traceback in the log helps nobody who clicked
            self.fail(error, title=title)

    def _work(
        self,
        work: Callable[[Progress], T],
        then: Callable[[T], str | None] | None,
        after: Callable[[], object] | None,
    ) -> None:
        meter = _Meter()

        def progress(phase: str, done: int, total: int | None, unit: str) -> None:
            if self._stop.is_set():
                raise Cancelled("Cancelled.", "Nothing of it counts; what was under way can be started again.")
            if meter.due(phase, done, total, unit):
                self._show(detail=meter.detail(), fraction=meter.fraction)

        try:
            self.result = work(progress)
            said = then(self.result) if then is not None else None
        except BaseException as error:  # noqa: BLE001 - the top of a thread: what happened is shown, not lost
            self.error = error
            state = "cancelled" if isinstance(error, Cancelled) or self._stop.is_set() else "failed"
            cancelled = ("Cancelled.", error.hint if isinstance(error, Cancelled) else "")
            self._end(state, *(cancelled if state == "cancelled" else sentences(error)))
        else:
            self._end("done", said or f"Done in {meter.took()}.")
        if after is not None:
            with self.guarded():
                after()

    def _end(self, state: str, message: str, hint: str = "", title: str | None = None) -> None:
        changes = {} if title is None else {"title": title}
        self._show(state=state, message=message, hint=hint, detail="", fraction=None, **changes)
        self.still = str(self)

    def _show(self, **changes: Any) -> None:
        """Change traits in one message; text is made safe to read here, whoever it comes from."""
        safe = {name: _shown(value) if isinstance(value, str) else value for name, value in changes.items()}
        with self._publishing, self.hold_sync():
            if self.state == "cancelling" and safe.get("state") not in _OVER:
                safe.pop("state", None)
            for name, value in safe.items():
                setattr(self, name, value)

    def _from_page(self, _widget: Job, content: Mapping[str, Any], _buffers: object) -> None:
        if content == {"do": "cancel"}:
            self.cancel()

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.title, self.detail, self.message, self.hint)))

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is not None:
            lines = "".join(f"<div>{html.escape(line)}</div>" for line in str(self).splitlines())
            shown[0].update({"text/plain": str(self), "text/html": lines})
            return shown_by(shown[0], page=watched()), shown[1]
        return shown


class _Meter:
    """How far, how fast, how long still; and whether it is time to say so again."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said = 0.0
        self._phase = self._unit = ""
        self._beside: dict[str, int] = {}
        self._done = 0
        self._total: int | None = None
        self._marks: deque[tuple[float, int]] = deque()

    def due(self, phase: str, done: int, total: int | None, unit: str) -> bool:
        """Take note; whether the page should hear of it: at a new phase, at the end, and five times a second."""
        turned = phase != self._phase
        if not turned and unit != self._unit:  # it is told with what the phase's length is measured in
            self._beside[unit] = done
            return False
        now = time.monotonic()
        if turned:
            self._marks.clear()
            self._beside.clear()
        self._phase, self._unit, self._done, self._total = phase, unit, done, total
        while self._marks and now - self._marks[0][0] > _LOOK_BACK:
            self._marks.popleft()
        if not self._marks or now - self._marks[-1][0] >= _EVERY / 2:
            self._marks.append((now, done))
        if turned or done == total or now - self._said >= _EVERY:
            self._said = now
            return True
        return False

    @property
    def fraction(self) -> float | None:
        """From 0 to 1, None while the whole is unknown."""
        return min(1.0, self._done / self._total) if self._total else None

    def detail(self) -> str:
        """`Reading 12.3 MB of 40.0 MB · 3.1 MB/s · 9 s left · 120,000 records`."""
        parts = [f"{_WORDS.get(self._phase, self._phase)} {share(self._done, self._total, self._unit)}"]
        rate = self._rate()
        if rate > 0:
            parts.append(f"{amount(rate, self._unit)}/s")
            if self._total and self._done < self._total:
                parts.append(f"{_span((self._total - self._done) / rate)} left")
        return " · ".join([*parts, *(amount(count, unit) for unit, count in self._beside.items())])

    def took(self) -> str:
        """The time since the beginning."""
        return _span(time.monotonic() - self._began)

    def _rate(self) -> float:
        """Units a second over the last seconds."""
        if not self._marks:
            return 0.0
        since, at = self._marks[0]
        passed = time.monotonic() - since
        return (self._done - at) / passed if passed > _EVERY else 0.0


def sentences(error: BaseException) -> tuple[str, str]:
    """What went wrong, in one sentence, and what to do, in another; never a traceback, never a secret.

    Args:
        error: of this package: its own words; of the system: its reason; any other is a fault of this program.
    """
    said = redact(cause(error))
    if isinstance(error, InvestigateError):
        return said, redact(error.hint)
    if isinstance(error, OSError) and error.strerror:
        return said, "Look at the disk, its space and its permissions."
    return f"{said}.", "Report it; what was collected before is safe."


def _shown(text: str) -> str:
    return "\n".join(visible(line) for line in text[:_LONGEST].split("\n"))


def _span(seconds: float) -> str:
    return span(timedelta(seconds=seconds))
