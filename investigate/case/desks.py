"""`case.devrev` and `case.coderabbit`: each vendor's log into this case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from investigate import config
from investigate.case.acquisition import Acquisition, Fetched, acquire, cut_off
from investigate.errors import ContainerError, InvestigateError, LinkError, LinkExpired, UsageError
from investigate.events import TimeLike, Window, iso
from investigate.evidence.ledger import operator
from investigate.journal import ExportRequest, RequestState
from investigate.sources import coderabbit, devrev
from investigate.sources.download import download
from investigate.sources.link import Link
from investigate.sources.received import silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from investigate.case.case import Case
    from investigate.sources.coderabbit import FilterOptions
    from investigate.sources.received import Progress


@dataclass(frozen=True)
class Asked:
    """An export that was asked for.

    Attributes:
        request: as the journal keeps it.
        warnings: one sentence each.
    """

    request: ExportRequest
    warnings: tuple[str, ...]


class DevRev:
    """DevRev's asynchronous exports: ask, wait for the notification, collect the link."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def request_export(
        self,
        start: TimeLike,
        end: TimeLike | None = None,
        *,
        categories: Sequence[str] = (),
        operation_types: Sequence[str] = (),
        users: Sequence[str] = (),
    ) -> ExportRequest:
        """Ask DevRev for an export of one window.

        Args:
            start: see `Window.of`.
            end: not included; None means now.
            categories: the vendor's words; empty: all.
            operation_types: of create, read, update, delete, other; empty: all.
            users: the vendor's ids; empty: all.

        Returns:
            The request, in state `requested`. The link comes to the administrator whose token asked.

        Raises:
            BadTime: an empty window, or one in the future.
            ConfigError: no token.
            VendorError: DevRev does not accept it.
        """
        chosen = devrev.ExportFilter(tuple(categories), tuple(operation_types), tuple(users))
        return self.request_exports(Window.of(start, end), chosen)[0].request

    def request_exports(
        self, window: Window, chosen: devrev.ExportFilter, *, split: timedelta | None = None
    ) -> list[Asked]:
        """Ask for a window in one or several exports; see `request_export`.

        Args:
            window: UTC.
            chosen: what to narrow it to.
            split: the length of each export; None asks for all at once.
        """
        settings, asked = self._case.config, []
        with devrev.client(settings.devrev, config.secret("devrev"), settings.http) as client:
            for part in devrev.plan(window, split=split):
                accepted = devrev.request_export(client, part, chosen)
                kept = self._case.journal.add_request(
                    part, chosen.as_json(), operator=operator(), now=accepted.requested_at
                )
                asked.append(Asked(kept, accepted.warnings))
        return asked

    def exports(self, *, now: datetime | None = None) -> list[tuple[ExportRequest, str]]:
        """Every request, newest first, and what to do next about it.

        Args:
            now: the present, aware; None reads the clock.
        """
        present, found = now or datetime.now(UTC), []
        for request in self._case.journal.requests():
            waiting = request.state in {RequestState.linked, RequestState.downloading}
            if waiting and request.link_expires_at and request.link_expires_at <= present and self._case.writable:
                request = self._case.journal.update_request(request.id, state=RequestState.expired)  # noqa: PLW2901
            advice = devrev.advice(
                request.state, request.requested_at, request.link_expires_at, present, request.window
            )
            found.append((request, advice))
        return found

    def request_again(self, request: ExportRequest | str) -> Asked:
        """Ask once more for what a request asked for: its window, its filter.

        Args:
            request: the earlier one, or its id; it stays as it is.

        Raises:
            UsageError: there is no such request.
            ConfigError: no token.
            VendorError: DevRev does not accept it.
        """
        earlier = self._case.journal.request(request if isinstance(request, str) else request.id)
        chosen = devrev.ExportFilter(**{name: tuple(values) for name, values in earlier.filter.items()})
        return self.request_exports(earlier.window, chosen)[0]

    def warnings_for(self, window: Window, *, now: datetime | None = None) -> tuple[str, ...]:
        """What a person should know before asking for a window: that its end is too young to be complete, for one.

        Args:
            window: UTC.
            now: the present, aware; None reads the clock.
        """
        return devrev.warnings_for(window, now or datetime.now(UTC))

    def check_link(self, link: str, *, request: ExportRequest | str | None = None) -> Link:
        """The link, if it may be followed now; asks nobody.

        Args:
            link: as pasted.
            request: the request it answers, if that is known.

        Raises:
            LinkExpired: with the time it died and the command that asks again.
            LinkRefused: no presigned link, or of a scheme or host that is not allowed.
        """
        pasted = SecretStr(link)
        del link  # a traceback that shows variables shows this frame
        known = self._known(request)
        wanted = known or self._latest()
        try:
            return Link.parse(
                pasted.get_secret_value(),
                now=datetime.now(UTC),
                allowed_hosts=self._case.config.devrev.link_hosts,
                window=wanted.window if wanted else None,
            )
        except LinkExpired:
            if known and known.state is not RequestState.collected:
                self._case.journal.update_request(known.id, state=RequestState.expired)
            raise

    def collect(
        self, link: str, *, request: ExportRequest | str | None = None, progress: Progress = silent
    ) -> Acquisition:
        """Download an export, keep it, normalise it, commit it.

        Args:
            link: the presigned link, as it came in the notification. A dead one will do where all of the file is
                evidence already, of a run that was cut off.
            request: the request it answers; None finds it by the times inside the log.
            progress: told how far it is.

        Raises:
            LinkError: the link is expired, malformed, of another host, or the server refuses it.
            TransferError: the download broke off for good; calling again goes on where it stopped.
            ContainerError: what came is no log; it is kept as evidence all the same.
        """
        pasted = SecretStr(link)
        del link  # a traceback that shows variables shows this frame
        known = self._known(request)
        spec = self._spec(pasted, known)
        if done := cut_off(self._case, "devrev", "devrev", spec, progress):
            return done
        found = self.check_link(pasted.get_secret_value(), request=request)
        if known and known.state is not RequestState.collected:
            self._case.journal.update_request(
                known.id, state=RequestState.linked, link_expires_at=found.expires_at, link_name=found.address
            )
            self._case.journal.update_request(known.id, state=RequestState.downloading)
        settings = self._case.config
        window = known.window if known else None

        from investigate.case.early import Early  # noqa: PLC0415 - engines, which a list of exports needs not

        early = Early(self._case, "devrev", settings.devrev.tenant)

        def fetch() -> Fetched:
            store, told = self._case.evidence, early.arriving
            received = download(found, store, settings.http, progress=progress, window=window, arriving=told)
            extra = {
                "request": known.id if known else None,
                "signed_at": iso(found.signed_at) if found.signed_at else None,
                "tenant": settings.devrev.tenant,
            }
            return Fetched(received, window, dict(known.filter) if known else {}, extra)

        try:
            return acquire(self._case, "devrev", "devrev", spec, fetch, progress, early)
        except (LinkError, ContainerError) as error:
            self._note_failure(known, error)
            raise

    def _spec(self, link: SecretStr, known: ExportRequest | None) -> dict[str, Any]:
        """What an export is known by, whatever the signature of its link, and whether that is alive."""
        hosts = self._case.config.devrev.link_hosts
        found = Link.parse(link.get_secret_value(), now=None, allowed_hosts=hosts)
        spec: dict[str, Any] = {"file": found.key, "request": known.id if known else None}
        if known:
            spec |= {"window": known.window.as_json(), "filter": known.filter}
        return spec

    def _note_failure(self, known: ExportRequest | None, error: InvestigateError) -> None:
        if known and self._case.journal.request(known.id).state is not RequestState.collected:
            state = RequestState.expired if isinstance(error, LinkExpired) else RequestState.failed
            self._case.journal.update_request(known.id, state=state, note=error.message)

    def _known(self, request: ExportRequest | str | None) -> ExportRequest | None:
        if request is None:
            return None
        return self._case.journal.request(request if isinstance(request, str) else request.id)

    def _latest(self) -> ExportRequest | None:
        open_ones = [one for one in self._case.journal.requests() if one.state is not RequestState.collected]
        return open_ones[0] if open_ones else None


