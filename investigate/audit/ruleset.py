"""The rules of an audit: those shipped and those of files, and what of them cannot be run, with the reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.modifiers import SigmaBase64OffsetModifier
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation
from sigma.rule import SigmaDetection, SigmaRule

from investigate.audit import aggregates, documents, novelty
from investigate.audit.backend import DuckDBBackend
from investigate.audit.findings import SEVERITIES
from investigate.audit.matching import Untranslatable
from investigate.audit.sheet import Sheet
from investigate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sigma.filters import SigmaFilter

SHIPPED: Final = Path(__file__).parent / "rules"
_SUFFIXES: Final = frozenset({".yml", ".yaml"})
_NOT_RUN: Final = frozenset({"deprecated", "unsupported"})
_MEANING: Final = ("logsource", "detection", "correlation", "investigate", "filter", "action")
_OWN: Final = "sigma"
"""The taxonomy of a rule that says none: names as they appear in the log."""
_DEFAULT: Final = "medium"
"""The severity of a rule that says none: better seen than overlooked."""


@dataclass(frozen=True)
class Untranslated:
    """A rule that was not run, and why. `rule_id` is empty where the file is no rule."""

    rule_id: str
    title: str
    rule_file: str
    reason: str


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule that can be run.

    Attributes:
        id: its id, else its name, else a digest of what it looks for.
        sigma: as pySigma has it.
        severity: one of `SEVERITIES`.
        digest: of what it looks for, not of its words: a rule whose digest is another is another rule.
        rule_file: where it stands, relative to where it was looked for.
        novelty: what its attribute `investigate` says.
        refers: the rules a correlation is about, in its order.
        bounds: what a correlation's measure has to keep to.
        reports: whether it gives findings of its own; not so where it only serves a correlation.
    """

    id: str
    sigma: SigmaRule | SigmaCorrelationRule
    severity: str
    digest: str
    rule_file: str
    novelty: novelty.Novelty | None = None
    refers: tuple[Rule, ...] = ()
    bounds: documents.Bounds = ()
    reports: bool = True

    @property
    def title(self) -> str:
        """What the rule is called."""
        return str(self.sigma.title or self.id)

    @property
    def log(self) -> str:
        """What it is about: product and service of a log, or the kind of correlation."""
        if isinstance(self.sigma, SigmaCorrelationRule):
            return self.sigma.type.name.lower()
        source = self.sigma.logsource
        return "/".join(part for part in (source.product, source.service or source.category) if part)

    def names(self) -> set[str]:
        """What a correlation may call it by."""
        return {self.id, str(self.sigma.id or self.id), str(self.sigma.name or self.id)}


@dataclass(frozen=True)
class RuleSet:
    """The rules of an audit, those a correlation needs before it, and what is not run."""

    rules: tuple[Rule, ...]
    untranslated: tuple[Untranslated, ...]

    def __len__(self) -> int:
        return len(self.rules)


@dataclass
class _Reading:
    """What was read so far."""

    placeholders: dict[str, Any]
    found: dict[str, tuple[SigmaRule | SigmaCorrelationRule, str, str]] = field(default_factory=dict)
    bounds: dict[str, documents.Bounds] = field(default_factory=dict)
    filters: list[SigmaFilter] = field(default_factory=list)
    filtered: list[str] = field(default_factory=list)
    left: list[Untranslated] = field(default_factory=list)
    shipped: frozenset[str] = frozenset()

    def leave(self, rule: Any, file: str, reason: str) -> None:
        identity = str(getattr(rule, "id", None) or getattr(rule, "name", None) or "")
        self.left.append(Untranslated(identity, str(getattr(rule, "title", None) or ""), file, reason))


