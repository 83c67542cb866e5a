"""Settings from `case.toml` and the environment; secrets from the environment or the keyring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.errors import NoKeyringError

from investigate import config
from investigate.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_case_without_a_file_has_the_vendors_addresses(tmp_path: Path) -> None:
    loaded = config.load(tmp_path / "case.toml")
    assert (loaded.devrev.base_url, loaded.coderabbit.url) == ("https://api.devrev.ai", "https://api.coderabbit.ai")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "case.toml").write_text('[devrev]\nbase_url = "https://one"\ntenant = "acme"\n')
    monkeypatch.setenv("INVESTIGATE_DEVREV_BASE_URL", "https://two")
    loaded = config.load(tmp_path / "case.toml")
    assert (loaded.devrev.base_url, loaded.devrev.tenant) == ("https://two", "acme")


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("", {"investigate_devrev_tenant": "acme"}),
        ('[devrev]\nbase_url = "https://one"\n', {"INVESTIGATE_DEVREV": '{"tenant": "acme"}'}),
        ('[DevRev]\ntenant = "acme"\n', {}),
    ],
)
def test_settings_are_found_however_they_are_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, environment: dict[str, str]
) -> None:
    (tmp_path / "case.toml").write_text(text)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert config.load(tmp_path / "case.toml").devrev.tenant == "acme"


def test_the_region_chooses_the_address(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text('[coderabbit]\nregion = "eu"\n')
    assert config.load(tmp_path / "case.toml").coderabbit.url == "https://api.eu.coderabbit.ai"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[devrev]\nbase = 1\n", "devrev.base"),
        ('[coderabbit]\nregion = "mars"\n', "coderabbit.region"),
        ("[ingest]\nmemory = 1\n", "ingest.memory"),
        ("[devrev\n", "not TOML"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "case.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        config.load(tmp_path / "case.toml")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"INVESTIGATE_INGEST_JOBS": "abc"}, "INVESTIGATE_INGEST_JOBS: Input should be a valid integer"),
        ({"investigate_ingest_jbos": "3"}, "investigate_ingest_jbos: Extra inputs"),
        ({"INVESTIGATE_INGEST": '{"jobs": "abc"}'}, "INVESTIGATE_INGEST: Input should be a valid integer"),
        ({"INVESTIGATE_INGEST": "3"}, "INVESTIGATE_INGEST: Input should be a valid dictionary"),
        ({"INVESTIGATE_INGEST": '{"memory": 3}', "INVESTIGATE_INGEST_MEMORY": "4"}, "INVESTIGATE_INGEST_MEMORY: "),
        ({"INVESTIGATE_DEVREV_LINK_HOSTS": '["a", 3]'}, "INVESTIGATE_DEVREV_LINK_HOSTS: Input should be"),
        ({"INVESTIGATE_DEVREV_LINK_HOSTS": "a.example"}, "What is set by INVESTIGATE_DEVREV in the environment is not"),
        ({"INVESTIGATE_VERSION": "new"}, "INVESTIGATE_VERSION: "),
    ],
)
def test_a_value_of_the_environment_is_not_looked_for_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
) -> None:
    (tmp_path / "case.toml").write_text("[ingest]\njobs = 2\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised:
        config.load(tmp_path / "case.toml")
    assert raised.value.message.startswith(said)
    assert "case.toml" not in str(raised.value)


@pytest.mark.parametrize("text", ["[ingest]\nmemory = 1\n", "[case]\nname = 1\n"])
def test_a_value_of_the_file_is_not_looked_for_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "case.toml").write_text(text)
    for name, value in {"INVESTIGATE_INGEST": '{"jobs": 1}', "INVESTIGATE_CASE": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"^case\.toml: "):
        config.load(tmp_path / "case.toml")


def test_a_missing_secret_says_how_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: str) -> str:
        raise NoKeyringError

    monkeypatch.setattr(keyring, "get_password", none)
    with pytest.raises(ConfigError, match="DEVREV_TOKEN is not set") as raised:
        config.secret("devrev", {})
    assert "keyring set investigate devrev" in raised.value.hint


def test_a_secret_is_taken_from_the_environment_then_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_password", lambda service, user: f"{service}/{user}")
    assert config.secret("devrev", {"DEVREV_TOKEN": " given \n"}).get_secret_value() == "given"
    assert config.secret("coderabbit", {}).get_secret_value() == "investigate/coderabbit"


@pytest.mark.parametrize("value", ["to ken", "tok\nen", "tökèn"])
def test_what_no_token_can_be_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config.secret("devrev", {"DEVREV_TOKEN": value})
    assert value not in str(raised.value)
