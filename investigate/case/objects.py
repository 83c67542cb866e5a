"""What a credential touched: the way from a leaked token to the objects it reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from investigate.case import inspection
from investigate.case.answer import Answer
from investigate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from investigate.case.case import Case
    from investigate.events import TimeLike

_OBJECTS: Final = """
    SELECT resource, count(DISTINCT event_uid) AS events, min(time) AS first, max(time) AS last
    FROM (SELECT event_uid, time, unnest(resources) AS resource FROM events
          WHERE date BETWEEN CAST($start AS DATE) AND CAST($end AS DATE) AND time >= $start AND time < $end
          AND list_contains($credentials, credential))
    GROUP BY resource ORDER BY events DESC, resource"""


def touched_by(
    case: Case, credentials: str | Sequence[str], *, start: TimeLike | None = None, end: TimeLike | None = None
) -> Answer:
    """The objects touched with a token, a key or a session, most often touched first.

    Args:
        case: where to look.
        credentials: ids as the column `credential` has them.
        start: see `Window.of`; None is where the case's coverage begins.
        end: not included; None is where it ends.

    Returns:
        `resource` (string), `events` (int), `first` and `last` (timestamp[us, UTC]).

    Raises:
        UsageError: no credential was named.
        BadTime: a window that cannot be meant.
    """
    wanted = [credentials] if isinstance(credentials, str) else list(dict.fromkeys(credentials))
    if not wanted:
        raise UsageError("No credential was named.", "Name one or more ids as the column credential has them.")
    window = case.window(start, end)
    frame = case.sql(_OBJECTS, {"start": window.start, "end": window.end, "credentials": wanted})
    version = inspection.lake_version(case)
    return Answer(frame, inspection.known(case, window), window, "duckdb", _OBJECTS, version)
