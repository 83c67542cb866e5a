"""What the demonstration leaves in `reports/`: the findings as JSON, the objects as a list, a page to read."""

from __future__ import annotations

import html
from string import Template
from typing import TYPE_CHECKING, Any, Final

from investigate.cli.output import to_json

if TYPE_CHECKING:
    import polars as pl

    from investigate.case import Case
    from investigate.cli.demo_findings import Findings

JSON: Final = "demo.json"
PAGE: Final = "demo.html"
OBJECTS: Final = "demo-objects.txt"

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Who touched the data</title>
<style>
:root { color-scheme: light dark; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-size: .85rem; } th, td { padding: .3rem .6rem; text-align: left; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); vertical-align: top; }
td { overflow-wrap: anywhere; } code { font-size: .8rem; } section { overflow-x: auto; }
</style>
<h1>Who touched the data</h1>
<p>$story</p>
<p>Made from version $version of the lake, of evidence whose ledger ends with line $line ($head).</p>
<section><h2>What stands out</h2>$remarks</section>
<section><h2>Identities that touched one of its objects in these hours, $identities_count</h2>$identities</section>
<section><h2>What else came from an address used by nobody else</h2>$elsewhere</section>
<section><h2>Objects the token touched, $objects_count</h2>$objects</section>
</html>
"""


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
        PAGE: _page(case, brief, found),
    }
    for name, text in contents.items():
        write_private(case.layout.reports / name, text)
    return list(contents)


def _page(case: Case, brief: dict[str, Any], found: Findings) -> str:
    from investigate.case.display import html_table, visible  # noqa: PLC0415 - see `write`

    def text(value: object) -> str:
        return html.escape(visible(str(value)))

    head = case.ledger.head()
    names = dict(found.identities.frame.select("actor", "actor_name").iter_rows())
    remarks = "".join(
        f"<li>{text(names.get(actor) or actor)}: {text('; '.join(said))}</li>" for actor, said in found.remarks.items()
    )
    return Template(_PAGE).substitute(
        story=text(brief["story"]),
        version=found.identities.lake_version,
        line=head.lines,
        head=text(head.sha256[:16]),
        objects_count=found.objects.frame.height,
        objects=html_table(found.objects.frame, found.objects.coverage.lines()),
        identities_count=found.identities.frame.height,
        identities=html_table(_compact(found.identities.frame), found.identities.coverage.lines()),
        remarks=f"<ul>{remarks}</ul>" if remarks else "<p>Nothing.</p>",
        elsewhere=html_table(found.elsewhere, []),
    )


def _compact(identities: pl.DataFrame) -> pl.DataFrame:
    """What fits on a page: the actions and tokens of an identity are in the other forms."""
    import polars as pl  # noqa: PLC0415 - see `write`

    return identities.select(
        pl.col("actor_name").alias("who"),
        pl.col("actor").alias("key"),
        pl.col("actor_type").alias("type"),
        "events",
        pl.col("resources").list.len().alias("objects"),
        pl.col("activities").alias("did"),
        pl.col("src_ips").alias("from"),
        "first",
        "last",
    )
