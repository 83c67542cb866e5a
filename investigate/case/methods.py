"""Methods of `Case` that live in modules of their own, which are imported when one of them is first used.

So a look-up does not wait for what a report needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module of functions that take a case first; its attributes are methods.

    Args:
        name: of the module, below `investigate.case`.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, function: str) -> _Method:
        return _Method(f"investigate.case.{self._name}", function)


class _Method:
    """A function of a module as a method: the function itself, for who asks the class for its signature or its help."""

    def __init__(self, module: str, function: str) -> None:
        self._module, self._function = module, function

    def __get__(self, instance: object | None, owner: type) -> Any:
        return getattr(import_module(self._module), self._function).__get__(instance, owner)
