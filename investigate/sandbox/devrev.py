"""DevRev's `POST /audit-logs.fetch`: the checks and errors of its documentation, an empty answer, a job run aside.

The order is that of a gateway: who are you, how often, are you allowed, and only then what is it you ask.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from investigate.sandbox import catalogue, clock
from investigate.sandbox.credentials import DevRevUser
from investigate.sandbox.exports import Exporter
from investigate.sandbox.limits import Allowance, RateLimit
from investigate.sandbox.logstore import Selection
from investigate.sandbox.settings import Switches

_USER_DON: Final = r"^don:identity:[a-z0-9-]+:devo/[A-Za-z0-9]+:(devu|svcacc|sysu)/[A-Za-z0-9]+$"
_USER: Final = re.compile(_USER_DON, re.ASCII)
_FIELDS: Final = ("from", "to", "categories", "operation_types", "users")


class Refused(Exception):
    """An answer that is no 200, in DevRev's shape."""

    def __init__(self, status: int, kind: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {"type": kind, "message": message, "detail": message, **more}
        self.headers: dict[str, str] = {}


def response(refused: Refused) -> JSONResponse:
    """The refusal as an answer."""
    return JSONResponse(refused.body, refused.status, refused.headers)


def router(users: Iterable[DevRevUser], exporter: Exporter, limit: RateLimit, switches: Switches) -> APIRouter:
    """The route.

    Args:
        users: Who has a token.
        exporter: What runs the jobs.
        limit: Counts requests a user.
        switches: Holds the requests a window allows.
    """
    routes = APIRouter(tags=["devrev"])
    known = {user.token: user for user in users}

    @routes.post(
        "/audit-logs.fetch",
        operation_id="export-audit-logs",
        summary="Export audit logs: asynchronous, answers nothing",
        responses=_RESPONSES,
        openapi_extra={"requestBody": _BODY, "security": [{"devrev": []}]},
    )
    async def export_audit_logs(request: Request) -> JSONResponse:
        user = _authenticated(request, known)
        allowance = limit.take(user.don, switches.devrev_rate_limit)
        headers = _rate_headers(allowance)
        try:
            _check(user, allowance)
            exporter.submit(user, _selection(await request.body()))
        except Refused as refused:
            refused.headers |= headers
            raise
        return JSONResponse({}, headers=headers)

    return routes


def _authenticated(request: Request, known: Mapping[str, DevRevUser]) -> DevRevUser:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    user = known.get(token.strip()) if scheme.lower() == "bearer" else None
    if user is None:
        raise Refused(401, "unauthenticated", "Invalid or missing authentication token")
    return user


def _check(user: DevRevUser, allowance: Allowance) -> None:
    if not allowance.allowed:
        wait = allowance.retry_after
        refused = Refused(429, "too_many_requests", "Too many requests", retry_after=wait)
        refused.headers["Retry-After"] = str(wait)
        raise refused
    if not user.admin:
        raise Refused(403, "forbidden", "Only members of the Admins group can export audit logs")


def _rate_headers(allowance: Allowance) -> dict[str, str]:
    return {
        "X-Ratelimit-Limit": str(allowance.limit),
        "X-Ratelimit-Remaining": str(allowance.remaining),
        "X-Ratelimit-Reset": str(allowance.reset),
    }


def _selection(raw: bytes) -> Selection:
    body = _object(raw)
    for field in body:
        if field not in _FIELDS:
            raise Refused(400, "invalid_field", f"Unknown field: {field!r:.80}", field_name=field)
    start, end = _instant(body, "from"), _instant(body, "to")
    if start > end:
        raise Refused(400, "bad_request", "'from' must not be after 'to'", field_name="from")
    return Selection(
        start=start,
        end=end,
        categories=_choices(body, "categories", catalogue.CATEGORIES),
        operation_types=_choices(body, "operation_types", catalogue.OPERATION_TYPES),
        users=_users(body),
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "parse_error", "The request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise Refused(400, "unexpected_json_type", "The request body must be a JSON object")
    return body


def _instant(body: Mapping[str, Any], field: str) -> int:
    if field not in body:
        raise Refused(400, "missing_required_field", f"Missing required field: {field}", field_name=field)
    try:
        return clock.parse(body[field])
    except (TypeError, ValueError) as error:
        raise Refused(400, "invalid_field", f"{field}: {error}"[:200], field_name=field) from error


def _strings(body: Mapping[str, Any], field: str) -> list[str]:
    values = body.get(field, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refused(400, "unexpected_json_type", f"{field} must be a list of strings", field_name=field)
    return values


def _choices(body: Mapping[str, Any], field: str, allowed: Iterable[str]) -> frozenset[str]:
    values = _strings(body, field)
    for value in values:
        if value not in allowed:
            raise Refused(
                400,
                "invalid_enum_value",
                f"Unknown value in {field}: {value!r:.80}",
                field_name=field,
                allowed_values=list(allowed),
            )
    return frozenset(values)


def _users(body: Mapping[str, Any]) -> frozenset[str]:
    values = _strings(body, "users")
    for value in values:
        if not _USER.match(value):
            raise Refused(400, "invalid_id", f"Not a user's DON: {value!r:.80}", field_name="users")
    return frozenset(values)


_HEADERS: Final = {
    "X-Ratelimit-Limit": {"schema": {"type": "integer"}, "description": "Requests a window of five minutes"},
    "X-Ratelimit-Remaining": {"schema": {"type": "integer"}, "description": "Requests left in it"},
    "X-Ratelimit-Reset": {"schema": {"type": "integer"}, "description": "When it ends, epoch seconds"},
}
_ERROR: Final = {
    "type": "object",
    "required": ["type", "message", "detail"],
    "properties": {"type": {"type": "string"}, "message": {"type": "string"}, "detail": {"type": "string"}},
}


def _error(description: str, headers: Mapping[str, Any] = _HEADERS) -> dict[str, Any]:
    return {"description": description, "headers": dict(headers), "content": {"application/json": {"schema": _ERROR}}}


_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The export was taken on; a notification follows",
        "headers": _HEADERS,
        "content": {"application/json": {"schema": {"type": "object", "additionalProperties": False}}},
    },
    400: _error("The request is not as documented"),
    401: _error("No token, or one that is not known", {}),
    403: _error("The token's owner is not in the Admins group"),
    429: _error(
        "Too many requests",
        {**_HEADERS, "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait"}},
    ),
}
_BODY: Final = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["from", "to"],
                "additionalProperties": False,
                "properties": {
                    "from": {"type": "string", "format": "date-time", "description": "First instant"},
                    "to": {"type": "string", "format": "date-time", "description": "Last instant"},
                    "categories": {"type": "array", "items": {"type": "string", "enum": list(catalogue.CATEGORIES)}},
                    "operation_types": {
                        "type": "array",
                        "items": {"type": "string", "enum": list(catalogue.OPERATION_TYPES)},
                    },
                    "users": {"type": "array", "items": {"type": "string", "pattern": _USER_DON}},
                },
            }
        }
    },
}
