"""The tokens and keys of the vendors: where there is one, and how a new one is handed over unwritten."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from investigate import config
from investigate.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pydantic import SecretStr


@dataclass(frozen=True)
class Credential:
    """What is known of a vendor's token or key; never the secret itself.

    Attributes:
        vendor: `devrev` or `coderabbit`.
        variable: the environment variable it is read from first.
        what: what kind of secret is needed.
        where: `environment`, `keyring`, or empty where there is none.
        fault: why the one that is there cannot be used; empty where it can.
    """

    vendor: str
    variable: str
    what: str
    where: str
    fault: str = ""


def credentials() -> list[Credential]:
    """Which credentials this process has, by vendor."""
    return [_credential(vendor) for vendor in config.SECRETS]


def use(vendor: str, value: SecretStr) -> None:
    """Use a token or key until this process ends: it goes into its environment, and nowhere else.

    Args:
        vendor: `devrev` or `coderabbit`.
        value: the secret.

    Raises:
        ConfigError: empty, or with characters that no token has.
    """
    checked = _checked(vendor, value)
    os.environ[config.SECRETS[vendor][0]] = checked.get_secret_value()


def keep(vendor: str, value: SecretStr) -> None:
    """Put a token or key into the system's keyring, from where every later process reads it.

    One that the environment of this process holds would hide it, and is taken out.

    Args:
        vendor: `devrev` or `coderabbit`.
        value: the secret.

    Raises:
        ConfigError: empty, with characters that no token has, or there is no keyring that takes it.
    """
    import keyring  # noqa: PLC0415 - slow to import, seldom needed
    from keyring.errors import KeyringError  # noqa: PLC0415

    checked = _checked(vendor, value)
    variable = config.SECRETS[vendor][0]
    try:
        keyring.set_password(config.KEYRING_SERVICE, vendor, checked.get_secret_value())
        kept = keyring.get_password(config.KEYRING_SERVICE, vendor) == checked.get_secret_value()
    except (KeyringError, RuntimeError):
        kept = False
    if not kept:
        raise ConfigError(
            "This system has no keyring that keeps it.", f"Use it for this session only, or set {variable} yourself."
        )
    os.environ.pop(variable, None)


def _credential(vendor: str) -> Credential:
    variable, what = config.SECRETS[vendor]
    try:
        config.secret(vendor)
    except ConfigError as error:
        there = bool(os.environ.get(variable, "").strip())
        return Credential(vendor, variable, what, "", error.message if there else "")
    return Credential(vendor, variable, what, "environment" if os.environ.get(variable, "").strip() else "keyring")


def _checked(vendor: str, value: SecretStr) -> SecretStr:
    if vendor not in config.SECRETS:
        raise UsageError(f"{vendor!r} needs no credential.", f"Vendors are {' and '.join(config.SECRETS)}.")
    if not value.get_secret_value().strip():
        raise ConfigError("There is nothing in the field.", f"Paste {config.SECRETS[vendor][1]}.")
    return config.secret(vendor, {config.SECRETS[vendor][0]: value.get_secret_value()})
