"""`case.toml` and the environment, typed; secrets from the environment or the system's keyring, never from a file.

Every setting of `[section] name` can also be given as `INVESTIGATE_SECTION_NAME`; the environment wins.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from investigate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CODERABBIT_REGIONS = {"us": "https://api.coderabbit.ai", "eu": "https://api.eu.coderabbit.ai"}
KEYRING_SERVICE = "investigate"
SECRETS = {
    "devrev": ("DEVREV_TOKEN", "a Personal Access Token of a DevRev administrator (Admins group)"),
    "coderabbit": ("CODERABBIT_API_KEY", "a non-agentic CodeRabbit API key of an Admin"),
}
"""Vendor to (environment variable, what the secret is); the keyring's user name is the vendor's."""
LEAST_MEMORY = 64 * 2**20
"""Bytes: with less the engines cannot work."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DevRevConfig(_Section):
    """`[devrev]`."""

    base_url: str = "https://api.devrev.ai"
    link_hosts: tuple[str, ...] = ()
    """Hosts besides `*.amazonaws.com` that a presigned link may point to; `*.example.com` takes subdomains."""
    tenant: str | None = None
    """The workspace (DON part `devo/<id>`), for exports that hold no entry to tell it from."""


class CodeRabbitConfig(_Section):
    """`[coderabbit]`."""

    region: Literal["us", "eu"] = "us"
    base_url: str | None = None
    """Overrides the region's address."""
    org_id: str | None = None
    tenant: str = "default"
    """What this organisation is called in the lake: CodeRabbit's entries do not name it."""
    settle_seconds: float = Field(default=60, ge=0)
    """The youngest span of a window that is left for a later pull, so that pages hold still."""

    @property
    def url(self) -> str:
        """The address pulls go to."""
        return self.base_url or CODERABBIT_REGIONS[self.region]


class HttpConfig(_Section):
    """`[http]`: all times in seconds."""

    connect_timeout: float = Field(default=10, gt=0)
    read_timeout: float = Field(default=60, gt=0)
    connections: int = Field(default=4, ge=1, le=32)
    """Requests under way at once to one vendor."""
    retry_attempts: int = Field(default=8, ge=1)
    retry_budget: float = Field(default=600, ge=0)
    """The longest a request may be retried, waiting included."""
    retry_after_floor: float = Field(default=0.5, ge=0)
    retry_after_ceiling: float = Field(default=120, gt=0)


class IngestConfig(_Section):
    """`[ingest]`: bounds on what input may make this program use; sizes in bytes."""

    memory: int = Field(default=512 * 2**20, ge=LEAST_MEMORY)
    jobs: int = Field(default=0, ge=0, le=64)
    """Threads that make events; 0 is one for each processor, four at most."""
    max_record: int = Field(default=16 * 2**20, ge=1024)
    """A longer record is a reject."""
    max_expanded: int = Field(default=2**40, ge=1024)
    """The most one evidence file may expand to."""
    max_ratio: int = Field(default=1000, ge=10)
    """The most a compressed member may expand by, once past 64 MiB."""


class LakeConfig(_Section):
    """`[lake]`."""

    uri: str | None = None
    """`s3://bucket/prefix`: the tables lie there, not in the case; login and endpoint are those boto3 finds."""
    keep_days: float = Field(default=7, ge=0)
    """So long an old version of the lake stays readable once its files were compacted."""


class DisplayConfig(_Section):
    """`[display]`."""

    zone: str = "UTC"


class Config(_Section):
    """The settings of one case."""

    version: int = 1
    devrev: DevRevConfig = DevRevConfig()
    coderabbit: CodeRabbitConfig = CodeRabbitConfig()
    http: HttpConfig = HttpConfig()
    ingest: IngestConfig = IngestConfig()
    lake: LakeConfig = LakeConfig()
    display: DisplayConfig = DisplayConfig()
    profiles: dict[str, dict[str, Any]] = {}
    """Columns of a profile by its name, laid over the shipped profile of that name."""


_PREFIX = "INVESTIGATE_"
_VARIABLES = tuple(f"{_PREFIX}{name.upper()}" for name in Config.model_fields)


def load(path: Path) -> Config:
    """The settings in `path` (`case.toml`; need not exist) under those of the environment.

    Raises:
        ConfigError: an unknown section, a name that is none, or a value of the wrong kind.
    """
    try:
        said = tomllib.loads(path.read_bytes().decode()) if path.is_file() else {}
        plain = said.keys() <= Config.model_fields.keys()
        if plain and not any(name.upper().startswith(_VARIABLES) for name in os.environ):
            return Config.model_validate(said)
        return _under_environment(path)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        if variable := _variable(place):
            raise ConfigError(f"{variable}: {first['msg']}.", f"Correct {variable} in the environment.") from None
        where = ".".join(place)
        raise ConfigError(f"{path.name}: {where}: {first['msg']}.", f"Correct {where} in {path}.") from None
    except ValueError as error:
        raise ConfigError(f"{path.name} is not TOML: {error}.", f"Correct {path}.") from error


def _under_environment(path: Path) -> Config:
    from pydantic_settings import (  # noqa: PLC0415 - a tenth of a short command's time, seldom needed
        BaseSettings,
        PydanticBaseSettingsSource,
        SettingsConfigDict,
        SettingsError,
        TomlConfigSettingsSource,
    )

    class Settings(BaseSettings, Config):
        model_config = SettingsConfigDict(
            extra="forbid", frozen=True, env_prefix=_PREFIX, env_nested_delimiter="_", env_nested_max_split=1
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """The environment wins over `case.toml`; no `.env`, no secret files."""
            del init_settings, dotenv_settings, file_secret_settings
            return env_settings, TomlConfigSettingsSource(settings_cls, path)

    try:
        return Settings()
    except SettingsError as error:  # which names the section alone
        section = re.search(r'field "(\w+)"', str(error))
        raise ConfigError(
            f"What is set by {_PREFIX}{section[1].upper() if section else '…'} in the environment is not JSON.",
            """A list or a whole section is written as JSON there: ["a", "b"].""",
        ) from None


def _variable(place: Sequence[str]) -> str:
    """The environment variable that gave the value at this place, as it is spelled; empty where none did."""
    given = {name.upper(): name for name in os.environ}
    if place[0] not in Config.model_fields:
        return ""
    if one := given.get(_PREFIX + "_".join(place[:2]).upper()):
        return one
    section = given.get(_PREFIX + place[0].upper(), "")
    return section if section and place[1] in json.loads(os.environ[section]) else ""


def secret(vendor: str, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """The token or key of `vendor`, from its environment variable, else from the keyring.

    Raises:
        ConfigError: neither has it.
    """
    variable, what = SECRETS[vendor]
    value = environ.get(variable, "").strip() or _from_keyring(vendor)
    if not value:
        raise ConfigError(
            f"No credential for {vendor}: {variable} is not set.",
            f"Set {variable} to {what}, or store it: keyring set {KEYRING_SERVICE} {vendor}",
        )
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigError(
            f"The credential in {variable} has characters that no token has.", "Copy it again, without line breaks."
        )
    return SecretStr(value)


def _from_keyring(vendor: str) -> str:
    import keyring  # noqa: PLC0415 - slow to import, seldom needed
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        return keyring.get_password(KEYRING_SERVICE, vendor) or ""
    except KeyringError:
        return ""
