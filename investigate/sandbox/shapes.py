"""One DevRev event as a line of JSON, under five sets of field names: the vendor publishes none.

Lines are joined from fragments serialised once an actor, object or method: a log of 50 million needs that.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

from investigate.sandbox import clock
from investigate.sandbox.catalogue import Operation
from investigate.sandbox.settings import ShapeName
from investigate.sandbox.stream import Event
from investigate.sandbox.world import Actor, Credential, Thing, Workspace

_FAILED: Final = 400


@dataclass(frozen=True, slots=True)
class Facts:
    """What an export can be filtered by, read back from a line. `micros` since 1970 UTC, cut to the line's digits."""

    micros: int
    category: str
    operation_type: str
    user: str | None


class Shape(ABC):
    """A set of field names: writes an event as a line, reads from a line what a filter needs."""

    def __init__(self, workspace: Workspace) -> None:
        self._fixed = self._workspace(workspace)
        self._callers: dict[Credential | None, str] = {}
        self._operations: dict[tuple[Operation, int], str] = {}
        self._things: dict[Thing, str] = {}
        self._agents: dict[str | None, str] = {}
        self._hour = (-1, "")

    def line(self, event: Event) -> str:
        """The event as JSON without a line end."""
        caller = self._callers.get(event.credential)  # a credential is one actor's, and none is nobody's
        if caller is None:
            caller = f"{self._actor(event.actor)},{self._credential(event.credential)}"
            self._callers[event.credential] = caller
        method = (event.operation, event.status)
        operation = self._operations.get(method)
        if operation is None:
            operation = self._operations[method] = self._operation(*method)
        agent = self._agents.get(event.agent)
        if agent is None:
            agent = self._agents[event.agent] = _json(event.agent)
        return self._line(event, caller, operation, self._objects(event.things), agent)

    def _time(self, micros: int) -> str:
        hour, rest = divmod(micros, clock.HOUR)
        if hour != self._hour[0]:
            self._hour = (hour, clock.iso(hour * clock.HOUR, "hours")[:-1])
        minute, rest = divmod(rest, clock.MINUTE)
        digits = f"{rest:08d}"
        return f"{self._hour[1]}:{minute:02d}:{digits[:2]}.{digits[2:]}Z"

    def _objects(self, things: tuple[Thing, ...]) -> str:
        known = self._things
        parts = []
        for thing in things:
            part = known.get(thing)
            if part is None:
                part = known[thing] = self._thing(thing)
            parts.append(part)
        return ",".join(parts)

    def facts(self, record: dict[str, Any]) -> Facts:
        """What filters need of a decoded line."""
        time, category, operation_type, user = self._read(record)
        return Facts(clock.parse(time), category, operation_type, user)

    @abstractmethod
    def _workspace(self, workspace: Workspace) -> str: ...
    @abstractmethod
    def _actor(self, actor: Actor | None) -> str: ...
    @abstractmethod
    def _credential(self, credential: Credential | None) -> str: ...
    @abstractmethod
    def _operation(self, operation: Operation, status: int) -> str: ...
    @abstractmethod
    def _thing(self, thing: Thing) -> str: ...
    @abstractmethod
    def _line(self, event: Event, caller: str, operation: str, things: str, agent: str) -> str: ...
    @abstractmethod
    def _read(self, record: dict[str, Any]) -> tuple[str, str, str, str | None]: ...


class Nested(Shape):
    """Snake case, a group of fields for each question."""

    def _workspace(self, workspace: Workspace) -> str:
        return _fields(dev_org={"id": workspace.don, "slug": workspace.slug})

    def _actor(self, actor: Actor | None) -> str:
        if actor is None:
            return '"actor":null'
        return _fields(actor={"id": actor.don, "type": actor.kind, "display_name": actor.name, "email": actor.email})

    def _credential(self, credential: Credential | None) -> str:
        return _fields(credential=credential and {"id": credential.don, "type": credential.kind})

    def _operation(self, operation: Operation, status: int) -> str:
        return _fields(
            action={"method": operation.method, "path": f"/{operation.method}", "http_method": "POST"},
            operation_type=operation.operation_type,
            category=operation.category,
            outcome={"status": _outcome(status), "http_status": status},
        )

    def _thing(self, thing: Thing) -> str:
        return _json({"id": thing.don, "type": thing.kind, "display_id": thing.display, "title": thing.title})

    def _line(self, event: Event, caller: str, operation: str, things: str, agent: str) -> str:
        return (
            f'{{"id":"{event.uid}","timestamp":"{self._time(event.micros)}",{caller},{operation},'
            f'"objects":[{things}],"context":{{"ip_address":{_text(event.address)},"user_agent":{agent},'
            f'"request_id":{_text(event.request)}}},{self._fixed}}}'
        )

    def _read(self, record: dict[str, Any]) -> tuple[str, str, str, str | None]:
        actor = record["actor"]
        return record["timestamp"], record["category"], record["operation_type"], actor and actor["id"]


class Wrapped(Nested):
    """The nested entry under one key, beside a schema version."""

    def _line(self, event: Event, caller: str, operation: str, things: str, agent: str) -> str:
        inner = super()._line(event, caller, operation, things, agent)
        return f'{{"schema_version":2,"event":{inner}}}'

    def _read(self, record: dict[str, Any]) -> tuple[str, str, str, str | None]:
        return super()._read(record["event"])


