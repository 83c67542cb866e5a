"""CodeRabbit's `GET /v1/audit-logs`: every parameter, range, limit and error of its documentation, newest first.

With the switch `arrivals`, every page served lets entries arrive, and what a client has not read yet moves down.
"""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import QueryParams

from investigate.sandbox import clock
from investigate.sandbox.coderabbit_api import PARAMETERS, RESPONSES
from investigate.sandbox.coderabbit_log import Asked, CodeRabbitLog
from investigate.sandbox.coderabbit_world import Maker
from investigate.sandbox.credentials import CodeRabbitKey
from investigate.sandbox.limits import RateLimit
from investigate.sandbox.settings import Switches

_LONGEST_SEARCH: Final = 200
_MOST_VALUES: Final = 50
_LARGEST_PAGE: Final = 100
_MOST_DIGITS: Final = 18


class Refused(Exception):
    """An answer that is no 200, in one of CodeRabbit's shapes."""

    def __init__(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})


def response(refused: Refused) -> JSONResponse:
    """The refusal as an answer."""
    return JSONResponse(refused.body, refused.status, refused.headers)


class Arrivals:
    """Entries that come in while a client pages: new ones, and a few dated into the range it asked for."""

    def __init__(self, log: CodeRabbitLog, maker: Maker, switches: Switches, seed: int) -> None:
        self._log = log
        self._maker = maker
        self._switches = switches
        self._rng = Random(f"arrivals/{seed}")

    def after_a_page(self, asked: Asked, window: tuple[int, int]) -> None:
        """Let them arrive, in the first of the organisations asked about."""
        for _ in range(self._switches.arrivals):
            if self._switches.backdated > 0:
                self._switches.backdated -= 1
                begin = max(window[0], window[0] if asked.start is None else asked.start)
                finish = max(begin, min(window[1], window[1] if asked.end is None else asked.end))
                micros = self._rng.randrange(begin, finish + 1)
            else:
                micros = max(clock.now(), self._log.newest(asked.orgs) + 1_000)
            self._log.add(asked.orgs[0], [self._maker.entry(micros)])


def router(
    keys: tuple[CodeRabbitKey, ...],
    log: CodeRabbitLog,
    arrivals: Arrivals,
    window: tuple[int, int],
    limit: RateLimit,
    switches: Switches,
) -> APIRouter:
    """The route.

    Args:
        keys: Who may ask.
        log: The entries.
        arrivals: What happens after each page.
        window: First and last instant of the log, microseconds since 1970 UTC.
        limit: Counts requests a key.
        switches: Holds the requests a window allows.
    """
    routes = APIRouter(tags=["coderabbit"])
    known = {key.key: key for key in keys}

    @routes.get(
        "/v1/audit-logs",
        operation_id="listAuditLogs",
        summary="Audit log entries, a page at a time",
        responses=RESPONSES,
        openapi_extra={"parameters": PARAMETERS, "security": [{"coderabbit": []}]},
    )
    async def list_audit_logs(request: Request) -> JSONResponse:
        key = _authenticated(request, known)
        allowance = limit.take(key.key, switches.rate_limit)
        if not allowance.allowed:
            wait = {"Retry-After": str(allowance.retry_after)}
            raise Refused(429, {"error": {"code": "RATE_LIMITED", "message": "Too many requests"}}, wait)
        if key.refusal is not None:
            raise Refused(403, {"error": {"code": key.refusal, "message": "This API key may not read audit logs"}})
        asked, page, size = _asked(request.query_params, key)
        total, data = log.page(asked, page, size)
        pages = -(-total // size)
        body = {
            "data": [entry | {"relativeTime": _relative(entry["createdAt"])} for entry in data],
            "pagination": {
                "page": page,
                "page_size": size,
                "total_count": total,
                "total_pages": pages,
                "has_next_page": page < pages,
                "has_previous_page": page > 1,
            },
            "filter_options": log.options(asked.orgs),
        }
        arrivals.after_a_page(asked, window)
        return JSONResponse(body)

    return routes


def _authenticated(request: Request, known: Mapping[str, CodeRabbitKey]) -> CodeRabbitKey:
    key = known.get(request.headers.get("x-coderabbitai-api-key", ""))
    if key is None:
        raise Refused(401, {"errors": [{"message": "Invalid or missing API key"}]})
    return key


def _invalid(message: str) -> Refused:
    return Refused(400, {"errors": [{"code": "INVALID_PARAMETER", "message": message}]})


def _asked(query: QueryParams, key: CodeRabbitKey) -> tuple[Asked, int, int]:
    """What is asked for, the page and its size."""
    names = {parameter["name"] for parameter in PARAMETERS}
    for name in query:
        if name not in names:
            raise _invalid(f"Unknown query parameter: {name[:80]}")
        if len(query.getlist(name)) > 1:
            raise _invalid(f"Given more than once: {name}")
    search = query.get("search", "")
    if len(search) > _LONGEST_SEARCH:
        raise _invalid(f"search must be at most {_LONGEST_SEARCH} characters")
    start, end = _instant(query, "date_from"), _instant(query, "date_to")
    if start is not None and end is not None and end < start:
        raise _invalid("date_to must be on or after date_from")
    asked = Asked(_orgs(query, key), search, _values(query, "actions"), _values(query, "resource_types"), start, end)
    return asked, _number(query, "page", 1, None), _number(query, "page_size", 10, _LARGEST_PAGE)


def _orgs(query: QueryParams, key: CodeRabbitKey) -> tuple[str, ...]:
    org = query.get("org_id")
    if org is None:
        return key.orgs
    if not key.workspace_wide:
        raise _invalid("org_id is only supported for workspace API keys")
    if org not in key.orgs:
        raise Refused(404, {"errors": [{"code": "NOT_FOUND", "message": "Organization not found in this workspace"}]})
    return (org,)


def _instant(query: QueryParams, name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return clock.parse(text)
    except ValueError as error:
        raise _invalid(f"{name} must be an ISO 8601 date and time with a zone") from error


def _values(query: QueryParams, name: str) -> tuple[str, ...]:
    values = [value.strip() for value in query.get(name, "").split(",")]
    if len(values) > _MOST_VALUES:
        raise _invalid(f"{name} takes at most {_MOST_VALUES} values")
    return tuple(value for value in values if value)


def _number(query: QueryParams, name: str, default: int, most: int | None) -> int:
    text = query.get(name)
    if text is None:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0
    if number < 1 or (most is not None and number > most):
        raise _invalid(f"{name} must be a whole number from 1" + (f" to {most}" if most else ""))
    return number


def _relative(created: str) -> str:
    """How long ago, as the vendor words it: another text at every call."""
    minutes = max(0, (clock.now() - clock.parse(created)) // clock.MINUTE)
    for unit, length in (("day", 1_440), ("hour", 60), ("minute", 1)):
        if minutes >= length:
            number = minutes // length
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"
