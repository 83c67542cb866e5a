"""What the demonstration leaves in `reports/`: the findings as JSON, the objects as a list, the report to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from investigate.report.text import to_json

if TYPE_CHECKING:
    from investigate.case import Answer, Case
    from investigate.cli.demo_findings import Findings

JSON: Final = "demo.json"
PAGE: Final = "demo.html"
OBJECTS: Final = "demo-objects.txt"
_TITLE: Final = "A leaked token, followed through two audit logs"


def write(case: Case, brief: dict[str, Any], found: Findings) -> list[str]:
    """Write the reports, each whole or not at all; their names.

    Args:
        case: in whose `reports/` they go.
        brief: the lead.
        found: what came out.
    """
    from investigate.case.layout import write_private  # noqa: PLC0415 - only where a demonstration runs

    resources = sorted(found.objects.frame["resource"].to_list())
    identities = sorted(set(found.identities.frame["actor"].to_list()))
    contents = {
        JSON: to_json({"resources": resources, "identities": identities}) + "\n",
        OBJECTS: "".join(f"{name}\n" for name in resources),
    }
    for name, text in contents.items():
        write_private(case.layout.reports / name, text)
    window = found.identities.window
    case.report(
        case.layout.reports / PAGE,
        title=_TITLE,
        question=brief["story"],
        start=window.start,
        end=window.end,
        answers=_answers(case, found),
    )
    return [*contents, PAGE]


def _answers(case: Case, found: Findings) -> dict[str, Answer]:
    """What was found, each under the sentence that claims it."""
    touched = found.identities.frame.height
    claims = {
        f"Objects the token touched, {found.objects.frame.height}": found.objects,
        f"Identities that touched one of its objects in these hours, {touched}": _remarked(found),
    }
    if found.alone:
        rest = found.elsewhere.height
        timeline = case.timeline(src_ips=found.alone)
        claims[f"From {', '.join(found.alone)}, which nobody else used: {rest} events without the token too"] = timeline
    return claims


def _remarked(found: Findings) -> Answer:
    """The identities, with what stands out about each."""
    from dataclasses import replace  # noqa: PLC0415 - only where a demonstration runs

    names = dict(found.identities.frame.select("actor", "actor_name").iter_rows())
    said = (f"{names.get(actor) or actor}: {'; '.join(remarks)}" for actor, remarks in found.remarks.items())
    return replace(found.identities, notes=(*found.identities.notes, *said))