class Flat(Shape):
    """Snake case on one level, milliseconds, the objects' parallel lists."""

    def _workspace(self, workspace: Workspace) -> str:
        return _fields(dev_org_id=workspace.don, dev_org_slug=workspace.slug)

    def _actor(self, actor: Actor | None) -> str:
        if actor is None:
            return _fields(user_id=None, user_type=None, user_name=None, user_email=None)
        return _fields(user_id=actor.don, user_type=actor.kind, user_name=actor.name, user_email=actor.email)

    def _credential(self, credential: Credential | None) -> str:
        return _fields(token_id=credential and credential.don, token_type=credential and credential.kind)

    def _operation(self, operation: Operation, status: int) -> str:
        return _fields(
            method=operation.method,
            operation_type=operation.operation_type,
            category=operation.category,
            status=_outcome(status),
            http_status=status,
        )

    def _thing(self, thing: Thing) -> str:
        return _json(thing.don)

    def _time(self, micros: int) -> str:
        return super()._time(micros)[:-4] + "Z"

    def _line(self, event: Event, caller: str, operation: str, things: str, agent: str) -> str:
        title = _json(event.things[0].title) if event.things else "null"
        return (
            f'{{"id":"{event.uid}","timestamp":"{self._time(event.micros)}",{caller},{operation},'
            f'"object_ids":[{things}],"object_title":{title},"ip_address":{_text(event.address)},'
            f'"user_agent":{agent},"request_id":{_text(event.request)},{self._fixed}}}'
        )

    def _read(self, record: dict[str, Any]) -> tuple[str, str, str, str | None]:
        return record["timestamp"], record["category"], record["operation_type"], record["user_id"]


class Camel(Shape):
    """Camel case, nested, milliseconds."""

    def _workspace(self, workspace: Workspace) -> str:
        return _fields(devOrg={"id": workspace.don, "slug": workspace.slug})

    def _actor(self, actor: Actor | None) -> str:
        if actor is None:
            return '"actor":null'
        return _fields(actor={"id": actor.don, "type": actor.kind, "displayName": actor.name, "email": actor.email})

    def _credential(self, credential: Credential | None) -> str:
        return _fields(
            tokenId=credential and credential.don,
            tokenType=credential and credential.kind,
        )

    def _operation(self, operation: Operation, status: int) -> str:
        return _fields(
            apiMethod=operation.method,
            operationType=operation.operation_type,
            category=operation.category,
            outcome=_outcome(status).upper(),
            statusCode=status,
        )

    def _thing(self, thing: Thing) -> str:
        return _json({"id": thing.don, "type": thing.kind, "displayId": thing.display, "title": thing.title})

    def _time(self, micros: int) -> str:
        return super()._time(micros)[:-4] + "Z"

    def _line(self, event: Event, caller: str, operation: str, things: str, agent: str) -> str:
        return (
            f'{{"eventId":"{event.uid}","createdAt":"{self._time(event.micros)}",{caller},{operation},'
            f'"targets":[{things}],"sourceIp":{_text(event.address)},"userAgent":{agent},'
            f'"requestId":{_text(event.request)},{self._fixed}}}'
        )

    def _read(self, record: dict[str, Any]) -> tuple[str, str, str, str | None]:
        actor = record["actor"]
        return record["createdAt"], record["category"], record["operationType"], actor and actor["id"]


class Opaque(Shape):
    """Names that say little: only the values tell what is who, what and where."""

    def _workspace(self, workspace: Workspace) -> str:
        return _fields(realm=workspace.don)

    def _actor(self, actor: Actor | None) -> str:
        if actor is None:
            return _fields(principal_ref=None, principal_label=None, principal_contact=None)
        return _fields(principal_ref=actor.don, principal_label=actor.name, principal_contact=actor.email)

    def _credential(self, credential: Credential | None) -> str:
        return _fields(grant_ref=credential and credential.don)

    def _operation(self, operation: Operation, status: int) -> str:
        return _fields(
            op=operation.method,
            op_kind=operation.operation_type,
            area=operation.category,
            code=status,
        )

    def _thing(self, thing: Thing) -> str:
        return _json(thing.don)

    def _line(self, event: Event, caller: str, operation: str, things: str, agent: str) -> str:
        return (
            f'{{"k":"{event.uid}","at":"{self._time(event.micros)}",{caller},{operation},'
            f'"object_ref":[{things}],"peer":{_text(event.address)},"client":{agent},'
            f'"trace":{_text(event.request)},{self._fixed}}}'
        )

    def _read(self, record: dict[str, Any]) -> tuple[str, str, str, str | None]:
        return record["at"], record["area"], record["op_kind"], record["principal_ref"]


_SHAPES: Final[dict[ShapeName, type[Shape]]] = {
    ShapeName.NESTED: Nested,
    ShapeName.FLAT: Flat,
    ShapeName.CAMEL: Camel,
    ShapeName.WRAPPED: Wrapped,
    ShapeName.OPAQUE: Opaque,
}


def shape(name: ShapeName, workspace: Workspace) -> Shape:
    """The shape of that name, for the entries of one workspace."""
    return _SHAPES[name](workspace)


def _outcome(status: int) -> str:
    return "success" if status < _FAILED else "failure"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _fields(**values: object) -> str:
    """The values as members of an object, without its braces."""
    return _json(values)[1:-1]


def _text(value: str | None) -> str:
    # For values made here of letters, digits, dots and colons, which need no escaping.
    return "null" if value is None else f'"{value}"'
