"""The form that takes in audit logs that are files already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from investigate.case.display import visible
from investigate.case.inspection import profile_names
from investigate.errors import UsageError
from investigate.widgets.collect_piece import WIDE, Piece, account
from investigate.widgets.collect_window import WindowEntry
from investigate.widgets.jobs import Job
from investigate.widgets.part import layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from investigate.case import Case


class FilesForm(Piece):
    """Files, folders, patterns or S3 prefixes, and the profile they are read with.

    Args:
        case: where to.
        zone: see `WindowEntry`.
        then: called in the job's thread when it is over, however it ended.

    Attributes:
        paths: one a line.
        profile: how to read them.
        whole: whether they are known to be the whole log of a window.
        window: that window.
        import_button: takes them in.
        job: the taking in.
    """

    def __init__(self, case: Case, zone: str = "UTC", then: Callable[[], object] = lambda: None) -> None:
        self._case, self._then = case, then
        self.paths = ipywidgets.Textarea(
            description="Files",
            placeholder="one a line: logs/, more/*.json.gz, s3://bucket/prefix",
            style=WIDE,
            rows=3,
            layout=layout(width="40rem", max_width="100%"),
        )
        self.profile = ipywidgets.Dropdown(
            options=[("choose …", ""), *((name, name) for name in profile_names(case))],
            value="",
            description="Read as",
            style=WIDE,
        )
        self.whole = ipywidgets.Checkbox(
            description="They are the whole log of a window (else they cover their first event to their last)",
            indent=False,
            layout=layout(width="auto"),
        )
        self.window = WindowEntry(zone)
        self.window.layout = layout(display="none")
        self.whole.observe(self._open, "value")
        self.import_button = ipywidgets.Button(layout=layout(), description="Import", button_style="primary")
        self.import_button.on_click(lambda _button: self.submit())
        self.job = Job()
        super().__init__(self.paths, self.profile, self.whole, self.window, self.import_button, self.job)

    def submit(self) -> bool:
        """Take in what is entered; whether a job was started. What is wrong with the entry, the job says."""
        with self.job.guarded("Nothing was imported"):
            paths = [line.strip() for line in self.paths.value.splitlines() if line.strip()]
            if not paths:
                raise UsageError("No file is named.", "Write a file, a folder or a pattern, one a line.")
            profile = self.profile.value
            if not profile:
                raise UsageError("No profile is chosen.", "Choose how the files are to be read.")
            window = self.window.read() if self.whole.value else None
            covers = (window.start, window.end) if window else None
            return self.job.run(
                f"Importing {visible(', '.join(paths), 80)}",
                lambda progress: self._case.import_files(paths, profile, covers=covers, progress=progress),
                account,
                after=self._then,
            )
        return False

    def texts(self) -> list[str]:
        """What is entered, and what came of it."""
        named = [line.strip() for line in self.paths.value.splitlines() if line.strip()]
        entered = f"Files: {', '.join(named) or 'none named yet'}; read as {self.profile.value or 'nothing yet'}."
        return [entered, *(self.window.texts() if self.whole.value else []), *str(self.job).splitlines()]

    def _open(self, change: dict[str, bool]) -> None:
        self.window.layout = layout() if change["new"] else layout(display="none")
