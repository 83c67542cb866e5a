"""Hashes of records without an id: equal for two that say the same, in whatever order and with whatever white space.

The canonical form of a record is its JSON with keys sorted, without white space and in ASCII. Numbers count as they are
written, so that two past 64 bits never fall together; for that a number is a text which begins with U+0000. To read and
to write a record takes Python long, but the records of a log are of a few forms: for each such form a pattern cuts a
record into its values, and a format puts these together in the canonical order, in two thirds of the time. A record
that fits none is read and written.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORMS: Final = 4
"""So many forms are known at most: each that does not fit takes its time."""
_SEEN: Final = 200
"""After so many records that fit none a form is learnt, of the last of them, which takes as long as to read hundreds;
where most still fit none, the next after twice as many."""
_LONGEST: Final = 16 * 1024
"""Characters of a record whose form is worth knowing."""
_VALUES: Final = 100
"""So many values of a record at most: with more of them the pattern gains nothing."""
_DEEPEST: Final = 8
# Runs of characters are possessive: none is tried another way, and no state is kept for it. Groups are not, for those
# before Python 3.11.5 may take what is no match (gh-106052).
_NUMBER: Final = r"(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
_PLAIN: Final = r'"[^"\\\x00-\x1f\x7f]*+"'
"""A string without an escape: it says what it shows."""
_TEXT: Final = f"({_PLAIN}|null|true|false)"
_TEXTS: Final = rf"(\[(?:{_PLAIN}(?:,{_PLAIN})*)?\])"
_SPACE: Final = re.compile(r"[ \t\n\r]*")


def _as_written(number: str) -> str:
    return f"\x00{number}"


_DECODER: Final = json.JSONDecoder(parse_float=_as_written, parse_int=_as_written)
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def content_hash(raw: str, volatile: Sequence[str] = ()) -> str:
    """`sha256:` of a record in canonical form, without its volatile members; of its text where it is no JSON."""
    try:
        record = _DECODER.decode(raw)
        if volatile and isinstance(record, dict):
            record = {key: value for key, value in record.items() if key not in volatile}
        text = _ENCODER.encode(record)
    except (ValueError, RecursionError):
        text = raw
    return _digest(text.encode(errors="surrogatepass"))


class Hasher:
    """Hashes as `content_hash`, and learns the forms of the records that it meets; for one thread at a time.

    Args:
        volatile: members that do not count.
    """

    def __init__(self, volatile: Sequence[str] = ()) -> None:
        self._volatile = volatile
        self._forms: list[_Form] = []
        self._fitting = self._others = 0
        self._pause = _SEEN

    def hash(self, raw: str) -> str:
        """`sha256:` of a record in canonical form."""
        if len(raw) <= _LONGEST:
            for at, form in enumerate(self._forms):
                if (found := form.pattern.fullmatch(raw)) is not None:
                    self._fitting += 1
                    if at:  # the one that fits most records comes to be tried first
                        self._forms[at - 1], self._forms[at] = form, self._forms[at - 1]
                    text = form.canonical % found.group(*form.order)
                    if text.isascii():
                        return _digest(text.encode())
                    escaped = text.encode("ascii", "backslashreplace")
                    if b"\\U" in escaped:  # beyond the first plane JSON takes two escapes
                        break
                    return _digest(escaped.replace(b"\\x", b"\\u00"))
            else:
                self._others += 1
                if self._others >= self._pause:
                    self._learn(raw)
        return content_hash(raw, self._volatile)

    def _learn(self, raw: str) -> None:
        """Take up the form of a record, in place of the one that fits fewest where most records fit none."""
        useful = self._fitting >= self._others
        if (not useful or len(self._forms) < _FORMS) and (form := _form(raw, self._volatile)):
            self._forms[_FORMS - 1 :] = [form]
        self._pause = _SEEN if useful else 2 * self._pause
        self._fitting = self._others = 0


def _digest(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()


@dataclass(frozen=True)
class _Form:
    """How some records are written: the same keys in the same order, with values of the same kinds.

    Attributes:
        pattern: matches them, with a group for each value.
        canonical: `%`-format of their canonical form.
        order: the groups that it takes.
    """

    pattern: re.Pattern[str]
    canonical: str
    order: tuple[int, ...]


def _form(raw: str, volatile: Sequence[str]) -> _Form | None:
    """The form of a record, None where there is none to make use of."""
    reader = _Reader(raw, volatile)
    try:
        canonical, order = reader.value(0)
        reader.space()
    except ValueError:
        return None
    if reader.at < len(raw) or not 2 <= len(order) <= _VALUES:  # noqa: PLR2004 - of one group, `group` gives no tuple
        return None
    return _Form(re.compile("".join(reader.pattern)), canonical, tuple(order))


class _Reader:
    """Reads a record from its beginning, and writes the pattern of its form as it goes."""

    def __init__(self, raw: str, volatile: Sequence[str]) -> None:
        self._raw, self._volatile = raw, volatile
        self._groups = self.at = 0
        self.pattern: list[str] = []

    def value(self, depth: int) -> tuple[str, list[int]]:
        """The format of what comes next, and the groups it takes.

        Raises:
            ValueError: it is of no form, or no JSON.
        """
        self.space()
        if self._raw.startswith("{", self.at):
            return self._members(depth)
        for kind, canonical in ((_TEXT, "%s"), (_TEXTS, "%s"), (_NUMBER, r'"\u0000%s"')):
            found = re.compile(kind).match(self._raw, self.at)
            if found is not None:
                self.at = found.end()
                self.pattern.append(kind)
                self._groups += 1
                return canonical, [self._groups]
        raise ValueError("a value of no form")

    def space(self) -> None:
        """Go on to what is no white space."""
        found = _SPACE.match(self._raw, self.at)
        assert found is not None  # noqa: S101 - it may be empty
        self._literally(found[0])

    def _members(self, depth: int) -> tuple[str, list[int]]:
        if depth > _DEEPEST:
            raise ValueError("too deep")
        members: dict[str, tuple[str, list[int]]] = {}
        self._sign("{")
        while not (self._raw.startswith("}", self.at) and not members):
            found = re.compile(_PLAIN).match(self._raw, self.at)
            if found is None or (key := found[0][1:-1]) in members:
                raise ValueError("a key of no form, or there twice")
            self._literally(found[0])
            self.space()
            self._sign(":")
            members[key] = self.value(depth + 1)
            self.space()
            if not self._raw.startswith(",", self.at):
                break
            self._sign(",")
        self._sign("}")
        kept = sorted(key for key in members if depth or key not in self._volatile)
        each = (f"{encode_basestring_ascii(key)}:".replace("%", "%%") + members[key][0] for key in kept)
        return f"{{{','.join(each)}}}", [group for key in kept for group in members[key][1]]

    def _sign(self, sign: str) -> None:
        if not self._raw.startswith(sign, self.at):
            raise ValueError(f"no {sign!r} where one must be")
        self._literally(sign)
        self.space()

    def _literally(self, text: str) -> None:
        self.at += len(text)
        self.pattern.append(re.escape(text))
