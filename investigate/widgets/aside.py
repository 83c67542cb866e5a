"""`Aside`: a table that a thread makes, on a cursor of its own, while its view goes on reading."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from investigate.errors import LakeError
from investigate.widgets.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from investigate.widgets.picked import Seat

_numbers: Final = count(1)


class Aside:
    """A table under way.

    Args:
        seat: whose version of the lake and whose tables the query reads; the thread has a cursor of its own.
        query: of this package's own; its rows are the table's.
        values: bound in the query.

    Attributes:
        table: its name.
    """

    def __init__(self, seat: Seat, query: str, values: Mapping[str, Any]) -> None:
        self.table = f"aside_{next(_numbers)}"
        self._beside, self._query, self._values = seat.beside(), query, dict(values)
        self._failed: LakeError | None = None
        self._turns = Turns(self._beside.cursor.interrupt)
        self._turns.take(self._make)

    @property
    def ready(self) -> bool:
        """Whether the table is there."""
        return not self._turns.busy and self._failed is None

    def wait(self) -> str:
        """The table's name, as soon as the table is there.

        Raises:
            LakeError: it failed, or was stopped.
        """
        self._turns.wait()
        if self._failed:
            raise self._failed
        return self.table

    def stop(self) -> None:
        """End the work early, and give back the table."""
        self._failed = LakeError("The query was stopped.", "Ask again.")
        self._turns.take(self._drop)

    def _make(self, current: Callable[[], bool]) -> None:
        try:
            if current():
                self._beside.run(f"CREATE TABLE {self.table} AS {self._query}", self._values)
        except LakeError as error:
            self._failed = self._failed or error

    def _drop(self, _current: Callable[[], bool]) -> None:
        with suppress(LakeError):  # interrupted by who stops it again, or by the end of the process
            self._beside.run(f"DROP TABLE IF EXISTS {self.table}")
