"""What a sandbox can be told: fixed settings of a run, and switches that may be thrown while it serves.

Plain dataclasses; `__main__` fills them from the command line, `POST /sandbox/switch` changes the switches.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

DAYS = 30
MIN_EVENTS, MAX_EVENTS = 1_000, 50_000_000
MAX_CODERABBIT_EVENTS = 500_000


class Container(StrEnum):
    """How an export file is packed; the vendor does not say, so the client must tell by itself."""

    JSONL_GZ = "jsonl.gz"
    JSONL = "jsonl"
    JSON = "json"
    JSON_GZ = "json.gz"
    WRAPPED = "wrapped"
    ZIP = "zip"


class ShapeName(StrEnum):
    """Which field names a DevRev entry has; the vendor publishes none."""

    NESTED = "nested"
    FLAT = "flat"
    CAMEL = "camel"
    WRAPPED = "wrapped"
    OPAQUE = "opaque"


@dataclass(slots=True)
class Switches:
    """What may change while the sandbox serves. Delays in seconds."""

    muted: bool = False
    computer_sku: bool = False
    arrivals: int = 0
    backdated: int = 0
    latency: float = 0.0
    outages: int = 0
    ingestion_delay: float = 900.0
    export_delay: float = 0.5
    link_lifetime: int = 28_800
    devrev_rate_limit: int = 300
    rate_limit: int = 600


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made of. `end` and every derived instant in microseconds since 1970 UTC, windows in seconds."""

    end: int
    events: int = 60_000
    coderabbit_events: int = 3_000
    seed: int = 7
    host: str = "127.0.0.1"
    port: int = 0
    s3_port: int = 0
    directory: Path | None = None
    truth: Path | None = None
    brief: Path | None = None
    container: Container = Container.JSONL_GZ
    shape: ShapeName = ShapeName.NESTED
    devrev_rate_window: float = 300.0
    rate_window: float = 60.0
    exit_with_parent: bool = False
    verbose: bool = False
    switches: Switches = field(default_factory=Switches)


def default_coderabbit_events(events: int) -> int:
    """CodeRabbit entries that go with so many DevRev events: a twentieth, between 500 and 200 thousand."""
    return min(200_000, max(500, events // 20))
