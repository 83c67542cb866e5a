"""What an S3 ETag vouches for: whether it names one version of a file for certain, and the MD5 it may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MD5: Final = re.compile(r'"([0-9a-f]{32})"')
_CUSTOMER_KEY: Final = "x-amz-server-side-encryption-customer-algorithm"


def is_strong(etag: str) -> bool:
    """Whether the ETag vouches for every byte; a weak one does not (RFC 9110, 8.8.1)."""
    return bool(etag) and not etag.startswith("W/")


def stated_md5(headers: Mapping[str, str]) -> str | None:
    """The MD5 of the whole file in hexadecimal, None where the ETag is none.

    It is one for an object put in one piece and encrypted by S3 itself or not at all; for one put in parts, or
    encrypted by KMS or with a customer's key, it is something else (S3 API reference, "Object").

    Args:
        headers: of S3's answer, by lower-case name.
    """
    encrypted = headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or _CUSTOMER_KEY in headers
    found = None if encrypted else _MD5.fullmatch(headers.get("etag", ""))
    return found[1] if found else None