class CodeRabbit:
    """CodeRabbit's paginated audit log."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def pull(
        self,
        start: TimeLike,
        end: TimeLike | None = None,
        *,
        actions: Sequence[str] = (),
        resource_types: Sequence[str] = (),
        search: str | None = None,
        progress: Progress = silent,
    ) -> Acquisition:
        """Read every entry of a window, keep the pages, normalise them, commit them.

        Args:
            start: see `Window.of`.
            end: not included; None means now.
            actions: action keys, at most 50; empty: all.
            resource_types: resource type keys, at most 50; empty: all.
            search: part of the actor's name.
            progress: told how far it is.

        Returns:
            The acquisition. What could not be proven complete counts as `failed` in its coverage, with a warning.

        Raises:
            UsageError: a filter the vendor does not take, or a window that has not settled.
            ConfigError: no key.
            VendorError: the vendor answers with an error.
        """
        chosen = coderabbit.CodeRabbitFilter(search, tuple(actions), tuple(resource_types))
        settings = self._case.config
        window = Window.of(start, end)
        if window.start == window.end:
            raise UsageError(f"The window {window} is empty.", "Give an end after the start.")
        narrowed = {name: value.split(",") for name, value in chosen.as_params().items()}
        if settings.coderabbit.org_id:
            narrowed["org_id"] = [settings.coderabbit.org_id]
        key = config.secret("coderabbit")

        def fetch() -> Fetched:
            with coderabbit.client(settings.coderabbit, key, settings.http) as client:
                pulled = coderabbit.pull(
                    client,
                    window,
                    chosen,
                    store=self._case.evidence,
                    org_id=settings.coderabbit.org_id,
                    settle=settings.coderabbit.settle_seconds,
                    progress=progress,
                )
            extra = {
                "complete": [part.as_json() for part in pulled.complete],
                "unproven": [part.as_json() for part in pulled.unproven],
                "total": pulled.total,
                "rereads": pulled.rereads,
                "tenant": settings.coderabbit.tenant,
            }
            return Fetched(pulled, pulled.window, narrowed, extra)

        spec = {"window": window.as_json(), "filter": narrowed, "tenant": settings.coderabbit.tenant}
        return acquire(self._case, "coderabbit", "coderabbit", spec, fetch, progress)

    def filter_options(self) -> FilterOptions:
        """The actions and resource types that occur in the log, with their counts.

        Raises:
            ConfigError: no key.
            VendorError: the vendor answers with an error.
        """
        settings = self._case.config
        with coderabbit.client(settings.coderabbit, config.secret("coderabbit"), settings.http) as client:
            return coderabbit.filter_options(client, org_id=settings.coderabbit.org_id)
