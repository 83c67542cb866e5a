"""The field a presigned link is pasted into, and what then becomes of it: checked at once, downloaded on request.

The link is a key to the file. It reaches the kernel as a message, never as a widget's state: neither a saved notebook
nor its widgets' state can hold it, and the field on the page is empty again before the kernel has answered.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets
from pydantic import SecretStr

from investigate.case.board import Offer, offer
from investigate.case.coverage import span
from investigate.case.display import visible
from investigate.widgets.collect_piece import WIDE, Notice, Piece, account
from investigate.widgets.jobs import Job, sentences
from investigate.widgets.part import Part, layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from investigate.case import Acquisition, Case

_ANY: Final = ("found by the times inside the log", "")


class SecretField(Part):
    """A field whose content is handed over as a message and forgotten; no trait ever holds it.

    Traits sent to the page: `label`, `placeholder`, `masked`, `at_once` (hand over on paste) and `actions`, each a
    name and the words on its button.

    Args:
        take: called with the action's name and the secret.
        label: of the field.
        actions: name to the words on its button.
        placeholder: what belongs into the field.
        masked: whether dots are shown in place of characters.
        at_once: whether pasting hands over, with the first action.
    """

    script = "secret.js"
    style = "collect.css"

    label = traitlets.Unicode("").tag(sync=True)
    placeholder = traitlets.Unicode("").tag(sync=True)
    masked = traitlets.Bool(default_value=True).tag(sync=True)
    at_once = traitlets.Bool(default_value=False).tag(sync=True)
    focused = traitlets.Int(0).tag(sync=True)
    actions: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(
        self,
        take: Callable[[str, SecretStr], object],
        label: str,
        actions: Mapping[str, str],
        *,
        placeholder: str = "",
        masked: bool = True,
        at_once: bool = False,
    ) -> None:
        buttons = [[name, words] for name, words in actions.items()]
        super().__init__(
            label=label, still=label, actions=buttons, placeholder=placeholder, masked=masked, at_once=at_once
        )
        self._take = take
        self.on_msg(self._from_page)

    def focus(self) -> None:
        """Put the cursor into the field on the page."""
        self.focused += 1

    def _from_page(self, _widget: SecretField, content: Mapping[str, Any], _buffers: object) -> None:
        names = {name for name, _ in self.actions}
        if content.get("do") in names and isinstance(content.get("value"), str):
            self._take(str(content["do"]), SecretStr(content["value"]))


class LinkField(Piece):
    """Paste a link: whose it is and until when it lives; then download it, keep it, read it, commit it.

    Args:
        case: where to.
        then: called whenever a request or the coverage may have changed.

    Attributes:
        field: takes the link.
        request: which request it answers; by default the log's own times tell.
        download_button: collects what was pasted last.
        notice: what the link is.
        job: the download.
    """

    def __init__(self, case: Case, then: Callable[[], object] = lambda: None) -> None:
        self._case, self._then = case, then
        self._offer: Offer | None = None
        self.field = SecretField(
            lambda _action, secret: self.paste(secret.get_secret_value()),
            "Link from the notification",
            {"check": "Check link"},
            placeholder="https://….amazonaws.com/…?X-Amz-…  (paste it here; it is not kept)",
            at_once=True,
        )
        self.request = ipywidgets.Dropdown(
            options=[_ANY], value="", description="It answers", style=WIDE, layout=layout()
        )
        self.download_button = ipywidgets.Button(
            layout=layout(), description="Download", button_style="primary", disabled=True
        )
        self.download_button.on_click(lambda _button: self.download())
        self.notice, self.job = Notice(), Job()
        super().__init__(self.request, self.field, self.notice, self.download_button, self.job)
        self.refresh()

    def refresh(self) -> None:
        """Read again which requests are open."""
        try:
            open_ones = [one for one in self._case.journal.requests() if one.state != "collected"]
        except Exception as error:  # noqa: BLE001 - shown where the person looks
            self.notice.say(*(("bad", line) for line in sentences(error)))
            return
        chosen = self.request.value
        options = [_ANY, *((f"{one.id}: {span(one.window)} UTC, {one.state}", one.id) for one in open_ones)]
        self.request.options = options
        self.request.value = chosen if chosen in {value for _, value in options} else ""

    def aim(self, request: str) -> None:
        """Have the next link answer this request, and put the cursor into the field."""
        self.refresh()
        self.request.value = request if request in {value for _, value in self.request.options} else ""
        self.field.focus()

    def paste(self, link: str) -> bool:
        """Check a link; whether it can be downloaded. What it is, or why it is refused, the notice says."""
        pasted = SecretStr(link)
        del link  # a traceback that shows variables shows this frame
        self._offer = None
        try:
            now = datetime.now(UTC)
            self._offer = offer(self._case, pasted.get_secret_value(), request=self.request.value or None, now=now)
            self.notice.say(*(("good" if n == 0 else "plain", line) for n, line in enumerate(self._offer.lines(now))))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said in the widget, and without the link
            cause, remedy = sentences(error)
            self.notice.say(("bad", cause), remedy)
        self.download_button.disabled = self._offer is None
        self._changed()
        return self._offer is not None

    def download(self) -> bool:
        """Collect the link that was pasted last; whether a job was started."""
        offered = self._offer
        if offered is None:
            return False
        request = offered.request.id if offered.request else None
        return self.job.run(
            f"Collecting {visible(offered.link.name, 100)}",
            lambda progress: self._case.devrev.collect(
                offered.link.url.get_secret_value(), request=request, progress=progress
            ),
            self._collected,
            after=self._changed,
        )

    def texts(self) -> list[str]:
        """What the last link was, and what came of it; never the link."""
        said = self.notice.texts() or ["No link was pasted yet."]
        return [*said, *str(self.job).splitlines()]

    def _collected(self, acquisition: Acquisition) -> str:
        self._offer = None
        self.download_button.disabled = True
        return account(acquisition)

    def _changed(self) -> None:
        self.refresh()
        self._then()
