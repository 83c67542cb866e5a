"""The ledger's chain examined: which line was removed, edited or moved, told apart as far as that can be.

Three witnesses speak for a line: its own fields, the hash of it in the line that follows, and the journal, which
knows how many lines there are and the hash of the last one.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from investigate.errors import EvidenceError
from investigate.evidence.files import is_plain
from investigate.evidence.lines import GENESIS, Entry, Head, LineError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from investigate.evidence.ledger import Ledger

Kind = Literal[
    "changed",
    "missing",
    "unreadable",
    "unrecorded",
    "wrong_name",
    "not_a_file",
    "writable",
    "ledger_edited",
    "ledger_removed",
    "ledger_reordered",
    "ledger_head",
]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was recorded.

    Attributes:
        kind: `changed`, `missing`, `unreadable`, `unrecorded`, `wrong_name`, `not_a_file`, `writable` (files);
            `ledger_edited`, `ledger_removed`, `ledger_reordered`, `ledger_head` (the ledger).
        where: the path inside the evidence, or the line, for example `ledger line 3`.
        message: one sentence.
        severity: `error` is tampering or loss; a `note` has an innocent explanation.
    """

    kind: Kind
    where: str
    message: str
    severity: Literal["error", "note"] = "error"


@dataclass
class _Lines:
    """The ledger sorted out: lines that say who they are, and the places of those that do not."""

    count: int = 0
    parsed: list[tuple[int, Entry]] = field(default_factory=list)
    """(place from 1, entry), as they stand."""
    good: dict[int, tuple[int, Entry]] = field(default_factory=dict)
    """Number to (place, entry), one line a number."""
    bad: list[int] = field(default_factory=list)
    torn: str = ""
    """Why what stands after the last line end is no line."""
    unended: bool = False


def examine(ledger: Ledger, head: tuple[int, str] | None) -> tuple[list[Entry], int, list[Finding]]:
    """Walk the chain.

    Args:
        ledger: the ledger.
        head: what the journal keeps of it; None when there is no journal.

    Returns:
        The entries that could be read as they stand, the number of lines, and what is wrong with them.
    """
    known = Head(*head) if head else None
    if found := _absent(ledger, known):
        return [], 0, found
    findings: list[Finding] = []
    try:
        lines = _read(ledger, findings)
    except EvidenceError as error:
        return [], 0, [Finding("unreadable", ledger.path.name, error.message)]
    _sort_out(lines, known, findings)
    findings += _missing(lines, known)
    findings += _moved(lines)
    findings += _edited(lines, known)
    findings += _head_notes(lines, known)
    return [entry for _, entry in lines.parsed], lines.count, findings


def _absent(ledger: Ledger, known: Head | None) -> list[Finding]:
    name = ledger.path.name
    if ledger.exists() and not is_plain(ledger.path):
        return [Finding("not_a_file", name, "The ledger was replaced by something that is no file.")]
    if known is None or known.lines == 0:
        return []
    lost = f"the journal knows {known.lines} {_plural(known.lines)}, the last with SHA-256 {known.sha256}."
    if not ledger.exists():
        return [Finding("ledger_removed", name, f"The ledger is gone; {lost}")]
    if not ledger.path.stat().st_size:
        return [Finding("ledger_removed", name, f"The ledger was emptied; {lost}")]
    return []


def _read(ledger: Ledger, findings: list[Finding]) -> _Lines:
    lines = _Lines()
    for place, line, whole in ledger.lines():
        lines.count = place
        try:
            lines.parsed.append((place, parse(line)))
            lines.unended = not whole
        except LineError as error:
            if whole:
                lines.bad.append(place)
                findings.append(Finding("ledger_edited", _line(place), f"Line {place} was edited: {error}."))
            else:
                lines.torn = str(error)
    return lines


def _sort_out(lines: _Lines, known: Head | None, findings: list[Finding]) -> None:
    """Fill `good` with one line a number, and judge a torn end."""
    by_hash = {entry.sha256: entry for _, entry in reversed(lines.parsed)}
    vouched = {entry.prev for _, entry in lines.parsed} | ({known.sha256} if known else set())
    # A line that something vouches for takes its number before one that only claims it.
    for place, entry in sorted(lines.parsed, key=lambda item: (item[1].sha256 not in vouched, item[0])):
        before = by_hash.get(entry.prev)
        expected = 1 if entry.prev == GENESIS else before.seq + 1 if before else entry.seq
        if entry.seq == 1 and entry.prev != GENESIS:
            what = "it bears the number 1, but the hash of a line before it"
        elif entry.seq != expected:
            after = "nothing" if expected == 1 else f"line {expected - 1}"
            what = f"it bears the number {entry.seq}, but by its hash it follows {after}"
        elif entry.seq in lines.good:
            same = lines.good[entry.seq][1].sha256 == entry.sha256
            what = f"it {'repeats' if same else 'is a second'} line {entry.seq}"
        else:
            lines.good[entry.seq] = (place, entry)
            continue
        lines.bad.append(place)
        findings.append(Finding("ledger_edited", _line(place), f"Line {place} was edited or added: {what}."))
    if lines.torn and known and max(lines.good, default=0) + len(lines.bad) < known.lines:
        lines.bad.append(lines.count)
        message = f"Line {lines.count} was edited: it is cut short, and {lines.torn}."
        findings.append(Finding("ledger_edited", _line(lines.count), message))
        lines.torn = ""


