"""Both vendors into a case, over real HTTP and real S3, and what the case then knows."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from investigate.errors import Forbidden, LinkRefused, Unauthenticated, UsageError
from investigate.events import Window, iso, parse_time
from investigate.journal import RequestState

if TYPE_CHECKING:
    from pathlib import Path

    from investigate.case import Case

    from .conftest import Box


def collect_all(case: Case, box: Box) -> None:
    link = box.link_after(lambda: case.devrev.request_export(*box.window))
    case.devrev.collect(link)


def test_the_planted_incident_is_found_and_nobody_else(case: Case, box: Box) -> None:
    collect_all(case, box)
    case.coderabbit.pull(*box.window)
    brief, truth = box.at["brief"], box.truth
    start, end = brief["window"]["start"], brief["window"]["end"]
    query = """SELECT DISTINCT unnest(resources) AS name FROM events
               WHERE credential = $token AND time >= $start::TIMESTAMPTZ AND time < $end::TIMESTAMPTZ ORDER BY ALL"""
    touched = case.sql(query, {"token": brief["token"], "start": start, "end": end})["name"].to_list()
    answers = [case.who_touched(touched, start=start, end=end, engine=engine) for engine in ("duckdb", "polars")]
    assert touched == truth["resources"]
    assert sorted(set(answers[0].frame["actor"])) == truth["identities"]
    assert answers[0].frame.equals(answers[1].frame)
    assert answers[0].coverage.complete


def test_an_export_is_matched_to_its_request_by_the_times_inside(case: Case, box: Box) -> None:
    whole = Window.of(*box.window)
    early = Window(whole.start, whole.start + timedelta(days=5))
    late = Window(whole.start + timedelta(days=10), whole.start + timedelta(days=12))
    links = [box.link_after(lambda w=w: case.devrev.request_export(w.start, w.end)) for w in (early, late)]
    acquired = case.devrev.collect(links[0])
    states = {request.window: request.state for request, _ in case.devrev.exports()}
    assert states == {early: RequestState.collected, late: RequestState.requested}
    assert (acquired.window, acquired.coverage.complete) == (early, True)


def test_a_link_of_another_request_is_said_and_claims_only_what_it_holds(case: Case, box: Box) -> None:
    whole = Window.of(*box.window)
    early = Window(whole.start, whole.start + timedelta(days=2))
    late = Window(whole.start + timedelta(days=10), whole.start + timedelta(days=12))
    link = box.link_after(lambda: case.devrev.request_export(early.start, early.end))
    other = case.devrev.request_export(late.start, late.end)
    acquired = case.devrev.collect(link, request=other)
    assert "not what request" in acquired.warnings[0]
    assert early.start <= acquired.window.start
    assert acquired.window.end <= early.end + timedelta(seconds=1)
    assert case.journal.request(other.id).state is not RequestState.collected


def test_a_filtered_export_covers_only_its_filter(case: Case, box: Box) -> None:
    link = box.link_after(lambda: case.devrev.request_export(*box.window, operation_types=["delete"]))
    acquired = case.devrev.collect(link)
    start, end = box.window[0], iso(parse_time(box.window[1]) - timedelta(days=1))
    assert case.sql("SELECT DISTINCT activity FROM events")["activity"].to_list() == ["delete"]
    deleted = case.who_touched("nothing", start=start, end=end, activity="delete")
    anything = case.who_touched("nothing", start=start, end=end)
    assert acquired.counts.stored > 0
    assert (deleted.coverage.complete, anything.coverage.complete) == (True, False)
    assert "operation_types=delete" in anything.coverage.gaps[0].note


def test_the_youngest_minutes_are_provisional(case: Case, box: Box) -> None:
    end = datetime.now(UTC)
    link = box.link_after(lambda: case.devrev.request_export(end - timedelta(hours=3), end))
    (gap,) = case.devrev.collect(link).coverage.gaps
    (request,) = case.journal.requests()
    assert (gap.state, gap.window) == ("provisional", Window(request.requested_at - timedelta(minutes=15), end))


def test_the_same_log_twice_stores_nothing_twice(case: Case, box: Box) -> None:
    link = box.link_after(lambda: case.devrev.request_export(*box.window))
    first, second = case.devrev.collect(link), case.devrev.collect(link)
    assert first.counts.stored == first.counts.received > 9000
    assert (second.counts.stored, second.counts.duplicate) == (0, first.counts.stored)


def test_a_pull_is_complete_while_entries_arrive(case: Case, box: Box) -> None:
    box.switch(arrivals=2, backdated=3)
    try:
        acquired = case.coderabbit.pull(*box.window)
    finally:
        box.switch(arrivals=0)
    again = case.coderabbit.pull(*box.window)
    assert acquired.coverage.complete
    assert acquired.counts.duplicate == acquired.counts.rejected == 0
    assert again.counts.received >= acquired.counts.received > 0


def test_neighbouring_pulls_count_no_entry_twice(case: Case, box: Box) -> None:
    whole = Window.of(*box.window)
    cuts = [whole.start, whole.start + timedelta(days=9), whole.start + timedelta(days=20)]
    parts = [case.coderabbit.pull(start, end) for start, end in itertools.pairwise(cuts)]
    again = case.coderabbit.pull(cuts[0], cuts[-1])
    assert [part.counts.duplicate for part in parts] == [0, 0]
    assert (again.counts.stored, again.counts.duplicate) == (0, sum(part.counts.stored for part in parts))


def test_filters_reach_the_vendor_and_the_coverage(case: Case, box: Box) -> None:
    wanted = ["api_key_create", "api_key_delete"]
    start, end = box.window[0], box.at["brief"]["window"]["end"]
    filtered = case.coderabbit.pull(start, end, actions=wanted)
    narrow = case.who_touched("x", start=start, end=end).coverage
    case.coderabbit.pull(start, end)
    counted = case.sql("SELECT count(*) AS n FROM events WHERE list_contains($wanted, action)", {"wanted": wanted})
    assert set(wanted) <= {option.value for option in case.coderabbit.filter_options().actions}
    assert filtered.counts.stored == counted["n"][0] > 0
    assert not narrow.complete
    assert case.who_touched("x", start=start, end=end).coverage.complete


@pytest.mark.parametrize(
    ("variable", "key", "error"),
    [
        ("DEVREV_TOKEN", "devrev_member_token", Forbidden),
        ("DEVREV_TOKEN", None, Unauthenticated),
    ],
)
def test_a_wrong_token_is_a_clear_error(
    case: Case, box: Box, monkeypatch: pytest.MonkeyPatch, variable: str, key: str | None, error: type[Exception]
) -> None:
    monkeypatch.setenv(variable, box.at[key] if key else "no-such-token")
    with pytest.raises(error) as raised:
        case.devrev.request_export(*box.window)
    assert raised.value.hint
    assert case.devrev.exports() == []


def test_what_the_vendor_refuses_leaves_a_failed_acquisition_and_a_gap_that_says_so(
    case: Case, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODERABBIT_API_KEY", "no-such-key")
    with pytest.raises(Unauthenticated):
        case.coderabbit.pull(*box.window)
    assert case.journal.acquisitions()[0].state == "failed"
    assert case.coverage(*box.window)["state"].to_list() == ["failed"]


def test_an_empty_window_is_refused_before_any_request(case: Case, box: Box) -> None:
    with pytest.raises(UsageError):
        case.coderabbit.pull(box.window[0], box.window[0])


def test_a_tampered_link_is_refused_by_s3_and_leaves_nothing(case: Case, box: Box) -> None:
    link = box.link_after(lambda: case.devrev.request_export(*box.window))
    head, _, signature = link.rpartition("X-Amz-Signature=")
    with pytest.raises(LinkRefused):
        case.devrev.collect(f"{head}X-Amz-Signature={'0' * len(signature)}")
    assert list(case.evidence) == []


def test_s3_prefixes_are_imported(case: Case, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", box.at["s3_url"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", box.at["s3_access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", box.at["s3_secret_key"])
    acquired = case.import_files(f"s3://{box.at['s3_bucket']}/{box.at['s3_log_prefix']}", "devrev")
    assert acquired.counts.stored == acquired.counts.received >= 10_000


def test_no_secret_is_anywhere_in_the_case(case: Case, box: Box) -> None:
    link = box.link_after(lambda: case.devrev.request_export(*box.window))
    case.devrev.collect(link)
    case.coderabbit.pull(*box.window)
    signature = httpx.URL(link).params["X-Amz-Signature"]
    secrets = [signature, box.at["devrev_token"], box.at["coderabbit_key"], "X-Amz-Signature", box.at["s3_secret_key"]]
    files = [path for path in case.layout.root.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files for secret in secrets if secret.encode() in path.read_bytes()] == []


def test_a_case_can_be_moved_and_opened_elsewhere(case: Case, box: Box, tmp_path: Path) -> None:
    import investigate  # noqa: PLC0415 - the package under test

    case.coderabbit.pull(*box.window)
    before = case.sql("SELECT count(*) AS n FROM events")["n"][0]
    case.layout.root.rename(tmp_path / "moved")
    moved = investigate.open(tmp_path / "moved")
    assert moved.sql("SELECT count(*) AS n FROM events")["n"][0] == before > 0
    assert moved.verify().ok
