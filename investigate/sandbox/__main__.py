"""`python -m investigate.sandbox`: both vendors on this machine until a signal; prints one line of JSON when ready.

Everything a run can be told is a flag; `POST /sandbox/switch` changes the switches later.
"""

import argparse
import ipaddress
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from investigate.sandbox import clock
from investigate.sandbox.s3 import S3Failed
from investigate.sandbox.server import DirectoryInUse, run
from investigate.sandbox.settings import (
    MAX_CODERABBIT_EVENTS,
    MAX_EVENTS,
    MIN_EVENTS,
    Container,
    Settings,
    ShapeName,
    Switches,
    default_coderabbit_events,
)

_LAST_PORT: Final = 65_535
_LONGEST_LINK: Final = 604_800  # seven days: the most a signature of version 4 can be good for


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox; 1 when it cannot start."""
    settings = parse(arguments)
    try:
        run(settings)
    except (DirectoryInUse, S3Failed, OSError) as error:
        sys.stderr.write(f"The sandbox did not start: {error}\n")
        return 1
    return 0


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """The settings of a command line."""
    given = _parser().parse_args(arguments)
    switches = Switches(
        muted=given.muted,
        computer_sku=given.computer_sku,
        arrivals=given.arrivals,
        backdated=given.backdated,
        latency=given.latency,
        ingestion_delay=given.ingestion_delay,
        export_delay=given.export_delay,
        link_lifetime=given.link_lifetime,
        devrev_rate_limit=given.devrev_rate_limit,
        rate_limit=given.rate_limit,
    )
    return Settings(
        end=_this_second() if given.end is None else given.end,
        events=given.events,
        coderabbit_events=given.coderabbit_events or default_coderabbit_events(given.events),
        seed=given.seed,
        host=given.host,
        port=given.port,
        s3_port=given.s3_port,
        directory=given.dir,
        truth=given.truth,
        brief=given.brief,
        container=given.container,
        shape=given.shape,
        devrev_rate_window=given.devrev_rate_window,
        rate_window=given.rate_window,
        exit_with_parent=given.exit_with_parent,
        verbose=given.verbose,
        switches=switches,
    )


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that are values; of the others the text speaks itself."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None or action.default is False else super()._get_help_string(action)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m investigate.sandbox",
        description=(__doc__ or "").split("\n", maxsplit=1)[0],
        formatter_class=_Help,
    )
    _add_world(parser.add_argument_group("the world"))
    _add_process(parser.add_argument_group("the process"))
    _add_devrev(parser.add_argument_group("DevRev"))
    _add_coderabbit(parser.add_argument_group("CodeRabbit"))
    return parser


def _add_world(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--events", type=_whole(MIN_EVENTS, MAX_EVENTS), default=60_000, metavar="N", help="DevRev events")
    add(
        "--coderabbit-events",
        type=_whole(10, MAX_CODERABBIT_EVENTS),
        metavar="N",
        help="CodeRabbit entries; a twentieth of the DevRev events, at least 500, when not given",
    )
    add(
        "--seed", type=int, default=7, metavar="N", help="the same seed, size and end give the same logs, byte for byte"
    )
    add("--end", type=_instant, metavar="ISO", help="end of the 30 days; now when not given")
    add("--truth", type=Path, metavar="FILE", help="write what really happened there, as JSON")
    add("--brief", type=Path, metavar="FILE", help="write the investigator's lead there, as JSON")
    add("--latency", type=_seconds(60), default=0.0, metavar="SECONDS", help="delay of every answer of a vendor")


def _add_process(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--host", type=_loopback, default="127.0.0.1", help="a loopback address; others are refused")
    add("--port", type=_whole(0, _LAST_PORT), default=0, help="port of both vendors; 0 takes a free one")
    add("--s3-port", type=_whole(0, _LAST_PORT), default=0, help="port of S3; 0 takes a free one")
    add("--dir", type=Path, help="folder for the state, kept at exit; a temporary one, removed, when not given")
    add("--exit-with-parent", action="store_true", help="leave when standard input closes")
    add("--verbose", action="store_true", help="say more on standard error")


def _add_devrev(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add(
        "--ingestion-delay", type=_seconds(86_400), default=900.0, metavar="SECONDS", help="age before an event exports"
    )
    add("--export-delay", type=_seconds(86_400), default=0.5, metavar="SECONDS", help="how long a job waits at least")
    add("--link-lifetime", type=_whole(1, _LONGEST_LINK), default=28_800, metavar="SECONDS", help="life of a link")
    add("--devrev-rate-limit", type=_whole(0, 10**6), default=300, metavar="N", help="requests a window and user")
    add("--devrev-rate-window", type=_seconds(86_400), default=300.0, metavar="SECONDS", help="length of that window")
    add("--muted", action="store_true", help="the DevRev Bot channel is muted: no notifications")
    add("--computer-sku", action="store_true", help="the organisation is on the Computer SKU: no notifications")
    add(
        "--container",
        type=Container,
        choices=list(Container),
        default=Container.JSONL_GZ,
        help="how exports are packed",
    )
    add("--shape", type=ShapeName, choices=list(ShapeName), default=ShapeName.NESTED, help="field names of an entry")


def _add_coderabbit(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--rate-limit", type=_whole(0, 10**6), default=600, metavar="N", help="requests a window and key")
    add("--rate-window", type=_seconds(86_400), default=60.0, metavar="SECONDS", help="length of that window")
    add(
        "--arrivals",
        type=_whole(0, 1_000),
        nargs="?",
        const=1,
        default=0,
        metavar="N",
        help="entries that arrive after each page served; 1 when no number is given",
    )
    add(
        "--backdated",
        type=_whole(0, 1_000),
        default=0,
        metavar="N",
        help="so many of the arrivals, the first ones, are dated into the range asked for",
    )


def _whole(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least} to {most}")
        return value

    return number


def _seconds(most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from 0 to {most:g} seconds")
        return value

    return number


def _loopback(text: str) -> str:
    try:
        loopback = ipaddress.IPv4Address(text).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise argparse.ArgumentTypeError("must be an address in 127.0.0.0/8: the sandbox has well-known tokens")
    return text


def _instant(text: str) -> int:
    try:
        return clock.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _this_second() -> int:
    return clock.now() // clock.SECOND * clock.SECOND


if __name__ == "__main__":
    sys.exit(main())