def _missing(lines: _Lines, known: Head | None) -> Iterator[Finding]:
    """Numbers that no line bears, unless edited lines stand in their place."""
    last = max(known.lines if known else 0, max(lines.good, default=0))
    previous, place = 0, 0
    for number in [*sorted(lines.good), last + 1]:
        next_place = lines.good[number][0] if number in lines.good else lines.count + 1
        lost = number - previous - 1
        damaged = sum(1 for bad in lines.bad if place < bad < next_place)
        if lost > damaged:
            yield _removed(previous + 1, number - 1, damaged, is_end=number == last + 1, known=known)
        previous, place = number, next_place


def _removed(first: int, final: int, damaged: int, *, is_end: bool, known: Head | None) -> Finding:
    where = _line(first) if first == final else f"ledger lines {first} to {final}"
    which = f"Line {first}" if first == final else f"Lines {first} to {final}"
    verb = "was" if first == final else "were"
    if is_end and known:
        cause = f"{verb} removed from the end: the journal knows {known.lines} {_plural(known.lines)}"
    else:
        cause = f"{verb} removed: line {final + 1} follows " + (f"line {first - 1}" if first > 1 else "no other")
    if damaged:
        cause += f", with {damaged} damaged {_plural(damaged)} in between"
    return Finding("ledger_removed", where, f"{which} {cause}.")


def _moved(lines: _Lines) -> Iterator[Finding]:
    """The fewest lines that must have been moved for the others to stand in order."""
    order = [number for _, number in sorted((place, number) for number, (place, _) in lines.good.items())]
    in_order = _longest_rise(order)
    for at, number in enumerate(order):
        if number not in in_order:
            after = f"after line {order[at - 1]}" if at else "first"
            message = f"Line {number} was moved: it stands {after}."
            yield Finding("ledger_reordered", _line(number), message)


def _longest_rise(numbers: list[int]) -> set[int]:
    """The members of a longest rising subsequence of different numbers (patience sorting)."""
    tops: list[int] = []
    below: dict[int, int | None] = {}
    for number in numbers:
        pile = bisect_left(tops, number)
        below[number] = tops[pile - 1] if pile else None
        tops[pile : pile + 1] = [number]
    rise: set[int] = set()
    at = tops[-1] if tops else None
    while at is not None:
        rise.add(at)
        at = below[at]
    return rise


def _edited(lines: _Lines, known: Head | None) -> Iterator[Finding]:
    """Lines that the line after them, or the journal, remembers otherwise."""
    doubtful = {number for number in lines.good if _contradicted(lines, number, known)}
    for number in sorted(doubtful):
        if known and number == known.lines:
            message = f"Line {number} was edited, or one before it and all after that: the journal has another hash."
            yield Finding("ledger_edited", _line(number), message)
        elif number + 1 in doubtful:
            message = (
                f"Line {number} is not what line {number + 1} says, but that one was edited: "
                f"whether line {number} was too cannot be told."
            )
            yield Finding("ledger_edited", _line(number), message, "note")
        else:
            message = f"Line {number} was edited: line {number + 1} has another hash of it."
            yield Finding("ledger_edited", _line(number), message)


def _contradicted(lines: _Lines, number: int, known: Head | None) -> bool:
    sha256 = lines.good[number][1].sha256
    if known and number == known.lines:
        return sha256 != known.sha256
    after = lines.good.get(number + 1)
    return after is not None and after[1].prev != sha256


def _head_notes(lines: _Lines, known: Head | None) -> Iterator[Finding]:
    where = _line(lines.count)
    if lines.torn:
        message = "What stands after the last line was torn by a crash; the next acquisition cuts it off."
        yield Finding("ledger_head", where, message, "note")
    if lines.unended:
        yield Finding("ledger_head", where, f"Line {lines.count} lacks its line end, as after a crash.", "note")
    if known is None:
        message = "There is no journal to compare with: lines removed from the end cannot be told."
        yield Finding("ledger_head", "journal", message, "note")
        return
    ahead = sum(1 for number in lines.good if number > known.lines)
    if ahead:
        message = (
            f"The ledger has {ahead} {_plural(ahead)} more than the journal knows ({known.lines}): "
            "an acquisition was interrupted between the two."
        )
        yield Finding("ledger_head", _line(known.lines + 1), message, "note")


def _line(number: int) -> str:
    return f"ledger line {number}"


def _plural(count: int) -> str:
    return "line" if count == 1 else "lines"
