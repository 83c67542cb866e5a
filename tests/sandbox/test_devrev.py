"""DevRev's half: the checks of the request, the life of an export, and the link that S3 really guards."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

LATE = "2100-01-01T00:00:00Z"
LONG_AGO = "1999-12-31T23:59:59Z"


def test_an_export_is_the_log_up_to_the_ingestion_delay(sandbox: Any, log: list[Any]) -> None:
    horizon = datetime.fromisoformat(sandbox.at["window"]["end"]) - timedelta(seconds=900)
    entries = sandbox.entries()
    # The clock goes on while the test runs: what was too young for the log's end may have come of age since.
    assert [entry["id"] for entry in entries] == [entry["id"] for entry in log[: len(entries)]]
    assert sum(datetime.fromisoformat(entry["timestamp"]) <= horizon for entry in log) <= len(entries) < len(log)


def test_without_an_ingestion_delay_everything_is_exported(sandbox: Any) -> None:
    sandbox.switch(ingestion_delay=0)
    assert len(sandbox.entries({"from": LONG_AGO, "to": LATE})) == sandbox.at["events"] == 10_000


def test_a_notification_says_what_was_asked_and_how_long_the_link_lives(sandbox: Any) -> None:
    body = {"from": "2026-01-01T00:00:00+01:00", "to": LATE, "operation_types": ["read", "create"]}
    one = sandbox.export(body)
    lifetime = datetime.fromisoformat(one["expires_at"]) - datetime.fromisoformat(one["created_at"])
    assert timedelta(hours=7, minutes=59) < lifetime <= timedelta(hours=8)
    assert one["export"] == {
        "from": "2025-12-31T23:00:00.000000Z",
        "to": "2100-01-01T00:00:00.000000Z",
        "categories": [],
        "operation_types": ["create", "read"],
        "users": [],
    }


def test_notifications_come_under_important_and_under_others(sandbox: Any) -> None:
    empty = {"from": LONG_AGO, "to": LONG_AGO}
    assert {sandbox.export(empty)["tab"], sandbox.export(empty)["tab"]} == {"important", "others"}


def test_an_export_of_nothing_is_an_empty_file(sandbox: Any) -> None:
    assert sandbox.entries({"from": LONG_AGO, "to": LONG_AGO}) == []


def test_both_ends_are_inclusive(sandbox: Any, log: list[Any]) -> None:
    first, last = log[100]["timestamp"], log[200]["timestamp"]
    assert sandbox.entries({"from": first, "to": last}) == log[100:201]


@pytest.mark.parametrize(
    ("field", "values", "of"),
    [
        ("categories", ["account", "auth"], lambda entry: entry["category"]),
        ("operation_types", ["delete", "create"], lambda entry: entry["operation_type"]),
    ],
)
def test_filters_let_through_what_they_name(
    sandbox: Any, log: list[Any], field: str, values: list[str], of: Callable[[Any], str]
) -> None:
    filtered = sandbox.entries({"from": LONG_AGO, "to": log[5_000]["timestamp"], field: values})
    assert filtered == [entry for entry in log[:5_001] if of(entry) in values]
    assert filtered


def test_the_users_filter_takes_dons_of_people_and_of_machines(sandbox: Any, log: list[Any]) -> None:
    users = [f"{sandbox.at['tenant']}:devu/3", f"{sandbox.at['tenant']}:svcacc/1"]
    filtered = sandbox.entries({"from": LONG_AGO, "to": log[5_000]["timestamp"], "users": users})
    assert filtered == [entry for entry in log[:5_001] if (entry["actor"] or {}).get("id") in users]
    assert {entry["actor"]["id"] for entry in filtered} == set(users)


def test_a_member_outside_the_admins_group_is_refused(sandbox: Any) -> None:
    answer = sandbox.ask(user="devrev_member_token")
    assert (answer.status_code, answer.json()["type"]) == (403, "forbidden")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic {token}", "{token}"])
def test_a_missing_or_garbled_token_is_refused_before_the_body_is_read(sandbox: Any, header: str) -> None:
    authorization = header.format(token=sandbox.at["devrev_token"])
    url = f"{sandbox.at['devrev_url']}/audit-logs.fetch"
    answer = sandbox.http.post(url, content=b"{", headers={"authorization": authorization})
    assert (answer.status_code, answer.json()["type"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "missing_required_field"),
        ({"from": LONG_AGO}, "missing_required_field"),
        ({"from": LONG_AGO, "to": "2026-01-01"}, "invalid_field"),
        ({"from": LONG_AGO, "to": "2026-01-01T00:00:00"}, "invalid_field"),
        ({"from": LONG_AGO, "to": "2026-02-30T00:00:00Z"}, "invalid_field"),
        ({"from": LONG_AGO, "to": 1_767_225_600}, "invalid_field"),
        ({"from": LATE, "to": LONG_AGO}, "bad_request"),
        ({"from": LONG_AGO, "to": LATE, "categories": ["tickets"]}, "invalid_enum_value"),
        ({"from": LONG_AGO, "to": LATE, "operation_types": ["READ"]}, "invalid_enum_value"),
        ({"from": LONG_AGO, "to": LATE, "operation_types": "read"}, "unexpected_json_type"),
        ({"from": LONG_AGO, "to": LATE, "users": ["devu/3"]}, "invalid_id"),
        ({"from": LONG_AGO, "to": LATE, "limit": 5}, "invalid_field"),
        ([], "unexpected_json_type"),
    ],
)
def test_a_request_that_is_not_as_documented_is_refused(sandbox: Any, body: object, kind: str) -> None:
    answer = sandbox.ask(body)
    assert (answer.status_code, answer.json()["type"]) == (400, kind)
    assert {"type", "message", "detail"} <= answer.json().keys()


@pytest.mark.parametrize("content", [b"", b"from=1999", b"{" * 100_000, b"\xff\xfe\x00"])
def test_a_body_that_is_no_json_is_refused(sandbox: Any, content: bytes) -> None:
    url, headers = (
        f"{sandbox.at['devrev_url']}/audit-logs.fetch",
        {"authorization": f"Bearer {sandbox.at['devrev_token']}"},
    )
    answer = sandbox.http.post(url, content=content, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "parse_error")


def test_the_rate_limit_counts_down_for_each_user_and_turns_away(sandbox: Any, wait_for: Callable[..., Any]) -> None:
    sandbox.switch(devrev_rate_limit=2)

    def first_of_a_window() -> bool | None:
        return sandbox.ask({}, user="devrev_second_token").headers["x-ratelimit-remaining"] == "1" or None

    wait_for(first_of_a_window)
    last = sandbox.ask({}, user="devrev_second_token")
    turned_away = sandbox.ask({}, user="devrev_second_token")
    assert (last.status_code, last.headers["x-ratelimit-remaining"]) == (400, "0")
    assert (turned_away.status_code, turned_away.json()["type"]) == (429, "too_many_requests")
    assert 1 <= int(turned_away.headers["retry-after"]) == turned_away.json()["retry_after"] <= 2
    assert int(turned_away.headers["x-ratelimit-reset"]) >= datetime.now(UTC).timestamp() - 1


def test_the_rate_limit_opens_again_after_its_window(sandbox: Any, wait_for: Callable[..., Any]) -> None:
    sandbox.switch(devrev_rate_limit=1)
    wait_for(lambda: True if sandbox.ask({}, user="devrev_second_token").status_code == 429 else None)
    opened = wait_for(lambda: True if sandbox.ask({}, user="devrev_second_token").status_code == 400 else None)
    assert opened


def test_workspaces_are_never_mixed(sandbox: Any) -> None:
    sandbox.switch(ingestion_delay=0)
    own = sandbox.entries({"from": LONG_AGO, "to": LATE})
    theirs = sandbox.entries({"from": LONG_AGO, "to": LATE}, "devrev_other_token", "other_notifications_url")
    assert {entry["dev_org"]["id"] for entry in own} == {sandbox.at["tenant"]}
    assert {entry["dev_org"]["id"] for entry in theirs} == {sandbox.at["other_tenant"]}
    assert not any(sandbox.at["other_tenant"] in str(entry) for entry in own)
    # Another workspace's user is nobody here.
    users = [f"{sandbox.at['other_tenant']}:devu/1"]
    assert sandbox.entries({"from": LONG_AGO, "to": LATE, "users": users}) == []


def test_a_notification_goes_to_who_asked(sandbox: Any) -> None:
    mine = sandbox.export({"from": LONG_AGO, "to": LONG_AGO})
    colleagues = sandbox.export({"from": LONG_AGO, "to": LONG_AGO}, "devrev_second_token")
    assert mine["recipient"] != colleagues["recipient"]


@pytest.mark.parametrize("reason", ["muted", "computer_sku"])
def test_no_notification_when_the_bot_is_muted_or_on_the_computer_sku(
    sandbox: Any, wait_for: Callable[..., Any], reason: str
) -> None:
    sandbox.switch(**{reason: True})
    before, files = sandbox.notifications(), len(sandbox.keys("exports/"))
    assert sandbox.ask({"from": LONG_AGO, "to": LONG_AGO}).status_code == 200
    wait_for(lambda: True if len(sandbox.keys("exports/")) > files else None)  # the file is there all the same
    sandbox.switch(**{reason: False})
    sandbox.export({"from": LONG_AGO, "to": LONG_AGO})
    assert len(sandbox.notifications()) == len(before) + 1


def test_a_changed_link_is_refused_by_s3(sandbox: Any) -> None:
    link = sandbox.export({"from": LONG_AGO, "to": LONG_AGO})["link"]
    assert sandbox.http.get(link).status_code == 200
    forged = link[:-1] + ("0" if link[-1] != "0" else "1")
    longer = link.replace("X-Amz-Expires=28800", "X-Amz-Expires=99999")
    elsewhere = link.replace("/000", "/100", 1)
    for changed in (forged, longer, elsewhere):
        answer = sandbox.http.get(changed)
        assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    assert sandbox.http.get(link.split("?")[0]).status_code in {400, 403}


def test_a_link_expires(sandbox: Any, wait_for: Callable[..., Any]) -> None:
    sandbox.switch(link_lifetime=2)
    link = sandbox.export({"from": LONG_AGO, "to": LONG_AGO})["link"]
    assert sandbox.http.get(link).status_code == 200
    expired = wait_for(lambda: answer if (answer := sandbox.http.get(link)).status_code != 200 else None)
    assert (expired.status_code, "AccessDenied" in expired.text) == (400, True)
    wait_for(lambda: True if "The link has expired" in sandbox.http.get(sandbox.at["updates_url"]).text else None)


def test_the_updates_page_escapes_what_it_shows(sandbox: Any) -> None:
    sandbox.export({"from": LONG_AGO, "to": LONG_AGO})
    page = sandbox.http.get(sandbox.at["updates_url"])
    assert page.headers["content-type"].startswith("text/html")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert page.text.index("Important") < page.text.index("Others")


def test_the_log_in_s3_is_partitioned_by_workspace_date_and_hour(sandbox: Any) -> None:
    names = [key.removeprefix("log/").removesuffix(".jsonl.gz") for key in sandbox.keys("log/")]
    parts = [dict(part.split("=") for part in name.split("/")) for name in names]
    assert {part["devo"] for part in parts} == {
        sandbox.at[name].rsplit("/", 1)[1] for name in ("tenant", "other_tenant")
    }
    assert {int(part["hour"]) for part in parts} == set(range(24))
    assert len({part["date"] for part in parts}) in {30, 31}


def test_answers_take_as_long_as_the_latency_says(sandbox: Any) -> None:
    sandbox.switch(latency=0.3)
    assert sandbox.ask({}).elapsed >= timedelta(seconds=0.3)


def test_an_outage_is_a_proxys_html(sandbox: Any) -> None:
    sandbox.switch(outages=1)
    broken, whole = sandbox.ask({}), sandbox.ask({})
    assert (broken.status_code, broken.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert whole.status_code == 400
