"""Events as OCSF: class 6003, API Activity, as the published schema has it; made of whole columns.

Source: schema.ocsf.io, version 1.8.0, class `api_activity` and the objects it refers to. Every attribute set here is
also in the versions since 1.3.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from investigate.events import UNKNOWN
from investigate.report.columns import json_object, moment, quoted, some

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

VERSION: Final = "1.8.0"
CLASS: Final = 6003
_ACTIVITIES: Final = {"create": (1, "Create"), "read": (2, "Read"), "update": (3, "Update"), "delete": (4, "Delete")}
_OTHER: Final = (99, "Other")
_NO_ACTIVITY: Final = (0, "Unknown")
_STATUS: Final = {"success": (1, "Success"), "failure": (2, "Failure")}
_USERS: Final = {"user": (1, "User"), "system": (3, "System"), "service": (4, "Service"), "bot": (4, "Service")}
_CONSTANT: Final = {
    "category_uid": CLASS // 1000,
    "category_name": "Application Activity",
    "class_uid": CLASS,
    "class_name": "API Activity",
    "severity_id": 1,
    "severity": "Informational",
}
_V4: Final = r"^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$"
_MAIL: Final = r"^[a-zA-Z0-9!#$%&'*+\-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9.-]+$"
"""What the schema takes for an e-mail address (`email_t`)."""


def objects(frame: pl.DataFrame) -> pl.Series:
    """Canonical events as API Activity.

    Args:
        frame: the columns of the canonical event; `time` aware.

    Returns:
        An object a row, as JSON. `time` is in milliseconds, as the class has it; all microseconds are in
        `metadata.original_time` and in `unmapped.time_us`. What the class has no attribute for is in `unmapped`.
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    number, word = _coded("activity", _ACTIVITIES, _OTHER, _NO_ACTIVITY)
    status, outcome = _coded("outcome", _STATUS, (0, "Unknown"))
    other = pl.coalesce(some("category"), some("action"), pl.lit(_OTHER[1]))
    said = pl.format("{} by {}", pl.coalesce(some("action"), word), pl.coalesce(some("actor_name"), "actor"))
    agent = pl.format('{{"user_agent":{}}}', quoted(some("user_agent")))
    event = json_object(
        {
            "activity_id": number,
            "activity_name": quoted(pl.when(number == _OTHER[0]).then(other).otherwise(word)),
            **{name: pl.lit(json.dumps(value)) for name, value in _CONSTANT.items()},
            "type_uid": CLASS * 100 + number,
            "type_name": pl.format('"API Activity: {}"', word),
            "status_id": status,
            "status": pl.format('"{}"', outcome),
            "time": pl.col("time").dt.epoch("us").floordiv(1000),
            "message": quoted(said),
            "metadata": _metadata(),
            "actor": json_object({"user": _user()}, session=_uid("credential")),
            "api": _api(),
            "src_endpoint": _endpoints(frame["src_ip"]),
            "unmapped": _unmapped(),
        },
        http_request=agent,
        resources=_resources(frame),
        raw_data=quoted("raw"),
    )
    return frame.select(event.alias("event")).to_series()


def _metadata() -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - see `objects`

    source = quoted("source")
    return json_object(
        {
            "version": pl.lit(json.dumps(VERSION)),
            "product": json_object({"name": source, "vendor_name": source}),
            "uid": quoted("event_uid"),
            "original_time": pl.format('"{}"', moment("time")),
        },
        event_code=quoted("action"),
        log_name=quoted("category"),
        tenant_uid=quoted("tenant"),
    )


def _user() -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - see `objects`

    number, word = _coded("actor_type", _USERS, (0, "Unknown"))
    mail = pl.col("actor_email")
    return json_object(
        {"type_id": number, "type": pl.format('"{}"', word), "uid": quoted("actor")},
        name=quoted("actor_name"),
        email_addr=quoted(pl.when(mail.str.contains(_MAIL)).then(mail)),
    )


def _api() -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - see `objects`

    operation = quoted(pl.coalesce(some("action"), pl.lit(UNKNOWN)))
    service = json_object({"name": quoted("source")})
    return json_object({"operation": operation, "service": service}, request=_uid("request_uid"))


