"""The small language in which a profile says where a value lies in a record, and its translation to DuckDB.

`a.b` descends; `a[].b` takes every element; `a[name=doc_id].value` takes the elements whose `name` equals. A key with
dots, brackets or quotes stands in quotes, as in `"a.b".c`, with a backslash before a quote or a backslash of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from investigate.errors import ProfileError

_SEGMENT = re.compile(r'"(?P<quoted>(?:[^"\\]|\\["\\])*)"|(?P<plain>[^."\[\]=]+)')
_SUFFIX = re.compile(r"\[(?:(?P<key>[^=\[\]]+)=(?P<value>[^\[\]]*))?\]")


@dataclass(frozen=True)
class Step:
    """One step down: into a key, into every element, or into the elements where `key` equals `value`."""

    name: str | None = None
    key: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class Path:
    """A parsed path; `str` gives it back as a profile writes it."""

    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read a path.

        Raises:
            ProfileError: it is none.
        """
        steps: list[Step] = []
        at = 0
        while at < len(text):
            if found := _SUFFIX.match(text, at):
                steps.append(Step(key=found["key"], value=found["value"]))
            elif found := _SEGMENT.match(text, at):
                quoted = found["quoted"]
                steps.append(Step(name=found["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)))
            else:
                break
            at = found.end()
            if text[at : at + 1] == "." and at + 1 < len(text):
                at += 1
            elif at < len(text) and text[at] != "[":
                break
        if at < len(text) or not steps:
            raise ProfileError(f"Not a path: {text!r}.", 'Write keys with dots and lists with brackets: "a.b[].c".')
        return cls(tuple(steps))

    @property
    def scalar(self) -> tuple[str, ...]:
        """The keys before the first list step."""
        names: list[str] = []
        for step in self.steps:
            if step.name is None:
                break
            names.append(step.name)
        return tuple(names)

    @property
    def rest(self) -> tuple[Step, ...]:
        """The steps from the first list step on; empty for a path to one value."""
        return self.steps[len(self.scalar) :]

    def below(self, prefix: Path) -> Path | None:
        """This path as seen from an element of `prefix`, or None where it does not go through it."""
        size = len(prefix.steps)
        return Path(self.steps[size:]) if self.steps[:size] == prefix.steps and len(self.steps) > size else None

    def __str__(self) -> str:
        text = ""
        for step in self.steps:
            if step.name is not None:
                quoted = '"' + re.sub(r'(["\\])', r"\\\1", step.name) + '"'
                name = step.name if re.fullmatch(r'[^."\[\]=]+', step.name) else quoted
                text += f".{name}" if text else name
            else:
                text += f"[{step.key}={step.value}]" if step.key else "[]"
        return text


def literal(text: str) -> str:
    """A string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def pointer(names: tuple[str, ...]) -> str:
    """Keys as a JSON pointer, in which, unlike in JSONPath, every key can be written."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def each(value: str, rest: tuple[Step, ...]) -> str:
    """SQL for the list of strings that `rest` finds in `value`, an SQL expression of JSON text or a bare string.

    One object where a list is expected counts as a list of one; so does a bare string at the end of a path. There an
    object, or another list, is no string.
    """
    single = f"('[' || {value} || ']')"
    bare = f"[{value}]" if len(rest) == 1 and rest[0].key is None else "[]::VARCHAR[]"
    return (
        f"CASE WHEN {value} IS NULL THEN NULL "
        f"WHEN {value}[1] = '[' AND json_valid({value}) THEN {_elements(value, rest)} "
        f"WHEN {value}[1] = '{{' AND json_valid({value}) THEN {_elements(single, rest)} "
        f"ELSE {bare} END"
    )


def _elements(array: str, rest: tuple[Step, ...]) -> str:
    step, after = rest[0], rest[1:]
    items = f"json_extract({array}, '$[*]')"
    if step.key is not None:
        same = f"json_extract_string(x, {literal(pointer((step.key,)))}) = {literal(step.value or '')}"
        items = f"list_filter({items}, lambda x: {same})"
    elif not after:
        items = f"list_filter({items}, lambda x: json_type(x) NOT IN ('OBJECT', 'ARRAY'))"
    names = Path(after).scalar
    below = after[len(names) :]
    found = f"json_extract_string(x, {literal(pointer(names))})" if names else "(x ->> '$')"
    if below:
        return f"flatten(list_transform({items}, lambda x: {each(found, below)}))"
    return f"list_transform({items}, lambda x: {found})"
