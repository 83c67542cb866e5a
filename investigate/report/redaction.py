"""Names, e-mail addresses, IP addresses and credentials taken out of everything that is written.

What is hashed is replaced by a keyed digest, so that equal stays equal and nobody without the key can try names out.
Every occurrence goes, also inside a resource's name or a user agent, in one pass over each text.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import tomllib
import unicodedata
from dataclasses import dataclass, fields, is_dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from urllib.parse import quote, quote_plus, unquote

from investigate.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

Mode = Literal["hash", "drop"]
_Data = TypeVar("_Data")
KINDS: Final = ("names", "emails", "ips", "credentials", "actors")
"""What can be taken out: people's names, e-mail addresses, addresses, credentials' ids, the keys of actors."""
SHORTEST_KEY: Final = 16
"""Bytes; a shorter key could be tried out."""
_SINGULAR: Final = {"names": "name", "emails": "email", "ips": "ip", "credentials": "credential", "actors": "actor"}
_DIGITS: Final = 16
_SHORTEST: Final = 3
"""A shorter value is taken out where it is all of a text; inside others it would be any letter."""
# Every repetition has a bound: a log may hold a megabyte of what almost is an address.
_MAIL: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}")
_ADDRESS: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]{0,39}:[0-9A-Fa-f:]{1,39}(?:\d{0,3}(?:\.\d{1,3}){3})?)"
)
_QUOTED_MAIL: Final = re.compile(
    r"(?<!%)(?<!%[0-9A-Fa-f])(?:[\w.+-]|%2[BDEbde]|%[89A-Fa-f][\dA-Fa-f]){1,64}(?:%40|\uff20)"
    r"[\w-]{1,63}(?:(?:\.|%2[Ee])[\w-]{1,63}){1,9}"
)
"""As it stands in the address of a page, or with a wide sign."""
_QUOTED_ADDRESS: Final = re.compile(
    r"(?:(?<![0-9A-Za-z%])|(?<=%[0-9A-Fa-f]{2}))(?:[0-9A-Fa-f]{0,4}%3[Aa]){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z])"
)
"""An IPv6 address likewise."""
_WIDE: Final = "\N{FULLWIDTH COMMERCIAL AT}"
_SAFE: Final = "!$&'()*+,;=:@/"
"""What may stand in the address of a page as it is, but need not."""
_WITHIN: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d)")
"""An IPv4 address in what looked like another: after a port, or a host's short name, of hexadecimal digits."""
_COLUMN_KINDS: Final = {
    "actor_email": "emails",
    "src_ip": "ips",
    "credential": "credentials",
    "actor_name": "names",
    "actor": "actors",
}
"""Column of the events to what it holds; what is an e-mail address or an IP address counts as such wherever it is."""
_NOBODY: Final = frozenset({"unknown", "system"})
"""What logs have for a name where nobody acted."""
_KEPT: Final = frozenset({"date", "time", "source", "activity", "outcome", "actor_type", "evidence", "evidence_record"})
"""Columns whose values come from this program, or are digests."""


@dataclass(frozen=True)
class Profile:
    """What is taken out, and how.

    Attributes:
        modes: kind (one of `KINDS`) to `hash` or `drop`.
        words: further texts to take out, such as a project's name.
    """

    modes: Mapping[str, Mode]
    words: tuple[str, ...] = ()

    @property
    def keyed(self) -> bool:
        """Whether a key is needed."""
        return "hash" in self.modes.values() or bool(self.words)

    def __str__(self) -> str:
        parts = [f"{kind} {'hashed with a key' if mode == 'hash' else 'dropped'}" for kind, mode in self.modes.items()]
        return ", ".join([*parts, *(["some words hashed with a key"] if self.words else [])])


def profile(given: str) -> Profile:
    """A profile from what was asked for: kinds with commas, each with `=drop` or `=hash` if not hashed.

    Raises:
        UsageError: an unknown kind or mode.
    """
    modes: dict[str, Mode] = {}
    for word in filter(None, (part.strip() for part in given.split(","))):
        kind, _, mode = word.partition("=")
        modes[_kind(kind)] = _mode(mode or "hash")
    if not modes:
        raise UsageError("Nothing is to be redacted.", f"Name some of {', '.join(KINDS)}.")
    return Profile(modes)


