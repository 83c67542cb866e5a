"""Tokens and keys: seen, used and kept, and never shown."""

from __future__ import annotations

import os

import keyring
import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from investigate import config
from investigate.case.credentials import credentials, keep, use
from investigate.errors import ConfigError, UsageError


class Memory(KeyringBackend):
    """A keyring that lasts as long as a test."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch) -> Memory:
    for variable, _ in config.SECRETS.values():
        monkeypatch.setenv(variable, "")  # so that what a test sets is undone
    memory = Memory()
    monkeypatch.setattr("keyring.core._keyring_backend", memory)
    return memory


def where() -> list[str]:
    return [one.where for one in credentials()]


def test_a_token_for_this_session_is_in_the_environment_alone(ring: Memory) -> None:
    assert where() == ["", ""]
    use("devrev", SecretStr("  token-4711 \n"))
    assert where() == ["environment", ""]
    assert (os.environ["DEVREV_TOKEN"], ring.kept) == ("token-4711", {})
    assert "token-4711" not in repr(credentials())


def test_a_kept_one_is_in_the_keyring_and_no_longer_hidden_by_the_environment(ring: Memory) -> None:
    use("coderabbit", SecretStr("old"))
    keep("coderabbit", SecretStr("new"))
    assert ring.kept == {("investigate", "coderabbit"): "new"}
    assert config.secret("coderabbit").get_secret_value() == "new"
    assert where() == ["", "keyring"]


@pytest.mark.parametrize("value", ["", "  ", "two words", "line\nbreak", "tok\u202een"])
def test_what_no_token_can_be_is_refused(value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        use("devrev", SecretStr(value))
    assert raised.value.hint
    assert where() == ["", ""]


def test_a_system_without_a_keyring_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from keyring.backends import fail, null  # noqa: PLC0415 - only here

    for backend in (fail.Keyring(), null.Keyring()):
        monkeypatch.setattr("keyring.core._keyring_backend", backend)
        with pytest.raises(ConfigError, match="no keyring"):
            keep("devrev", SecretStr("token"))
    assert keyring.get_password("investigate", "devrev") is None


def test_a_vendor_without_credentials_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        use("acme", SecretStr("x"))
