"""Tokens and keys: whether there is one, a field to hand one over, and what the doctor finds.

A secret goes to this process's environment or to the system's keyring, never into the notebook.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import ipywidgets

from investigate.case.credentials import Credential, credentials, keep, use
from investigate.case.doctor import Check, examine, worst
from investigate.widgets.collect_piece import Notice, Piece
from investigate.widgets.jobs import Job, sentences
from investigate.widgets.link import SecretField
from investigate.widgets.part import layout

if TYPE_CHECKING:
    from pydantic import SecretStr

    from investigate.case import Case

_ACTIONS: Final = {"use": "Use in this session", "keep": "Keep in the keyring"}
_NAMES: Final = {"devrev": "DevRev token", "coderabbit": "CodeRabbit key"}
_KINDS: Final = {"ok": "good", "warn": "warn", "fail": "bad"}
_VERDICTS: Final = {
    "ok": "Nothing stands in the way.",
    "warn": "There is something to look at above.",
    "fail": "Something stands in the way; what to do about it is said above.",
}


class Credentials(Piece):
    """A field for each vendor's secret, and the doctor's panel.

    Args:
        case: whose vendors the doctor looks at.

    Attributes:
        fields: a field by vendor.
        notice: which vendor has a credential, and where.
        doctor_button: looks at credentials, reachability, clock, permissions, space and journal.
        findings: what that found.
        job: the looking.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self.fields = {
            vendor: SecretField(
                partial(self.hand_over, vendor),
                name,
                _ACTIONS,
                placeholder="paste it here; it is not kept in the notebook",
            )
            for vendor, name in _NAMES.items()
        }
        self.notice, self.findings, self.job = Notice(), Notice(), Job()
        self.doctor_button = ipywidgets.Button(layout=layout(), description="Check everything")
        self.doctor_button.on_click(lambda _button: self.examine())
        super().__init__(self.notice, *self.fields.values(), self.doctor_button, self.findings, self.job)
        self.refresh()

    def refresh(self) -> None:
        """Look again which credentials there are."""
        try:
            self.notice.say(*(_known(one) for one in credentials()))
        except Exception as error:  # noqa: BLE001 - a keyring may raise anything; it is said in the widget
            cause, remedy = sentences(error)
            self.notice.say(("bad", cause), remedy)

    def hand_over(self, vendor: str, action: str, secret: SecretStr) -> None:
        """Use a secret in this session, or keep it in the keyring.

        Args:
            vendor: `devrev` or `coderabbit`.
            action: `use` or `keep`.
            secret: goes nowhere else.
        """
        with self.job.guarded(_NAMES[vendor]):
            (keep if action == "keep" else use)(vendor, secret)
            where = "kept in the system's keyring" if action == "keep" else "used until this kernel ends"
            self.job.say(f"It is {where}.", title=_NAMES[vendor])
        self.refresh()

    def examine(self) -> bool:
        """Look at all that an acquisition needs; whether a job was started."""

        def look(_progress: object) -> list[Check]:
            found: list[Check] = []
            for check in examine(self._case):
                found.append(check)
                self.findings.say(*(line for one in found for line in _finding(one)))
            return found

        return self.job.run("Looking at what an acquisition needs", look, lambda found: _VERDICTS[worst(found)])

    def texts(self) -> list[str]:
        """Which credentials there are, and what the doctor found."""
        return [*self.notice.texts(), *self.findings.texts()]


def _known(one: Credential) -> tuple[str, str]:
    if one.fault:
        return "bad", f"{_NAMES[one.vendor]}: {one.fault}"
    if not one.where:
        return "warn", f"{_NAMES[one.vendor]}: there is none. Needed is {one.what}."
    return "good", f"{_NAMES[one.vendor]}: there is one, in the {one.where}."


def _finding(check: Check) -> list[tuple[str, str]]:
    remedy = [("plain", check.remedy)] if check.remedy and check.state != "ok" else []
    return [(_KINDS[check.state], f"{check.check}: {check.detail}"), *remedy]
