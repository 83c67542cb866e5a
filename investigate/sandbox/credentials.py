"""Tokens and keys of the sandbox: derived from the seed, and written so that a search finds any that leak.

None opens anything but this sandbox.
"""

import hashlib
from dataclasses import dataclass

from investigate.sandbox.world import Actor, World


@dataclass(frozen=True, slots=True)
class S3Key:
    """An access key id and its secret."""

    access: str
    secret: str


@dataclass(frozen=True, slots=True)
class DevRevUser:
    """Who a DevRev token speaks for."""

    token: str
    don: str
    name: str
    workspace: str
    admin: bool


@dataclass(frozen=True, slots=True)
class CodeRabbitKey:
    """What a CodeRabbit key may see. `refusal` is the code of the 403 it gets, if any."""

    key: str
    orgs: tuple[str, ...]
    workspace_wide: bool = False
    refusal: str | None = None


def secret(seed: int, role: str, length: int = 32) -> str:
    """A secret that looks random and is the same for the same seed and role."""
    return hashlib.sha256(f"investigate-sandbox/{seed}/{role}".encode()).hexdigest()[:length]


def s3_key(seed: int, role: str) -> S3Key:
    """The key pair of a role."""
    return S3Key(
        f"SANDBOXKEY{secret(seed, f's3-id/{role}', 10).upper()}", f"sandbox-s3-secret-{secret(seed, f's3/{role}')}"
    )


def devrev_user(seed: int, role: str, world: World, person: Actor, *, admin: bool) -> DevRevUser:
    """A person of a workspace with a token in hand."""
    return DevRevUser(
        token=f"sandbox-devrev-pat-{role}-{secret(seed, f'devrev/{role}')}",
        don=person.don,
        name=person.name or "",
        workspace=world.workspace.key,
        admin=admin,
    )


def coderabbit_key(seed: int, role: str) -> str:
    """The API key of a role."""
    return f"cr-sandbox-{role}-{secret(seed, f'coderabbit/{role}')}"