def _endpoints(addresses: pl.Series) -> pl.Expr:
    """From where; of addresses that are not plainly IPv4, each is looked at once."""
    import polars as pl  # noqa: PLC0415 - see `objects`

    plain = addresses.str.contains(_V4).fill_null(value=False)
    met = addresses.filter(~plain).unique()
    made = pl.Series([json.dumps(_endpoint(one), ensure_ascii=False) for one in met], dtype=pl.String)
    other = addresses.replace_strict(met, made, default=None, return_dtype=pl.String)
    return pl.when(plain).then(pl.format('{{"ip":"{}"}}', addresses)).otherwise(other)


def _endpoint(address: str | None) -> dict[str, Any]:
    """From where: an address, a host's name, or, as the class insists on one, a name that says it is not known."""
    if not address:
        return {"name": UNKNOWN}
    try:
        ip_address(address)
    except ValueError:
        return {"hostname": address}
    return {"ip": address} if "%" not in address else {"name": address}


def _resources(frame: pl.DataFrame) -> pl.Expr:
    """What was touched: the first with its name and kind, which the log gives of that one alone."""
    import polars as pl  # noqa: PLC0415 - see `objects`

    name = pl.lit(',"name":') + quoted("resource_name")
    kind = pl.lit(',"type":') + quoted("resource_type")
    more = pl.concat_str(name, kind, ignore_nulls=True)
    nameless = pl.when(some("resource_name").is_not_null()).then(more.str.strip_prefix(","))
    first = pl.coalesce(pl.lit('"uid":') + quoted(some("resource")) + more, nameless)
    listed = pl.concat_str(pl.format("{{{}}}", first), _others(frame), separator=",", ignore_nulls=True)
    return pl.format("[{}]", pl.when(listed != "").then(listed))


def _others(frame: pl.DataFrame) -> pl.Series:
    """What was touched besides the first, as the inside of a list; null of most events, which touch one."""
    import polars as pl  # noqa: PLC0415 - see `objects`

    touched, first = pl.col("resources"), pl.col("resource")
    numbered = frame.select("resource", "resources").with_row_index()
    named = numbered.filter((touched.list.len() > 1) | touched.list.first().ne_missing(first)).explode("resources")
    named = named.filter(touched.ne_missing(first) & (touched != "")).unique(
        ["index", "resources"], maintain_order=True
    )
    each = named.select("index", uid=_uid("resources")).group_by("index", maintain_order=True)
    joined = frame.select(index=pl.int_range(pl.len(), dtype=pl.UInt32)).join(
        each.agg(pl.col("uid").str.join(",")), "index", "left", maintain_order="left"
    )
    return joined["uid"]


def _uid(name: str) -> pl.Expr:
    """An object that has an id and nothing else; null where there is none."""
    import polars as pl  # noqa: PLC0415 - see `objects`

    return pl.format('{{"uid":{}}}', quoted(some(name)))


def _unmapped() -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - see `objects`

    mail = pl.col("actor_email")
    bare = some("resource").is_null() & some("resource_name").is_null()
    return json_object(
        {"time_us": pl.col("time").dt.epoch("us")},
        evidence=quoted("evidence"),
        evidence_record=pl.col("evidence_record"),
        actor_type=quoted("actor_type"),
        actor_email=quoted(pl.when(~mail.str.contains(_MAIL) & (mail != "")).then(mail)),
        resource_type=quoted(pl.when(bare).then("resource_type")),
    )


def _coded(
    column: str, codes: Mapping[str, tuple[int, str]], other: tuple[int, str], none: tuple[int, str] | None = None
) -> tuple[pl.Expr, pl.Expr]:
    """The number and the word of the schema for a column's words.

    Args:
        column: its name.
        codes: by word.
        other: of any other word.
        none: where there is no word; as others where None.
    """
    import polars as pl  # noqa: PLC0415 - see `objects`

    given, missing = some(column), none or other
    found = [
        given.replace_strict({word: code[at] for word, code in codes.items()}, default=other[at]) for at in range(2)
    ]
    number, word = (pl.when(given.is_null()).then(pl.lit(missing[at])).otherwise(one) for at, one in enumerate(found))
    return number, word