def load(
    paths: Sequence[str | Path] = (), *, shipped: bool = True, placeholders: Mapping[str, Any] | None = None
) -> RuleSet:
    """Read rules.

    Args:
        paths: files or folders of YAML; of two rules with one id the later counts, so a shipped one can be replaced.
        shipped: whether those that come with this package are among them.
        placeholders: values for `%name%` of rules with the modifier `expand`, each one or a list.

    Raises:
        UsageError: a path is not there, or holds nothing that could be a rule.
    """
    reading = _Reading(dict(placeholders or {}))
    for root in [*([SHIPPED] if shipped else []), *map(Path, paths)]:
        names = {file: str(file.relative_to(root)) if root.is_dir() else file.name for file in _files(root)}
        if not sum(_read(file, name, reading) for file, name in names.items()):
            raise UsageError(f"There are no rules in {root}.", "Name a file of YAML or a folder of such files.")
        reading.shipped = frozenset(reading.found) if root == SHIPPED else reading.shipped
    singles = {key: rule for key, (rule, *_) in reading.found.items() if isinstance(rule, SigmaRule)}
    rules = {key: made for key, rule in singles.items() if (made := _single(key, rule, reading)) is not None}
    _correlate(rules, reading)
    used = {id(ref) for rule in rules.values() for ref in rule.refers if not _generates(rule)}
    wanted = [rule for rule in rules.values() if id(rule) in used or not rule.id.startswith(aggregates.EVENTS)]
    ordered = [_with_output(rule, id(rule) not in used) for rule in wanted]
    return RuleSet(_relinked(ordered), tuple(reading.left))