def read_profile(path: Path) -> Profile:
    """A profile from a TOML file: the section `[redact]` with kinds, and a list `words`.

    Raises:
        ConfigError: it cannot be read.
        UsageError: an unknown kind or mode.
    """
    try:
        section = tomllib.loads(path.read_text(encoding="utf-8"))["redact"]
        words = tuple(map(str, section.pop("words", [])))
        given = {_kind(str(kind)): _mode(str(mode)) for kind, mode in section.items()}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{path} is no redaction profile: {error}.", 'Write [redact], and below it such as names = "hash".'
        ) from error
    return Profile(given, words)


def _kind(word: str) -> str:
    if word not in KINDS:
        raise UsageError(f"{word!r} is nothing that can be redacted.", f"It is one of {', '.join(KINDS)}.")
    return word


def _mode(word: str) -> Mode:
    if word == "hash":
        return "hash"
    if word == "drop":
        return "drop"
    raise UsageError(f"{word!r} is no way to redact.", "It is hash or drop.")


class Redactor:
    """Takes values out of texts.

    Args:
        chosen: what.
        key: of the digests; may be empty where nothing is hashed.
        vocabulary: distinct values by column of the events.
        names: further names of people, such as authors of annotations.

    Raises:
        UsageError: the key is too short.
    """

    def __init__(
        self, chosen: Profile, key: bytes, vocabulary: Mapping[str, Iterable[str]], names: Iterable[str] = ()
    ) -> None:
        if chosen.keyed and len(key) < SHORTEST_KEY:
            raise UsageError(
                f"The redaction key has {len(key)} bytes, which is too few.", f"Give it at least {SHORTEST_KEY}."
            )
        self.profile, self._key = chosen, key
        self._tokens: dict[str, str] = {}
        for column, kind in _COLUMN_KINDS.items():
            for value in vocabulary.get(column, ()):
                self._know(value, kind)
        for name in names:
            self._know(name, "names")
        for word in chosen.words:
            self._tokens[word] = self._token(word, "word", "hash")
        self._short = {value: token for value, token in self._tokens.items() if len(value) < _SHORTEST}
        self._common = {value: token for value, token in self._tokens.items() if len(value) >= _SHORTEST}
        self._forms = {form: token for value, token in self._common.items() for form in _forms(value)}

    def texts(self, values: Sequence[str]) -> list[str]:
        """The same texts, in the same order, without what is to go."""
        import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

        met: dict[str, str] = {}
        for value in values:
            self._meet(value, met)
        forms = self._forms | {form: token for value, token in met.items() for form in _forms(value)}
        # The longest first, which then goes before what is a part of it.
        patterns = sorted(forms, key=lambda form: (-len(form), form))
        series = pl.Series("text", values, dtype=pl.String)
        if patterns:
            tokens = [forms[pattern] for pattern in patterns]
            series = series.str.replace_many(patterns, tokens, ascii_case_insensitive=True, leftmost=True)
        cleaned: list[str] = series.to_list()
        return [self._short.get(value, clean) for value, clean in zip(values, cleaned, strict=True)]

    def text(self, value: str) -> str:
        """One text without what is to go."""
        return self.texts([value])[0]

    def events(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Canonical events without what is to go, and without `raw`, which holds it all."""
        import polars as pl  # noqa: PLC0415 - see `texts`

        names = [
            name
            for name, kind in frame.schema.items()
            if name not in _KEPT and name != "raw" and kind in {pl.String, pl.List(pl.String)}
        ]
        lists = [name for name in names if frame.schema[name] == pl.List(pl.String)]
        # All texts at once: what is looked for is put together anew for every call.
        flat = [(frame[name].explode() if name in lists else frame[name]).rename("text") for name in names]
        values = pl.concat(flat).drop_nulls().unique().sort() if flat else pl.Series("text", [], dtype=pl.String)
        clean = pl.Series("clean", self.texts(values.to_list()), dtype=pl.String)
        columns = [
            pl.col(name).list.eval(pl.element().replace_strict(values, clean, default=None))
            if name in lists
            else pl.col(name).replace_strict(values, clean, default=None)
            for name in names
        ]
        return frame.with_columns(*columns, pl.lit(None, pl.String).alias("raw"))

    def data(self, value: _Data) -> _Data:
        """A copy of dataclasses, tuples, lists and objects, every text in it without what is to go."""
        texts: dict[str, str] = {}
        _gather(value, texts)
        names = list(texts)
        clean = dict(zip(names, self.texts(names), strict=True))
        copied: _Data = _replaced(value, clean)
        return copied

    def _know(self, value: str, kind: str) -> None:
        """Note a value; an e-mail address or an IP address is one in whatever column it stands."""
        if not value or value.casefold() in _NOBODY:
            return
        actual = "emails" if _MAIL.fullmatch(value) else "ips" if _is_address(value) else kind
        if (mode := self.profile.modes.get(actual)) and value not in self._tokens:
            self._tokens[value] = self._token(value, _SINGULAR[actual], mode)

    def _meet(self, value: str, found: dict[str, str]) -> None:
        """Note the e-mail and IP addresses in a text that are in no column."""
        for kind, words in (("emails", _mails), ("ips", _addresses)):
            if mode := self.profile.modes.get(kind):
                for word, meant in words(value):
                    if word not in found and word not in self._common:
                        found[word] = self._token(meant, _SINGULAR[kind], mode)

    def _token(self, value: str, kind: str, mode: Mode) -> str:
        if mode == "drop":
            return f"[{kind} removed]"
        same = _same_address(value) if kind == "ip" and _is_address(value) else _same(value)
        digest = hmac.new(self._key, f"{kind}\0{same}".encode(), hashlib.sha256).hexdigest()
        return f"{kind}-{digest[:_DIGITS]}"


def _same(value: str) -> str:
    return unicodedata.normalize("NFKC", value).casefold().strip()


def _same_address(value: str) -> str:
    """An IPv4 address is the same as an IPv6 one that stands for it."""
    address = ip_address(value)
    return str(getattr(address, "ipv4_mapped", None) or address)


def _mails(text: str) -> Iterator[tuple[str, str]]:
    """What looks like an e-mail address in a text, as it is written, and as it is meant."""
    if "@" in text:
        yield from ((word, word) for match in _MAIL.finditer(text) if (word := match[0].rstrip(".:")))
    if "%40" in text or _WIDE in text:
        yield from ((match[0], unquote(match[0])) for match in _QUOTED_MAIL.finditer(text))


def _addresses(text: str) -> Iterator[tuple[str, str]]:
    """The IP addresses in a text, as they are written and as they are meant.

    Where a number or a word with a colon stands before one, that is no part of it.
    """
    if "%3" in text:
        quoted = ((match[0], unquote(match[0])) for match in _QUOTED_ADDRESS.finditer(text))
        yield from ((word, meant) for word, meant in quoted if _is_address(meant))
    if "." not in text and ":" not in text:
        return
    for match in _ADDRESS.finditer(text):
        word = match[0]
        bare = word if _is_address(word) else _bare(word)
        found = [bare] if _is_address(bare) else [one for one in _WITHIN.findall(word) if _is_address(one)]
        yield from ((one, one) for one in found)


def _bare(word: str) -> str:
    """Without one colon at either end, which ends a text's word and no address."""
    bare = word if word.startswith("::") else word.removeprefix(":")
    return bare if bare.endswith("::") else bare.removesuffix(":")


def _forms(value: str) -> set[str]:
    """How a value may be written, also as a literal of SQL, and in the address of a page.

    The case of ASCII letters is seen to elsewhere.
    """
    forms = {value, value.replace("'", "''"), *(unicodedata.normalize(form, value) for form in ("NFC", "NFD"))}
    if not value.isascii():
        forms |= {value.lower(), value.upper(), value.title()}
    for sound in [form.encode("utf-8", "surrogatepass") for form in forms]:
        forms |= {quote(sound), quote(sound, safe=""), quote(sound, safe=_SAFE), quote_plus(sound)}
    forms |= {form.replace("@", sign) for form in forms for sign in ("%40", _WIDE)}
    return {form for form in forms if form}


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return value not in {"::", "0.0.0.0"}  # noqa: S104 - nobody's address


def _gather(value: Any, texts: dict[str, str]) -> None:
    if isinstance(value, str):
        texts[value] = value
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            _gather(getattr(value, one.name), texts)
    elif isinstance(value, dict):
        for item in value.values():
            _gather(item, texts)
    elif isinstance(value, list | tuple):
        for item in value:
            _gather(item, texts)


def _replaced(value: Any, clean: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return clean[value]
    if is_dataclass(value) and not isinstance(value, type):
        changed = {one.name: _replaced(getattr(value, one.name), clean) for one in fields(value) if one.init}
        return replace(value, **changed)
    if isinstance(value, dict):
        return {key: _replaced(item, clean) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replaced(item, clean) for item in value)
    return value
