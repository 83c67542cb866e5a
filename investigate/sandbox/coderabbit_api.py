"""What CodeRabbit's documentation promises, as OpenAPI: parameters with their ranges, the answer, every error.

`coderabbit.py` keeps these promises; schemathesis holds it to them.
"""

from typing import Any, Final

_UP_TO_50_VALUES: Final = r"^[^,]*(,[^,]*){0,49}$"

PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": "search",
        "in": "query",
        "description": "Case-insensitive partial match on actor name",
        "schema": {"type": "string", "maxLength": 200},
    },
    {
        "name": "actions",
        "in": "query",
        "description": "Comma-separated list of action keys, up to 50",
        "schema": {"type": "string", "pattern": _UP_TO_50_VALUES},
    },
    {
        "name": "resource_types",
        "in": "query",
        "description": "Comma-separated list of resource type keys, up to 50",
        "schema": {"type": "string", "pattern": _UP_TO_50_VALUES},
    },
    {
        "name": "date_from",
        "in": "query",
        "description": "Inclusive lower bound",
        "schema": {"type": "string", "format": "date-time"},
    },
    {
        "name": "date_to",
        "in": "query",
        "description": "Inclusive upper bound, on or after date_from",
        "schema": {"type": "string", "format": "date-time"},
    },
    {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 10**18 - 1, "default": 1}},
    {
        "name": "page_size",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
    },
    {
        "name": "org_id",
        "in": "query",
        "description": "An organization of the workspace; for workspace keys only",
        "schema": {"type": "string"},
    },
]


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT: Final = {"type": "string"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_WHOLE: Final = {"type": "integer", "minimum": 0}
_TRUTH: Final = {"type": "boolean"}
_OPTION: Final = _object(value=_TEXT, label=_TEXT, count=_WHOLE)
_ENTRY: Final = _object(
    id=_TEXT,
    action=_TEXT,
    actionLabel=_TEXT,
    resourceType=_TEXT,
    resourceTypeLabel=_TEXT,
    resourceSummary=_TEXT,
    actor=_object(name=_TEXT, subtitle=_TEXT, isBot=_TRUTH, avatarUrl=_TEXT_OR_NULL),
    metadata={"type": "object"},
    ipAddress=_TEXT_OR_NULL,
    createdAt={"type": "string", "format": "date-time"},
    relativeTime=_TEXT,
)
_PAGE: Final = _object(
    data=_list(_ENTRY),
    pagination=_object(
        page=_WHOLE,
        page_size=_WHOLE,
        total_count=_WHOLE,
        total_pages=_WHOLE,
        has_next_page=_TRUTH,
        has_previous_page=_TRUTH,
    ),
    filter_options=_object(actions=_list(_OPTION), resource_types=_list(_OPTION)),
)
_CODED: Final = _object(code=_TEXT, message=_TEXT)


def _answer(description: str, schema: dict[str, Any], **headers: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {name.replace("_", "-"): header for name, header in headers.items()},
        "content": {"application/json": {"schema": schema}},
    }


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: _answer("A page of entries, newest first", _PAGE),
    400: _answer("A parameter is unknown or out of range", _object(errors=_list(_CODED))),
    401: _answer("No key, or one that is not known", _object(errors=_list(_object(message=_TEXT)))),
    403: _answer("The key may not read audit logs", _object(error=_CODED)),
    404: _answer("The organization is not in this workspace", _object(errors=_list(_CODED))),
    429: _answer("Too many requests", _object(error=_CODED), Retry_After={"schema": {"type": "integer"}}),
}
