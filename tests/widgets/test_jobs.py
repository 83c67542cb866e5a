"""Jobs: work in a thread, its progress, its end in one sentence, and that it can be stopped."""

from __future__ import annotations

import re
from threading import Event
from typing import TYPE_CHECKING

import pytest

from investigate.errors import Cancelled, VendorUnavailable
from investigate.widgets.jobs import Job, sentences

if TYPE_CHECKING:
    from investigate.sources.received import Progress


def test_work_runs_in_a_thread_and_ends_with_what_then_says() -> None:
    job, go = Job(), Event()

    def work(progress: Progress) -> int:
        progress("download", 1, 4, "bytes")
        go.wait(10)
        return 4711

    assert job.run("Downloading", work, lambda found: f"{found:,} events")
    assert (job.state, job.run("again", work)) == ("running", False)
    go.set()
    assert job.wait(10)
    assert (job.state, job.message, job.result, job.error) == ("done", "4,711 events", 4711, None)


def test_progress_says_how_far_how_fast_and_how_long_still(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("investigate.widgets.jobs.time.monotonic", lambda: float(next(clock)))
    job, said = Job(), []
    job.observe(lambda change: said.append(change["new"]), "detail")

    def work(progress: Progress) -> None:
        for step in range(4):
            progress("download", step * 10_000_000, 90_000_000, "bytes")

    job.run("Downloading", work)
    assert job.wait(10)
    assert said[0] == "Downloading 0 B of 90.0 MB"
    assert said[-2].startswith("Downloading 30.0 MB of 90.0 MB · ")
    assert said[-2].endswith(" left")
    assert "MB/s · " in said[-2]


def test_what_is_counted_on_the_way_stands_beside_how_far_a_phase_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("investigate.widgets.jobs.time.monotonic", lambda: float(next(clock)))
    job, said = Job(), []
    job.observe(lambda change: said.append(change["new"]), "detail")

    def work(progress: Progress) -> None:
        for step in range(3):
            progress("normalise", step * 10_000_000, 40_000_000, "bytes")
            progress("normalise", step * 1_500, None, "records")
        progress("sum up", 0, 3_000, "events")

    job.run("Importing", work)
    assert job.wait(10)
    assert re.fullmatch(r"Reading 20\.0 MB of 40\.0 MB · \S+ MB/s · \d+ s left · 1,500 records", said[-3])
    assert said[-2] == "Summing up 0 of 3,000 events"


def test_cancel_raises_in_the_work_at_its_next_progress() -> None:
    job, began, go, raised = Job(), Event(), Event(), []

    def work(progress: Progress) -> None:
        began.set()
        go.wait(10)
        try:
            progress("pull", 1, None, "pages")
        except Cancelled as error:
            raised.append(error)
            raise

    job.run("Pulling", work)
    began.wait(10)
    job.cancel()
    assert job.state == "cancelling"
    go.set()
    job.wait(10)
    assert (job.state, job.message) == ("cancelled", "Cancelled.")
    assert len(raised) == 1


def test_work_without_progress_is_interrupted() -> None:
    job, stop = Job(), Event()

    def work(_progress: Progress) -> None:
        stop.wait(10)
        raise RuntimeError("INTERRUPT Error: Interrupted!")

    job.run("Asking", work, interrupt=stop.set)
    job.cancel()
    job.wait(10)
    assert job.state == "cancelled"


def test_a_click_on_the_page_cancels() -> None:
    job, go = Job(), Event()
    job.run("Waiting", lambda _progress: go.wait(10))
    job._handle_custom_msg({"do": "cancel"}, [])
    assert job.state == "cancelling"
    go.set()
    job.wait(10)


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        (VendorUnavailable("DevRev did not answer.", "Try later."), "DevRev did not answer.", "Try later."),
        (OSError(28, "No space left on device", "/case/x"), "/case/x: No space left on device.", "Look at the disk"),
        (ZeroDivisionError("division by zero\nat 0x1"), "This is a fault of investigate: ZeroDivisionError:", "Report"),
        (VendorUnavailable("GET https://h/f?X-Amz-Signature=0123456789abcdef"), "GET https://h/f?[redacted]", ""),
    ],
)
def test_an_error_is_one_sentence_and_a_remedy(
    error: Exception, cause: str, remedy: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(_progress: Progress) -> None:
        raise error

    job = Job()
    job.run("Failing", work)
    assert job.wait(10)
    assert job.state == "failed"
    assert job.message.startswith(cause)
    assert job.hint.startswith(remedy)
    assert (job.message, job.hint) == sentences(error)
    assert capfd.readouterr() == ("", "")


HOSTILE = "<img src=x onerror=alert(1)> \x1b[31mred \u202egnp.exe =cmd()|'/C calc'!A0 " + "x" * 2**20


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    job = Job()
    job.fail(VendorUnavailable(HOSTILE, HOSTILE))
    bundle = job._repr_mimebundle_()[0]
    assert "<img" not in bundle["text/html"]
    assert "&lt;img" in bundle["text/html"]
    for shown in (job.message, job.hint, bundle["text/html"], bundle["text/plain"]):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert len(job.message) < 3000


def test_a_guarded_click_shows_its_error_and_goes_on() -> None:
    job = Job()
    with job.guarded("Form"):
        raise VendorUnavailable("No.", "Later.")
    assert (job.state, job.title, job.message, job.hint) == ("failed", "Form", "No.", "Later.")
