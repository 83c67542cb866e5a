"""The ledger's head and export requests."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.errors import EvidenceError, UsageError
from investigate.evidence import Head
from investigate.journal import (
    Journal,
    RequestState,
)
from investigate.journal.models import NEXT_STATES

from .made import DAY, NOW, again


def test_the_head_moves_on_and_never_back(journal: Journal) -> None:
    assert journal.head() == Head(0, "0" * 64)
    journal.set_head(Head(2, "b" * 64))
    journal.set_head(Head(2, "b" * 64))
    assert again(journal).head() == Head(2, "b" * 64)
    for back in ((1, "a" * 64), (2, "c" * 64), (0, "0" * 64)):
        with pytest.raises(EvidenceError, match="journal knows 2 lines"):
            journal.set_head(back)
    assert journal.head() == (2, "b" * 64)


def test_a_request_is_remembered_as_it_was_made(journal: Journal) -> None:
    made = journal.add_request(DAY, {"users": ["b", "a", "b"], "categories": []}, operator="ada", now=NOW)
    assert again(journal).request(made.id) == made
    assert (made.state, made.requested_at, made.window) == (RequestState.requested, NOW, DAY)
    assert (made.filter, made.operator, made.source) == ({"users": ["a", "b"]}, "ada", "devrev")


def test_requests_come_newest_first(journal: Journal) -> None:
    made = [journal.add_request(DAY, {}, operator="a", now=NOW + timedelta(hours=hour)) for hour in (0, 2, 1, 1)]
    assert journal.requests() == [made[1], made[3], made[2], made[0]]


def test_a_request_changes_and_keeps_no_query(journal: Journal) -> None:
    made = journal.add_request(DAY, {}, operator="a", now=NOW)
    expires = NOW + timedelta(hours=8)
    journal.update_request(
        made.id, state=RequestState.linked, link_name="h/k?X-Amz-Signature=s", link_expires_at=expires
    )
    journal.update_request(made.id, state=RequestState.downloading)
    changed = journal.update_request(
        made.id, state=RequestState.collected, collected_at=NOW, acquisition="a1", note="n"
    )
    assert changed == again(journal).request(made.id)
    assert (changed.link_name, changed.link_expires_at, changed.collected_at) == ("h/k", expires, NOW)
    assert (changed.acquisition, changed.note) == ("a1", "n")
    assert journal.update_request(made.id, link_expires_at=None).link_expires_at is None


@given(st.lists(st.sampled_from(RequestState), max_size=8))
@settings(max_examples=12)
def test_a_request_only_takes_states_that_may_follow(steps: list[RequestState]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        made = journal.add_request(DAY, {}, operator="a", now=NOW)
        state = made.state
        for step in steps:
            if step in NEXT_STATES[state]:
                state = journal.update_request(made.id, state=step).state
                assert state == step
            else:
                with pytest.raises(UsageError, match="cannot become"):
                    journal.update_request(made.id, state=step)
        assert journal.request(made.id).state == state


def test_what_was_collected_stays_so() -> None:
    assert NEXT_STATES[RequestState.collected] == {RequestState.collected}
    assert all(state in following for state, following in NEXT_STATES.items())


def test_unknown_requests_and_fields_are_refused(journal: Journal) -> None:
    with pytest.raises(UsageError, match="no export request"):
        journal.request("x")
    made = journal.add_request(DAY, {}, operator="a", now=NOW)
    with pytest.raises(UsageError, match="'operator' cannot be changed"):
        journal.update_request(made.id, operator="eve")  # type: ignore[call-arg]
