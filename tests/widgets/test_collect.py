"""The collecting widgets by their Python interface, against the real sandbox: what is entered, asked, pasted, shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import ipywidgets
import pytest

import investigate
from investigate.errors import Cancelled, ConfigError, VendorUnavailable
from investigate.events import Window, parse_time
from investigate.widgets.collect import Collect
from investigate.widgets.collect_coderabbit import PullForm
from investigate.widgets.collect_piece import Notice
from investigate.widgets.coverage import CoverageMap
from investigate.widgets.exports_board import ExportsBoard
from investigate.widgets.link import LinkField, SecretField

from .sandboxed import EVENTS, Box, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from investigate.case import Case

SIGNATURE = "0123456789abcdef" * 4
HOSTILE = "<img src=x onerror=alert(1)> \x1b[31mred \u202egnp.exe =cmd()|'/C calc'!A0 "


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    yield from running()


@pytest.fixture
def case(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    return investigate.open(tmp_path / "case")


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case without credentials and without a vendor."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("DEVREV_TOKEN", "CODERABBIT_API_KEY"):
        monkeypatch.setenv(name, "")
    return investigate.open(tmp_path / "case")


def presigned(life: int = 28_800, ago: timedelta = timedelta(minutes=1)) -> str:
    signed = datetime.now(UTC) - ago
    query = f"X-Amz-Date={signed:%Y%m%dT%H%M%SZ}&X-Amz-Expires={life}&X-Amz-Signature={SIGNATURE}"
    return f"https://exports.s3.amazonaws.com/devo=4tQ9mer1d/audit.jsonl.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}"


def everything() -> str:
    """The state of every widget there is, as a notebook that saves it would have it."""
    return json.dumps(ipywidgets.Widget.get_manager_state(), default=str)


# DevRev


def test_an_export_from_form_to_lake_by_clicking(case: Case, box: Box) -> None:
    collect = Collect(case, *box.window)
    collect.export.operations["delete"].value = True
    link = box.link_after(lambda: (collect.export.submit_button.click(), collect.export.job.wait(30)))
    (row,) = collect.board.view.rows
    assert (collect.export.job.state, row["state"], row["filter"]) == ("done", "requested", "operation_types=delete")

    collect.link.field._handle_custom_msg({"do": "check", "value": link}, [])
    assert collect.link.notice.texts()[0].startswith("Valid for another ")
    assert collect.link.notice.texts()[2] == f"It answers request {row['id']}."
    assert collect.board.view.rows[0]["expires"]

    collect.link.download_button.click()
    assert collect.link.job.wait(60)
    stored = case.sql("SELECT count(*) AS n FROM events")["n"][0]
    first = collect.link.job.message.splitlines()[0]
    assert first == f"received {stored:,} = stored {stored:,} + duplicate 0 + rejected 0"
    assert 0 < stored < EVENTS
    assert collect.board.view.rows[0]["state"] == "collected"
    assert collect.link.download_button.disabled
    (states,) = [one["states"] for one in collect.coverage.view.calendars if one["name"].startswith("devrev/")]
    assert {"r"} < set(states) <= set("rgf")  # only deletions were collected: some kinds


def test_a_long_range_is_asked_for_in_parts(case: Case, box: Box) -> None:
    form = Collect(case).export
    end = parse_time(box.window[1])
    form.fill(Window(end - timedelta(days=3), end))
    form.split.value = timedelta(days=1)
    form.submit()
    assert form.job.wait(30)
    assert [request.window.start for request in reversed(case.journal.requests())] == [
        end - timedelta(days=days) for days in (3, 2, 1)
    ]


def test_a_download_can_be_cancelled_and_goes_on_with_the_same_link(case: Case, box: Box) -> None:
    collect = Collect(case, *box.window)
    link = box.link_after(lambda: (collect.export.submit(), collect.export.job.wait(30)))
    collect.link.paste(link)
    collect.link.job.observe(lambda _change: collect.link.job.cancel(), "detail")
    collect.link.download()
    collect.link.job.wait(60)
    assert (collect.link.job.state, case.sql("SELECT count(*) AS n FROM events")["n"][0]) == ("cancelled", 0)
    assert case.journal.acquisitions()[0].state == "failed"
    assert not list((case.layout.lake / ".staging").glob("*"))

    collect.link.job.unobserve_all("detail")
    assert collect.link.download()
    collect.link.job.wait(60)
    assert collect.link.job.message.startswith(f"received {EVENTS:,} = stored {EVENTS:,} + duplicate 0")


def test_what_was_cancelled_while_it_was_read_is_not_brought_to_its_end_by_the_next(case: Case, box: Box) -> None:
    log = case.layout.root.parent / "log.jsonl"
    log.write_text("".join(f'{{"id": "{n}", "time": "2026-11-01T00:00:00Z"}}\n' for n in range(10)))

    def progress(phase: str, _done: int, _total: int | None, _unit: str) -> None:
        if phase == "normalise":
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        case.import_files(log, "devrev", progress=progress)
    assert (case.journal.acquisitions()[0].state, case.journal.pending()) == ("failed", [])
    assert not list((case.layout.lake / ".staging").glob("*"))
    case.coderabbit.pull(*box.window)
    assert case.sql("SELECT DISTINCT source FROM events")["source"].to_list() == ["coderabbit"]
    assert case.import_files(log, "devrev").counts.stored == 10


def test_a_dead_link_turns_into_request_again(case: Case, box: Box) -> None:
    collect = Collect(case, *box.window)
    collect.export.submit()
    collect.export.job.wait(30)
    (first,) = collect.board.view.rows
    collect.board.view._handle_custom_msg({"do": "link", "id": first["id"]}, [])
    assert (collect.link.request.value, collect.link.field.focused) == (first["id"], 1)
    assert not collect.link.paste(presigned(ago=timedelta(hours=9)))
    assert collect.link.notice.lines[0][0] == "bad"
    assert "The link expired at" in collect.link.notice.texts()[0]
    assert (collect.board.view.rows[0]["state"], collect.board.view.rows[0]["again"]) == ("expired", True)

    collect.board.view._handle_custom_msg({"do": "again", "id": first["id"]}, [])
    assert collect.board.job.wait(30)
    newest, older = collect.board.view.rows
    assert (newest["state"], newest["window"], older["id"]) == ("requested", first["window"], first["id"])


def test_no_token_is_one_sentence_with_its_remedy_and_no_traceback(
    alone: Case, capfd: pytest.CaptureFixture[str]
) -> None:
    form = Collect(alone).export
    form.window.quick.value = "7d"
    form.submit_button.click()
    form.job.wait(30)
    assert (form.job.state, form.job.message) == ("failed", "No credential for devrev: DEVREV_TOKEN is not set.")
    assert form.job.hint.startswith("Set DEVREV_TOKEN to ")
    assert capfd.readouterr() == ("", "")


def test_an_entry_that_cannot_be_meant_asks_nobody(alone: Case) -> None:
    form = Collect(alone).export
    form.window.start.value, form.window.end.value = "2026-11-03", "2026-11-01"
    assert not form.submit()
    assert "ends" in form.job.message
    assert alone.journal.requests() == []


def test_a_link_that_was_pasted_is_in_no_state_and_in_no_document(alone: Case) -> None:
    alone.journal.add_request(
        Window.of("2026-11-01", "2026-11-02"), {}, operator="me", now=datetime.now(UTC) - timedelta(minutes=3)
    )
    field = LinkField(alone)
    for link in (presigned(), presigned(life=30), presigned()[:-40], f"[log]({presigned()})", SIGNATURE):
        field.field._handle_custom_msg({"do": "check", "value": link}, [])
        shown = everything() + json.dumps(field._repr_mimebundle_()) + repr(field)
        assert SIGNATURE[:24] not in shown
        assert "X-Amz-Signature" not in shown
    kept = b"".join(path.read_bytes() for path in alone.layout.root.rglob("*") if path.is_file())
    assert b"X-Amz-Signature" not in kept


def test_what_a_page_sends_besides_is_ignored(alone: Case, capfd: pytest.CaptureFixture[str]) -> None:
    collect = Collect(alone)
    messages: list[Any] = [{}, {"do": "format"}, {"do": "check", "value": 4711}, {"do": "again", "id": "no-such"}]
    for message in [*messages, {"calendar": 99, "hour": "x"}, {"calendar": 0, "hour": HOSTILE}]:
        for view in (collect.link.field, collect.board.view, collect.coverage.view, collect.export.job):
            view._handle_custom_msg(message, [])
    collect.board.job.wait(30)
    assert capfd.readouterr() == ("", "")


def test_after_fifteen_minutes_the_vendors_troubleshooting_is_on_the_board(alone: Case) -> None:
    ago = datetime.now(UTC) - timedelta(minutes=16)
    alone.journal.add_request(Window.of("2026-11-01", "2026-11-02"), {"users": [HOSTILE]}, operator="me", now=ago)
    board = ExportsBoard(alone)
    (row,) = board.view.rows
    assert len(row["steps"]) == 5
    assert "Computer SKU" in row["steps"][3]
    assert row["due"] > row["asked"]
    assert "\x1b" not in row["filter"] + repr(board)
    assert "<img" not in board._repr_mimebundle_()["text/html"]


def test_ten_waiting_requests_are_a_few_kilobytes_of_notebook(alone: Case) -> None:
    for _ in range(10):
        alone.journal.add_request(Window.of("2026-11-01", "2026-11-02"), {}, operator="me", now=datetime.now(UTC))
    assert len(json.dumps(ExportsBoard(alone).view.get_state(["rows"]))) < 10_000


# Credentials


def test_a_token_goes_to_the_environment_and_nowhere_else(alone: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.core._keyring_backend", None)
    credentials = Collect(alone).credentials
    assert [kind for kind, _ in credentials.notice.lines] == ["warn", "warn"]
    credentials.fields["devrev"]._handle_custom_msg({"do": "use", "value": "sandbox-token-4711"}, [])
    assert [kind for kind, _ in credentials.notice.lines] == ["good", "warn"]
    assert "sandbox-token-4711" not in everything() + repr(credentials)
    credentials.fields["coderabbit"]._handle_custom_msg({"do": "keep", "value": "a key"}, [])
    assert (credentials.job.state, "no token has" in credentials.job.message) == ("failed", True)


def test_the_doctor_says_each_thing_with_its_remedy(case: Case) -> None:
    credentials = Collect(case).credentials
    credentials.doctor_button.click()
    assert credentials.job.wait(60)
    texts = credentials.findings.texts()
    assert any(text.startswith("devrev in reach: http://127.0.0.1") for text in texts)
    assert credentials.job.message in {"Nothing stands in the way.", "There is something to look at above."}


def test_a_secret_field_has_no_trait_for_its_secret() -> None:
    field = SecretField(lambda _action, _secret: None, "Token", {"use": "Use"})
    assert not {"value", "text", "secret"} & set(field.get_state())


# CodeRabbit, files, coverage


def test_filters_come_with_counts_and_a_pull_says_what_came(case: Case, box: Box) -> None:
    form = PullForm(case)
    form.load_button.click()
    assert form.job.wait(30)
    labels = {value: label for label, value in form.actions.options}
    assert labels["api_key_create"].endswith(")")
    details: list[str] = []
    form.job.observe(lambda change: details.append(change["new"]), "detail")
    form.window.fill(Window.of(*box.window))
    form.actions.value = ["api_key_create"]
    form.pull_button.click()
    assert form.job.wait(60)
    stored = case.sql("SELECT count(*) AS n FROM events")["n"][0]
    assert form.job.message.startswith(f"received {stored:,} = stored {stored:,} + ")
    assert f"({stored:,})" in labels["api_key_create"]
    assert any(detail.startswith("Pulling ") and "pages" in detail for detail in details)


def test_hostile_labels_of_a_vendor_are_text(alone: Case) -> None:
    from investigate.sources.coderabbit import FilterOptions, Option  # noqa: PLC0415 - only here

    form = PullForm(alone)
    said = form._loaded(FilterOptions((Option("x", HOSTILE + "y" * 2**20, 3),), ()))
    ((label, value),) = form.actions.options
    assert (value, said) == ("x", "1 actions and 0 resource types occur in the log.")
    assert len(label) < 200
    assert "\x1b" not in label
    assert "\u202e" not in label


def test_a_notice_shows_hostile_text_and_obeys_none_of_it() -> None:
    notice = Notice()
    notice.say(("bad", HOSTILE + presigned() + "z" * 2**20))
    ((_, text),) = notice.lines
    assert len(text) < 2100
    assert "\x1b" not in text
    assert SIGNATURE not in text


def test_files_need_a_profile_and_are_then_imported(alone: Case, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"eventID": "1", "eventTime": "2026-11-03T10:00:00Z", "recipientAccountId": "1"}\n')
    collect = Collect(alone)
    files = collect.files
    files.import_button.click()
    assert files.job.message == "No file is named."
    files.paths.value = str(tmp_path / "*.jsonl")
    files.import_button.click()
    assert files.job.message == "No profile is chosen."
    files.profile.value = "cloudtrail"
    files.whole.value = True
    files.window.fill(Window.of("2026-11-03", "2026-11-04"))
    files.import_button.click()
    assert files.job.wait(30)
    assert files.job.message.startswith("received 1 = stored 1 + duplicate 0 + rejected 0")


def test_a_gap_that_is_clicked_stands_in_the_form_that_fills_it(alone: Case) -> None:
    collect = Collect(alone, "2026-11-03", "2026-11-04")
    collect.coverage.view._handle_custom_msg({"do": "module"}, [])
    assert collect.coverage.notice.texts() == []
    collect.coverage.view._handle_custom_msg({"calendar": 1, "hour": "2026-11-03T05:00:00.000Z"}, [])
    assert collect.coverage.notice.texts() == [
        "devrev/unknown 2026-11-03 .. 2026-11-04 UTC: never collected.",
        "Its window stands in the DevRev form now: request the export there.",
    ]
    assert collect.export.window.read() == Window.of("2026-11-03", "2026-11-04")
    collect.coverage.click("coderabbit", "default", datetime(2026, 11, 3, tzinfo=UTC))
    assert collect.coderabbit.window.read() == Window.of("2026-11-03", "2026-11-04")


def test_the_calendar_turns_its_pages_and_stays_small(alone: Case) -> None:
    view = CoverageMap(alone, "2026-10-01", "2026-11-01")
    view.earlier.click()
    assert [one["first"] for one in view.view.calendars] == ["2026-08-31", "2026-08-31"]
    view.later.click()
    assert view.view.calendars[0]["first"] == "2026-10-01"
    assert len(json.dumps(view.view.get_state(["calendars", "legend"]))) < 10_000


def test_a_zone_chosen_in_one_form_is_chosen_in_all(alone: Case) -> None:
    collect = Collect(alone, "2026-11-03", zone="Asia/Kolkata")
    collect.files.window.zone.value = "Europe/Berlin"
    assert collect.export.window.notice.texts()[0].startswith(
        "From 2026-11-02 23:00:00 UTC = 2026-11-03 00:00:00+01:00"
    )


def test_without_a_person_what_failed_in_a_piece_is_raised(alone: Case) -> None:
    collect = Collect(alone, "7d")
    collect.finish(10)
    collect.coderabbit.pull()
    with pytest.raises(ConfigError, match="No credential for coderabbit"):
        collect.finish(30)


def test_every_piece_shows_itself_without_a_page(alone: Case) -> None:
    for piece in Collect(alone).pieces:
        bundle = piece._repr_mimebundle_()
        assert bundle["text/plain"]
        assert bundle["text/html"].startswith("<div>")
        assert "application/vnd.jupyter.widget-view+json" in bundle


def test_an_unforeseen_fault_is_a_sentence_too(alone: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise VendorUnavailable("It is not there.", "Wait.")

    monkeypatch.setattr(alone.journal, "requests", broken)
    board = ExportsBoard(alone)
    assert (board.job.state, board.job.message, board.job.hint) == ("failed", "It is not there.", "Wait.")
