"""Where an identifier occurs, and text in raw records: all engines against plain Python."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import strategies as st

from investigate.trace import Directory, Scope
from investigate.trace import pivot as trace
from investigate.trace.rows import of_events
from investigate.trace.shape import tidy

from .lakes import (
    ENGINES,
    START,
    directories,
    event,
    exploded,
    extent,
    few,
    grouped,
    inside,
    lakes,
    on_every_engine,
    reading,
    same,
    windows,
)

if TYPE_CHECKING:
    from investigate.events import Window

    from .lakes import Event


def ask(
    engine: str, events: list[Event], value: str, scope: Scope | None = None, directory: Directory | None = None
) -> pl.DataFrame:
    asked = scope or Scope()
    with reading(engine, events) as (frame, collect):
        network, scopes = trace.network(value), {}
        parts = [] if network else [trace.pivot(frame, asked, value)]
        if network:
            (met,) = collect(trace.addresses(frame, asked))
            near = tuple(trace.Addresses(met["src_ip"]).inside(network))
            scopes = {"src_ip": replace(asked, src_ips=near)} if near else {}
            scopes["actor"] = replace(asked, actors=(value,))
        scopes["resource"] = replace(asked, resources=(value,))
        parts += [trace.met(of_events(frame, scope), field) for field, scope in scopes.items()]
        found = map(tidy, collect(*parts))
        return trace.pivot_rows(pl.concat(found, how="vertical_relaxed"), directory or Directory())


def search(engine: str, events: list[Event], text: str, most: int = 100) -> list[str]:
    with reading(engine, events) as (frame, collect):
        (found,) = collect(trace.search_rows(trace.search(frame, Scope(), text), most))
        return list(found["event_uid"])


values = few(
    ["ann", "Ann", "ANN@acme.example", "tok1", "ticket/47", "192.0.2.1", "192.0.2.0/24", "::/0", "curl", "e1", "none"]
)


@on_every_engine(lake=lakes, window=st.one_of(st.none(), windows), value=values, directory=directories)
def test_pivot_on_every_engine(
    engine: str, lake: list[Event], window: Window | None, value: str, directory: Directory
) -> None:
    expected = []
    for field in trace.FIELDS:
        rows = exploded(lake) if field == "resource" else lake
        met = [one | {"value": one[field]} for one in rows if inside(window, one) and fits(field, one[field], value)]
        for face, members, (found,) in grouped(directory, met, "value"):
            expected.append(face | {"field": field, "value": found} | extent(members))
    assert same(ask(engine, lake, value, Scope(window), directory), expected)


def fits(field: str, found: str | None, value: str) -> bool:
    if found is None:
        return False
    if field == "actor_email":
        return found.lower() == value.lower()
    if field == "src_ip" and ("/" in value or "." in value) and value[0] in "1:":
        network, address = ipaddress.ip_network(value), ipaddress.ip_address(found)
        return address in network
    return found == value


@pytest.mark.parametrize("engine", ENGINES)
def test_an_address_counts_however_it_is_written(engine: str) -> None:
    written = ["2001:db8::1", "2001:0DB8:0:0::1", "2001:db8::2", "::ffff:192.0.2.9", "host.example", "192.0.2.9"]
    events = [event(number, src_ip=address) for number, address in enumerate(written)]
    assert ask(engine, events, "2001:DB8::0:1")["value"].to_list() == ["2001:0DB8:0:0::1", "2001:db8::1"]
    assert ask(engine, events, "192.0.2.0/28")["value"].to_list() == ["192.0.2.9", "::ffff:192.0.2.9"]
    assert ask(engine, events, "host.example")["value"].to_list() == ["host.example"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hostile_value_is_only_a_value(engine: str) -> None:
    hostile = "x' OR 1=1; DROP TABLE events; --"
    events = [event(0), event(1, credential=hostile)]
    assert ask(engine, events, hostile).select("field", "events").rows() == [("credential", 1)]


texts = st.text(st.sampled_from("aA.*[\\\"'\né"), min_size=1, max_size=3)


@on_every_engine(raws=st.lists(texts, max_size=8), text=texts)
def test_search_on_every_engine(engine: str, raws: list[str], text: str) -> None:
    events = [event(number, raw=raw) for number, raw in enumerate(raws)]
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    wanted = {text.lower(), escaped.lower(), escaped.replace("é", "\\u00e9").lower()}
    expected = [one["event_uid"] for one in events if any(each in one["raw"].lower() for each in wanted)]
    assert search(engine, events, text) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_search_reads_what_json_escapes_and_gives_one_more_than_asked(engine: str) -> None:
    events = [event(number, raw='{"name": "Zo\\u00eb"}', time=START) for number in range(4)]
    assert search(engine, events, "ZOë", most=2) == ["e0", "e1", "e2"]


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("192.0.2.0/24", {"192.0.2.2:8443", "192.0.2.9", "::ffff:192.0.2.9", "[::ffff:192.0.2.7]:443"}),
        ("::ffff:192.0.2.0/120", {"192.0.2.2:8443", "192.0.2.9", "::ffff:192.0.2.9", "[::ffff:192.0.2.7]:443"}),
        ("192.0.2.2", {"192.0.2.2:8443"}),
        ("::ffff:192.0.2.9", {"192.0.2.9", "::ffff:192.0.2.9"}),
        ("2001:db8::/32", {"2001:0db8::1", "[2001:db8::2]:80"}),
    ],
)
def test_an_address_is_met_however_it_is_written(wanted: str, met: set[str]) -> None:
    values = ["192.0.2.2:8443", "192.0.2.9", "::ffff:192.0.2.9", "[::ffff:192.0.2.7]:443", "2001:0db8::1"]
    values += ["[2001:db8::2]:80", "198.51.100.1", "none", "192.0.2.999:1"]
    network = trace.network(wanted)
    assert network
    assert set(trace.Addresses(values).inside(network)) == met
