"""One event at a time as OCSF and as Timesketch take it, in plain Python: what the columns have to amount to.

Source: schema.ocsf.io, version 1.8.0, class `api_activity`; timesketch.org, "Import from JSON or CSV".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from investigate.events import UNKNOWN, iso
from investigate.report.rows import CSV_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = "1.8.0"
CLASS: Final = 6003
_ACTIVITIES: Final = {"create": (1, "Create"), "read": (2, "Read"), "update": (3, "Update"), "delete": (4, "Delete")}
_OTHER: Final = (99, "Other")
_NO_ACTIVITY: Final = (0, "Unknown")
_STATUS: Final = {"success": (1, "Success"), "failure": (2, "Failure")}
_USERS: Final = {"user": (1, "User"), "system": (3, "System"), "service": (4, "Service"), "bot": (4, "Service")}
_INFORMATIONAL: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAIL: Final = re.compile(r"[a-zA-Z0-9!#$%&'*+\-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9.-]+")
"""What the schema takes for an e-mail address (`email_t`)."""


def timesketch(row: Mapping[str, Any]) -> dict[str, Any]:
    """An event as Timesketch takes it."""
    what = row["resource_name"] or row["resource"]
    who = row["actor_name"] or row["actor_email"] or row["actor"]
    place = f" from {row['src_ip']}" if row["src_ip"] else ""
    done = row["action"] or row["activity"]
    message = f"{who}{f': {done}' if done else ''}{f' {what}' if what else ''}{place} ({row['outcome']})"
    exact = row["time"].astimezone(UTC).isoformat(timespec="microseconds")
    rest = {name: row[name] for name in CSV_COLUMNS if name != "time"}
    return {"message": message, "datetime": exact, "timestamp_desc": "Event Logged", **rest}


def api_activity(row: Mapping[str, Any]) -> dict[str, Any]:
    """One canonical event as API Activity."""
    number, word = _ACTIVITIES.get(row["activity"], _OTHER if row["activity"] else _NO_ACTIVITY)
    status, outcome = _STATUS.get(row["outcome"], (0, "Unknown"))
    micros = (row["time"] - _EPOCH) // timedelta(microseconds=1)
    found: dict[str, Any] = {
        "activity_id": number,
        "activity_name": (row["category"] or row["action"] or word) if number == _OTHER[0] else word,
        "category_uid": CLASS // 1000,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "type_uid": CLASS * 100 + number,
        "type_name": f"API Activity: {word}",
        "severity_id": _INFORMATIONAL,
        "severity": "Informational",
        "status_id": status,
        "status": outcome,
        "time": micros // 1000,
        "message": f"{row['action'] or word} by {row['actor_name'] or row['actor']}",
        "metadata": _metadata(row),
        "actor": {"user": _user(row)},
        "api": _api(row),
        "src_endpoint": _endpoint(row["src_ip"]),
        "unmapped": _unmapped(row, micros),
    }
    if row["credential"]:
        found["actor"]["session"] = {"uid": row["credential"]}
    if row["user_agent"]:
        found["http_request"] = {"user_agent": row["user_agent"]}
    if touched := _resources(row):
        found["resources"] = touched
    if row["raw"] is not None:
        found["raw_data"] = row["raw"]
    return found


def _metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    return _given(
        version=VERSION,
        product={"name": row["source"], "vendor_name": row["source"]},
        uid=row["event_uid"],
        original_time=iso(row["time"]),
        event_code=row["action"],
        log_name=row["category"],
        tenant_uid=row["tenant"],
    )


def _user(row: Mapping[str, Any]) -> dict[str, Any]:
    number, word = _USERS.get(row["actor_type"], (0, "Unknown"))
    mail = row["actor_email"]
    fits = mail if mail and _MAIL.fullmatch(mail) else None
    return _given(uid=row["actor"], name=row["actor_name"], email_addr=fits, type_id=number, type=word)


def _api(row: Mapping[str, Any]) -> dict[str, Any]:
    asked = {"uid": row["request_uid"]} if row["request_uid"] else None
    return _given(operation=row["action"] or UNKNOWN, service={"name": row["source"]}, request=asked)


def _endpoint(address: str | None) -> dict[str, Any]:
    """From where: an address, a host's name, or, as the class insists on one, a name that says it is not known."""
    if not address:
        return {"name": UNKNOWN}
    try:
        ip_address(address)
    except ValueError:
        return {"hostname": address}
    return {"ip": address} if "%" not in address else {"name": address}


def _resources(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was touched: the first with its name and kind, which the log gives of that one alone."""
    names = list(dict.fromkeys([row["resource"], *(row["resources"] or [])]))
    found = [{"uid": name} for name in names if name]
    more = _given(name=row["resource_name"], type=row["resource_type"])
    if found and found[0]["uid"] == row["resource"]:
        found[0] |= more
    elif row["resource_name"]:
        found.insert(0, more)
    return found


def _unmapped(row: Mapping[str, Any], micros: int) -> dict[str, Any]:
    mail = row["actor_email"]
    return _given(
        time_us=micros,
        evidence=row["evidence"],
        evidence_record=row["evidence_record"],
        actor_type=row["actor_type"],
        actor_email=mail if mail and not _MAIL.fullmatch(mail) else None,
        resource_type=None if row["resource"] or row["resource_name"] else row["resource_type"],
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
