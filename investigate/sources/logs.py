"""Keeps secrets out of what the libraries underneath log: httpx logs whole addresses, httpcore whole headers."""

from __future__ import annotations

import logging
import re
from typing import Final

from investigate.evidence.redact import RedactingFilter

_LOGGERS: Final = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "stamina",
)
"""A filter holds for records of its own logger alone, not for those of its children: so each one by name."""
_RESPONSE_HEADERS: Final = re.compile(r"(receive_response_headers\.complete return_value=\(.*?), \[.*", re.DOTALL)


class _Quiet(RedactingFilter):
    """Redacts; leaves out response headers, cookies among them; says in words what stamina puts in fields."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "stamina.caused_by" in record.__dict__:
            wait, cause = record.__dict__["stamina.wait_for"], record.__dict__["stamina.caused_by"]
            record.msg, record.args = "Trying again in %s s: %s", (wait, cause)
        super().filter(record)
        record.msg = _RESPONSE_HEADERS.sub(r"\1", record.msg)
        return True


_QUIET: Final = _Quiet()


def quiet() -> None:
    """Install the filter; doing so again changes nothing."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_QUIET)
    # botocore's debug lines hold signatures and session tokens in forms of its own.
    botocore = logging.getLogger("botocore")
    if botocore.level == logging.NOTSET:
        botocore.setLevel(logging.INFO)
