"""What people say of events, in the case's journal: `annotate` and `annotations`, each a method of `Case`."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING

from investigate.evidence.ledger import operator
from investigate.journal.annotations import Annotation

if TYPE_CHECKING:
    import polars as pl

    from investigate.case.case import Case
    from investigate.journal.annotations import Kind


def annotate(
    case: Case,
    source: str,
    tenant: str,
    event_uid: str,
    kind: Kind,
    text: str = "",
    *,
    author: str | None = None,
) -> Annotation:
    """Star, tag or comment an event, or take a star or a tag back; nothing that was said is ever removed.

    Args:
        case: whose journal.
        source: the event's source.
        tenant: the event's tenant.
        event_uid: the event's id.
        kind: star, unstar, tag, untag or comment.
        text: the tag or the comment; empty for a star.
        author: who says so; None is `$INVESTIGATE_OPERATOR`, else user@host.

    Raises:
        UsageError: an unknown kind, a text where none belongs, or none where one does.
        CaseError: the case cannot be written.
    """
    return case.journal.annotations.add(source, tenant, event_uid, kind, text, author or operator())


def annotations_of(case: Case) -> pl.DataFrame:
    """Everything that was said of events, in order.

    Args:
        case: whose journal.

    Returns:
        `id` (int), `time` (timestamp[us, UTC], when it was said), `author`, `source`, `tenant`, `event_uid`, `kind`
        (star, unstar, tag, untag or comment), `text` (string).
    """
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    schema: dict[str, pl.DataType] = dict.fromkeys((field.name for field in fields(Annotation)), pl.String())
    schema |= {"id": pl.Int64(), "time": pl.Datetime("us", "UTC")}
    return pl.DataFrame([astuple(one) for one in case.journal.annotations.all()], schema=schema, orient="row")
