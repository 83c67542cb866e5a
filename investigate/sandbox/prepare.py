"""Everything before the first request: the worlds, their logs in the bucket's folder, CodeRabbit's entries, the truth.

One pass over each stream writes the log and lets the witness see it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from investigate.sandbox import clock, coderabbit_world, credentials, incident, shapes, stream, truth, world
from investigate.sandbox.coderabbit_log import CodeRabbitLog
from investigate.sandbox.coderabbit_world import Maker
from investigate.sandbox.credentials import CodeRabbitKey, DevRevUser
from investigate.sandbox.logstore import LogStore
from investigate.sandbox.s3 import BUCKET
from investigate.sandbox.settings import DAYS, Settings
from investigate.sandbox.world import Workspace, World

MAIN: Final = Workspace("4tQ9mer1d", "meridian", "Meridian Logistics", "meridian.example")
OTHER: Final = Workspace("7hB2harb0r", "harborline", "Harborline Freight", "harborline.example")
MAIN_ORG: Final = "org-6b1f0c7e-meridian"
OTHER_ORG: Final = "org-2d94a5b3-meridian-labs"
_OTHER_SCALE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Prepared:
    """A world ready to be served. `window`: first and last instant, microseconds since 1970 UTC."""

    window: tuple[int, int]
    stores: dict[str, LogStore]
    users: dict[str, DevRevUser]
    keys: dict[str, CodeRabbitKey]
    entries: CodeRabbitLog
    maker: Maker
    brief: dict[str, Any]
    truth: dict[str, Any]


def prepare(settings: Settings, folder: Path) -> Prepared:
    """Make the world of the settings; logs go under `folder`/s3, the rest beside it."""
    window = (settings.end - DAYS * clock.DAY, settings.end)
    main = world.build(MAIN, settings.seed)
    other = world.build(OTHER, settings.seed, _OTHER_SCALE)
    found = incident.plan(main, settings.seed, window)
    witness = truth.Witness(found)
    bucket = folder / "s3" / BUCKET
    bucket.mkdir(parents=True)
    stores = {one.key: LogStore(bucket, one, shapes.shape(settings.shape, one)) for one in (MAIN, OTHER)}
    life = stream.events(main, settings.seed, window, settings.events, found.events, found.things)
    stores[MAIN.key].write(witness.watch(life))
    stores[OTHER.key].write(stream.events(other, settings.seed, window, _other_events(settings.events)))
    entries = CodeRabbitLog(folder / "coderabbit.db")
    maker = Maker(coderabbit_world.members(main, settings.seed, found.owner), f"coderabbit/{settings.seed}")
    key_events = coderabbit_world.planted(maker, found)
    entries.add(MAIN_ORG, key_events)
    count = settings.coderabbit_events - len(key_events)
    entries.add(MAIN_ORG, coderabbit_world.entries(maker, f"coderabbit-times/{settings.seed}", window, count))
    _fill_other_org(entries, other, settings.seed, window)
    return Prepared(
        window=window,
        stores=stores,
        users=_users(settings.seed, main, other),
        keys=_keys(settings.seed),
        entries=entries,
        maker=maker,
        brief=truth.brief(found, MAIN),
        truth=witness.truth(found.owner.name or "", (entry.uid for entry in key_events)),
    )


def _other_events(events: int) -> int:
    return min(20_000, max(400, events // 50))


def _fill_other_org(entries: CodeRabbitLog, other: World, seed: int, window: tuple[int, int]) -> None:
    maker = Maker(coderabbit_world.members(other, seed, None), f"coderabbit/other/{seed}")
    entries.add(OTHER_ORG, coderabbit_world.entries(maker, f"coderabbit-times/other/{seed}", window, 60))


def _users(seed: int, main: World, other: World) -> dict[str, DevRevUser]:
    def one(role: str, of: World, job: str, position: int, *, admin: bool) -> DevRevUser:
        people = [person for person in of.people if person.role == job and person.name is not None]
        return credentials.devrev_user(seed, role, of, people[position], admin=admin)

    return {
        "admin": one("admin", main, "operations", 0, admin=True),
        "second-admin": one("second-admin", main, "operations", 1, admin=True),
        "member": one("member", main, "engineering", 0, admin=False),
        "other-admin": one("other-admin", other, "operations", 0, admin=True),
    }


def _keys(seed: int) -> dict[str, CodeRabbitKey]:
    def one(role: str, *orgs: str, refusal: str | None = None) -> CodeRabbitKey:
        return CodeRabbitKey(credentials.coderabbit_key(seed, role), orgs, len(orgs) > 1, refusal)

    return {
        "admin": one("admin", MAIN_ORG),
        "workspace": one("workspace", MAIN_ORG, OTHER_ORG),
        "other": one("other", OTHER_ORG),
        "member": one("member", MAIN_ORG, refusal="NOT_ADMIN"),
        "legacy": one("legacy", MAIN_ORG, refusal="LEGACY_API_KEY"),
    }
