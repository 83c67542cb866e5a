"""Where an address points, compared as parsed and never by substring, and whether it can be trusted with a secret."""

from __future__ import annotations

import ipaddress
import ssl
from typing import Final

import httpx

from investigate.errors import ConfigError
from investigate.evidence.redact import redact
from investigate.sources.answers import shown

_PORTS: Final = {"http": 80, "https": 443}


def origin(url: httpx.URL) -> str:
    """Scheme, host and port, `https://host:443`; the host in ASCII and lower case."""
    host = url.raw_host.decode("ascii").lower()
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{url.port or _PORTS.get(url.scheme, 0)}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: `localhost`, 127.0.0.0/8 or ::1, written as such."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def base_address(base_url: str) -> httpx.URL:
    """A vendor's address, once it is certain that no secret is part of it and none will travel in the clear.

    Raises:
        ConfigError: it is none, or plain http to another machine.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        raise ConfigError(
            f"Not a base address: {redact(shown(base_url))[:200]!r}.", "Write https://host, with a path if need be."
        )
    if url.scheme == "http" and not is_loopback(url.host):
        raise ConfigError(
            f"Credentials are not sent to {url.host} over plain http.", f"Write https://{url.host} as base_url."
        )
    return url


def is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate nobody vouches for is behind this error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
