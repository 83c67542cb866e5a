"""Everything this package raises on purpose: one sentence of cause, one of what to do next.

The tree::

    InvestigateError
    ├── UsageError                 wrong arguments; the command line exits with 2
    │   ├── BadTime                a time or window that cannot be meant
    │   ├── ConfigError            case.toml or the environment says something unusable
    │   ├── ProfileError           a normalising profile that is malformed or unknown
    │   └── QueryRefused           SQL that is not a read of the lake
    ├── SourceError                a vendor or a file did not hand its log over
    │   ├── VendorError            an HTTP answer that is an error; carries status and request
    │   │   ├── Unauthenticated    401
    │   │   ├── Forbidden          403
    │   │   ├── NotFound           404
    │   │   ├── BadRequest         any other 4xx
    │   │   ├── RateLimited        429, after all retries
    │   │   └── VendorUnavailable  5xx, or no connection, after all retries
    │   ├── LinkError              a presigned link that must not or cannot be followed
    │   │   ├── LinkExpired
    │   │   └── LinkRefused        wrong scheme, host or form
    │   ├── TransferError          a body cut short, of the wrong length, or redirected off-site
    │   └── ContainerError         a file that is no log: empty, HTML, damaged archive, a bomb
    ├── EvidenceError              evidence missing, changed or not recorded
    ├── CaseError                  a folder that is no case, or cannot be written
    ├── LakeError                  the lake could not be read or written
    └── Cancelled                  whoever asked has changed their mind
"""

from __future__ import annotations


class InvestigateError(Exception):
    """Any failure this package foresees.

    Args:
        message: one sentence that names the cause.
        hint: one sentence, often a command, that says what to do.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(InvestigateError):
    """The caller asked for something that cannot be meant."""


class BadTime(UsageError):
    """A time without a zone, not a time at all, or a window that ends before it starts."""


class ConfigError(UsageError):
    """`case.toml` or the environment holds something unusable, or a needed secret is missing."""


class ProfileError(UsageError):
    """A normalising profile is unknown or malformed."""


class QueryRefused(UsageError):
    """SQL that would do anything but read the lake."""


class SourceError(InvestigateError):
    """A vendor or a file did not hand its log over."""


class VendorError(SourceError):
    """An HTTP answer that is an error.

    Args:
        message: the vendor's own words, shortened, without secrets.
        hint: what to do.
        status: the HTTP status, None where no answer came.
        request: method and address without query or credentials, for example `GET https://host/path`.
    """

    def __init__(self, message: str, hint: str = "", *, status: int | None = None, request: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.request = request


class Unauthenticated(VendorError):
    """401: the token or key is missing, wrong or expired."""


class Forbidden(VendorError):
    """403: the identity behind the token may not read the audit log."""


class NotFound(VendorError):
    """404: no such address, organisation or file."""


class BadRequest(VendorError):
    """Any other 4xx: the vendor does not accept the request as it stands."""


class RateLimited(VendorError):
    """429 still, after all the waiting the retry budget allows."""


class VendorUnavailable(VendorError):
    """5xx or no connection still, after all the waiting the retry budget allows."""


class LinkError(SourceError):
    """A presigned link that must not or cannot be followed."""


class LinkExpired(LinkError):
    """The link's own signature says that its time is over."""


class LinkRefused(LinkError):
    """Not a presigned S3 link, or of a scheme or host that is not allowed."""


class TransferError(SourceError):
    """A body cut short, of the wrong length, changed half way, or redirected to another origin."""


class ContainerError(SourceError):
    """A file that holds no log: empty, HTML, a damaged archive, or one that expands without end."""


class EvidenceError(InvestigateError):
    """Evidence is missing, was changed, or is not what the ledger says."""


class CaseError(InvestigateError):
    """The folder is no case, belongs to a newer version, or cannot be written."""


class LakeError(InvestigateError):
    """The lake could not be read or written."""


class Cancelled(InvestigateError):
    """Whoever asked has changed their mind: raised by a progress callback, it ends the acquisition."""


def first_line(error: BaseException) -> str:
    """The first line of what an error of another program says, 300 characters at most; its kind where it is silent."""
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__


def cause(error: BaseException) -> str:
    """What went wrong, in one sentence: this package's own words, the system's reason, else that it is a fault of ours.

    May repeat a secret that the error was given: whoever shows it redacts it.
    """
    if isinstance(error, InvestigateError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    said = f": {first_line(error)}" if str(error) else ""
    return f"This is a fault of investigate: {type(error).__name__}{said}"