def _files(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    elif root.is_file():
        yield root
    else:
        raise UsageError(f"There are no rules at {root}.", "Name a file of YAML or a folder of such files.")


def _read(file: Path, name: str, reading: _Reading) -> bool:
    """Read a file; whether it holds anything, be it no rule."""
    try:
        found = documents.read(file)
    except Exception as error:  # noqa: BLE001 - whatever a file holds, the others are read, and this one is listed
        reading.left.append(Untranslated("", "", name, _reason(error)))
        return True
    shared = any("action" in one for one in found)  # what a document says then holds for those behind it
    for together in [found] if shared else [[one] for one in found]:
        _parse(together, name, reading)
    return bool(found)


def _parse(found: list[dict[str, Any]], name: str, reading: _Reading) -> None:
    """Read documents, most often one, that are about each other."""
    try:
        parts = [part for one in found for part in aggregates.separated(one)]
        meant = [one for one in parts if not {"action", "filter"} & set(one)]
        digests = [_meaning(one) for one in meant]
        reading.filtered += [_meaning(one) for one in parts if "filter" in one]
        read = SigmaCollection.from_dicts(
            [documents.plain(one) for one in parts], collect_errors=True, collect_filters=True, resolve_references=False
        )
        limits = [documents.bounds(one) for one in meant]
    except Exception as error:  # noqa: BLE001 - likewise of each document
        of = found[0] if len(found) == 1 else {}
        words = [str(of.get(key) or "") for key in ("id", "title")]
        reading.left.append(Untranslated(words[0], words[1], name, _reason(error)))
        return
    read_as = {id(error) for rule in read.rules for error in rule.errors}
    reading.left += [Untranslated("", "", name, _reason(one)) for one in read.errors if id(one) not in read_as]
    reading.filters += [one for one in read.filters if not one.errors]
    alike = len(meant) == len(read.rules)
    for at, rule in enumerate(read.rules):
        _take(rule, name, _digest(digests[at] if alike else repr(rule)), reading, limits[at] if alike else ())


def _take(
    rule: SigmaRule | SigmaCorrelationRule, name: str, digest: str, reading: _Reading, bounds: documents.Bounds
) -> None:
    if rule.errors:
        reading.leave(rule, name, "; ".join(_reason(error) for error in rule.errors))
    elif rule.status is not None and rule.status.name.lower() in _NOT_RUN:
        reading.leave(rule, name, f"its status is {rule.status.name.lower()}")
    elif (rule.taxonomy or _OWN) != _OWN:
        reading.leave(rule, name, f"its names are those of the taxonomy {rule.taxonomy}, not those of the log")
    else:
        key = str(rule.id or rule.name or f"sha256:{digest[:32]}")
        earlier, file, looked_for = reading.found.pop(key, (None, "", digest))
        if looked_for != digest and key not in reading.shipped:
            reading.leave(earlier, file, f"another rule has its id, and comes later: {name}")
        reading.found[key] = (rule, name, digest)
        reading.bounds[key] = bounds


def _single(key: str, rule: SigmaRule, reading: _Reading) -> Rule | None:
    """A rule that is about single events, tried on a source that nothing is known of."""
    _, name, digest = reading.found[key]
    try:
        filtered = reduce(lambda one, filter_: filter_.apply_on_rule(one), reading.filters, rule)  # type: ignore[arg-type, return-value]
        if reading.placeholders:
            pipeline = ProcessingPipeline(
                items=[ProcessingItem(ValueListPlaceholderTransformation())], vars=dict(reading.placeholders)
            )
            pipeline.apply(filtered)
        translate(filtered, Sheet(""))
        whole = _digest(digest, *reading.filtered, json.dumps(reading.placeholders, sort_keys=True, default=str))
        return Rule(key, filtered, _severity(rule), whole, name, novelty.parse(_attribute(rule)))
    except Exception as error:  # noqa: BLE001 - one rule that cannot be run does not keep the others from it
        reading.leave(rule, name, _reason(error))
        return None


def translate(rule: SigmaRule, sheet: Sheet) -> str:
    """A rule's conditions, any of which has to fit, as an expression over the rows of a sheet.

    Raises:
        Untranslatable: it says something that cannot be asked.
        SigmaError: it is no rule.
    """
    for detection in rule.detection.detections.values():
        _encodable(detection)
    found = DuckDBBackend(sheet).convert_rule(rule)
    conditions = found or rule.get_conversion_result()
    if not conditions:
        raise Untranslatable("it has no condition")
    return f"({' OR '.join(conditions)})"


def _encodable(detection: SigmaDetection) -> None:
    """Leave a rule of whose text pySigma makes a wrong pattern: it counts characters where Base64 encodes bytes.

    Of a single byte nothing is left that is the same at each offset, and nothing is in every text.
    """
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            _encodable(item)
        elif SigmaBase64OffsetModifier in item.modifiers:
            least = 1 if item.modifiers.index(SigmaBase64OffsetModifier) else 2  # `wide` before it doubles the text
            for value in item.original_value or ():
                text = str(value)
                if not text.isascii() or len(text) < least:
                    raise Untranslatable(f"{text!r} is no ASCII text of at least {least} for base64offset")


def _correlate(rules: dict[str, Rule], reading: _Reading) -> None:
    """Add the correlations, those that others are about first; what refers to nothing is left."""
    from investigate.audit.correlation import check  # noqa: PLC0415 - it knows of rules, too

    waiting = {key: rule for key, (rule, *_) in reading.found.items() if isinstance(rule, SigmaCorrelationRule)}
    while waiting:
        called = {name: rule for rule in rules.values() for name in rule.names()}
        ready = {key: rule for key, rule in waiting.items() if all(name in called for name in _references(rule))}
        if not ready:
            break
        for key, rule in ready.items():
            del waiting[key]
            _, name, digest = reading.found[key]
            refers = tuple(called[one] for one in _references(rule))
            whole = _digest(digest, *(one.digest for one in refers))
            made = Rule(key, rule, _severity(rule), whole, name, refers=refers, bounds=reading.bounds[key])
            try:
                check(made)
                rules[key] = made
            except Untranslatable as error:
                reading.leave(rule, name, _reason(error))
    for key, rule in waiting.items():
        missing = [one for one in _references(rule) if not any(one in made.names() for made in rules.values())]
        reading.leave(rule, reading.found[key][1], f"it refers to rules that are not run: {', '.join(missing)}")


def _references(rule: SigmaCorrelationRule) -> list[str]:
    if rule.rules is not None:
        return [one.reference for one in rule.rules]
    return rule.condition.get_referenced_rules()  # type: ignore[union-attr]


def _generates(rule: Rule) -> bool:
    return isinstance(rule.sigma, SigmaCorrelationRule) and rule.sigma.generate


def _with_output(rule: Rule, reports: bool) -> Rule:
    return rule if reports else Rule(**{**vars(rule), "reports": False})


def _relinked(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The same rules, each correlation pointing at the ones of this list."""
    made: dict[str, Rule] = {}
    for rule in rules:
        made[rule.id] = Rule(**{**vars(rule), "refers": tuple(made[one.id] for one in rule.refers)})
    return tuple(made.values())


def _attribute(rule: SigmaRule) -> Any:
    return (rule.custom_attributes or {}).get("investigate")


def _severity(rule: SigmaRule | SigmaCorrelationRule) -> str:
    named = rule.level.name.lower() if rule.level is not None else _DEFAULT
    return named if named in SEVERITIES else _DEFAULT


def _meaning(document: Mapping[str, Any]) -> str:
    return json.dumps({name: document[name] for name in _MEANING if name in document}, sort_keys=True, default=str)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def _reason(error: BaseException) -> str:
    """The cause in one line, without the path that pySigma adds, nor its name for a rule that has an id."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else ""
        text = ", ".join(part for part in (error.context, error.problem, line) if part)
    else:
        text = str(error.args[0]) if error.args else type(error).__name__
    return " ".join(text.split())[:300].removesuffix(" (while converting rule None)")
