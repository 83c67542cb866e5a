"""Whatever is done to evidence or ledger is found, and named for what it is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from investigate.evidence import EvidenceStore, Finding, Head, Ledger, VerifyReport, verify

COUNT = 6


class Case:
    """Evidence and ledger of six acquisitions, and the head a journal would keep."""

    def __init__(self, root: Path) -> None:
        self.store = EvidenceStore(root / "evidence")
        self.ledger = Ledger(root / "evidence" / "ledger.jsonl")
        for number in range(COUNT):
            file = self.store.keep_bytes(f"evidence {number}".encode(), f"{number}.json", ".json")
            self.ledger.append(
                acquisition=f"a{number}", kind="import", source="x", request={}, response={}, files=[file]
            )
        self.head = self.ledger.head()
        self.lines = self.ledger.path.read_bytes().splitlines(keepends=True)
        self.paths = {path: path.read_bytes() for _, path in self.store}

    def tamper(self, lines: list[bytes]) -> list[Finding]:
        """What is found at fault with these lines, errors about the ledger only."""
        self.ledger.path.write_bytes(b"".join(lines))
        return [f for f in self.verify().findings if f.severity == "error" and f.kind.startswith("ledger")]

    def verify(self) -> VerifyReport:
        return verify(self.store, self.ledger, self.head)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One case for the properties, which put back what they change."""
    return Case(tmp_path_factory.mktemp("case"))


def kinds(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.where) for finding in findings]


def test_an_untouched_case_is_in_order(case: Case) -> None:
    told: list[tuple[int, int]] = []
    size = COUNT * len("evidence 0")
    report = verify(case.store, case.ledger, case.head, progress=lambda done, total: told.append((done, total)))
    assert report == VerifyReport(COUNT, size, COUNT, ())
    assert report.ok
    assert told[-1] == (size, size)


def test_an_empty_case_is_in_order(tmp_path: Path) -> None:
    report = verify(EvidenceStore(tmp_path / "e"), Ledger(tmp_path / "e" / "ledger.jsonl"), Head(0, "0" * 64))
    assert report == VerifyReport(0, 0, 0, ())


# The ledger, one change at a time: which line, and what was done to it

LINE = st.integers(0, COUNT - 1)
PROPERTY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("at", range(COUNT))
def test_a_removed_line_is_named(shared: Case, at: int) -> None:
    found = shared.tamper(shared.lines[:at] + shared.lines[at + 1 :])
    assert kinds(found) == [("ledger_removed", f"ledger line {at + 1}")]
    assert ("removed from the end" in found[0].message) == (at == COUNT - 1)


@pytest.mark.parametrize(
    ("first", "final"), [(first, final) for first in range(COUNT) for final in range(first + 1, COUNT)]
)
def test_removed_lines_are_named_together(shared: Case, first: int, final: int) -> None:
    found = shared.tamper(shared.lines[:first] + shared.lines[final + 1 :])
    if (first, final) == (0, COUNT - 1):
        assert kinds(found) == [("ledger_removed", "ledger.jsonl")]
        assert "emptied" in found[0].message
    else:
        assert kinds(found) == [("ledger_removed", f"ledger lines {first + 1} to {final + 1}")]


EDITS: dict[str, Callable[[bytes, int], bytes]] = {
    "value": lambda line, _: line.replace(b'"import"', b'"xmport"'),
    "size": lambda line, _: line.replace(b'"size":10', b'"size":11'),
    "number up": lambda line, seq: line.replace(b'"seq":%d' % seq, b'"seq":%d' % (seq + 1)),
    "number down": lambda line, seq: line.replace(b'"seq":%d' % seq, b'"seq":%d' % (seq - 1)),
    "number far": lambda line, seq: line.replace(b'"seq":%d' % seq, b'"seq":%d' % 10**17),
    "space": lambda line, _: line.replace(b'"seq":', b'"seq": '),
    "cut": lambda line, _: line[:50] + b"\n",
    "emptied": lambda _, __: b"\n",
    "bytes": lambda line, _: line.replace(b"import", b"\xff\x00port"),
}


@pytest.mark.parametrize("at", range(COUNT))
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_line_is_named(shared: Case, at: int, edit: str) -> None:
    edited = EDITS[edit](shared.lines[at], at + 1)
    assert edited != shared.lines[at]
    found = shared.tamper([*shared.lines[:at], edited, *shared.lines[at + 1 :]])
    assert kinds(found) == [("ledger_edited", f"ledger line {at + 1}")]


@pytest.mark.parametrize("at", range(COUNT))
def test_an_edited_hash_of_the_line_before_is_named_in_its_own_line(shared: Case, at: int) -> None:
    before = shared.lines[at].index(b'"prev":"') + 8
    edited = shared.lines[at][:before] + b"abcdef" + shared.lines[at][before + 6 :]
    found = shared.tamper([*shared.lines[:at], edited, *shared.lines[at + 1 :]])
    assert kinds(found) == [("ledger_edited", f"ledger line {at + 1}")]


@pytest.mark.parametrize("at", range(COUNT - 1))
def test_two_neighbours_swapped_are_reordered_not_edited(shared: Case, at: int) -> None:
    lines = shared.lines
    found = shared.tamper([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
    assert kinds(found) in (
        [("ledger_reordered", f"ledger line {at + 1}")],
        [("ledger_reordered", f"ledger line {at + 2}")],
    )


@PROPERTY
@given(st.permutations(range(COUNT)))
def test_any_other_order_is_reordered_and_nothing_else(shared: Case, order: list[int]) -> None:
    found = shared.tamper([shared.lines[at] for at in order])
    assert {finding.kind for finding in found} == (set() if order == sorted(order) else {"ledger_reordered"})


@PROPERTY
@given(at=LINE, to=LINE)
def test_a_line_moved_far_is_the_one_that_is_named(shared: Case, at: int, to: int) -> None:
    rest = shared.lines[:at] + shared.lines[at + 1 :]
    found = shared.tamper([*rest[:to], shared.lines[at], *rest[to:]])
    if abs(at - to) > 1:
        assert kinds(found) == [("ledger_reordered", f"ledger line {at + 1}")]


@PROPERTY
@given(at=LINE, to=st.integers(0, COUNT))
def test_a_repeated_line_is_found(shared: Case, at: int, to: int) -> None:
    found = shared.tamper([*shared.lines[:to], shared.lines[at], *shared.lines[to:]])
    assert "ledger_edited" in {finding.kind for finding in found}
    assert any("repeats" in finding.message for finding in found)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bit_of_the_ledger_is_found(shared: Case, data: st.DataObject) -> None:
    whole = bytearray(b"".join(shared.lines))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    number = bytes(whole[:at]).count(b"\n") + 1
    found = shared.tamper([bytes(whole)])
    assert found
    assert str(number) in " ".join(finding.message for finding in found)


@PROPERTY
@given(st.data())
def test_any_cut_end_of_the_ledger_is_found(shared: Case, data: st.DataObject) -> None:
    whole = b"".join(shared.lines)
    keep = data.draw(st.integers(0, len(whole) - 2))
    assert shared.tamper([whole[:keep]])


def test_a_chain_made_anew_is_found_by_the_journal(case: Case, tmp_path: Path) -> None:
    (tmp_path / "forged").mkdir()
    forged = Case(tmp_path / "forged")
    found = case.tamper(forged.lines)
    assert kinds(found) == [("ledger_edited", f"ledger line {COUNT}")]
    assert "one before it and all after that" in found[0].message


def test_several_changes_are_each_named(shared: Case) -> None:
    one, two, _, four, five, six = shared.lines
    found = shared.tamper([one, two.replace(b"import", b"xmport"), five, four, six.replace(b"import", b"xmport")])
    assert {(kind, where) for kind, where in kinds(found)} >= {
        ("ledger_removed", "ledger line 3"),
        ("ledger_edited", "ledger line 6"),
    }
    assert "ledger_reordered" in {finding.kind for finding in found}


def test_a_ledger_that_is_gone_is_named(case: Case) -> None:
    case.ledger.path.unlink()
    report = case.verify()
    assert kinds(list(report.findings))[0] == ("ledger_removed", "ledger.jsonl")
    assert "gone" in report.findings[0].message
    assert not report.ok


def test_a_ledger_that_is_a_link_is_not_followed(case: Case, tmp_path: Path) -> None:
    case.ledger.path.rename(tmp_path / "moved")
    case.ledger.path.symlink_to(tmp_path / "moved")
    assert ("not_a_file", "ledger.jsonl") in kinds(list(case.verify().findings))


# The ledger after a crash: notes


def test_lines_the_journal_does_not_know_yet_are_a_note(case: Case) -> None:
    case.ledger.append(acquisition="b", kind="import", source="x", request={}, response={}, files=[])
    report = case.verify()
    assert report.ok
    assert kinds(list(report.findings)) == [("ledger_head", f"ledger line {COUNT + 1}")]


def test_a_line_torn_by_a_crash_is_a_note(shared: Case) -> None:
    assert shared.tamper([*shared.lines, b'{"acquisition":"b","ext']) == []
    assert "torn by a crash" in shared.verify().findings[0].message


def test_a_missing_line_end_is_a_note(shared: Case) -> None:
    assert shared.tamper([b"".join(shared.lines)[:-1]]) == []
    assert [finding.severity for finding in shared.verify().findings] == ["note"]


def test_without_a_journal_the_report_says_what_it_cannot_tell(case: Case) -> None:
    report = verify(case.store, case.ledger, None)
    assert report.ok
    assert "cannot be told" in report.findings[0].message


# The files


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bit_of_evidence_is_found(shared: Case, data: st.DataObject) -> None:
    shared.tamper(shared.lines)
    path = data.draw(st.sampled_from(sorted(shared.paths)))
    changed = bytearray(shared.paths[path])
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    path.chmod(0o600)
    path.write_bytes(changed)
    path.chmod(0o444)
    try:
        report = shared.verify()
    finally:
        path.chmod(0o600)
        path.write_bytes(shared.paths[path])
        path.chmod(0o444)
    where = path.relative_to(shared.store.root).as_posix()
    assert kinds(list(report.findings)) == [("changed", where)]
    assert not report.ok


def test_each_thing_done_to_a_file_is_named(case: Case, tmp_path: Path) -> None:
    grown, lost, linked, renamed, folder, open_ = sorted(case.paths)
    names = [path.relative_to(case.store.root).as_posix() for path in (grown, lost, linked, renamed, folder, open_)]
    grown.chmod(0o600)
    grown.write_bytes(case.paths[grown] + b"!")
    grown.chmod(0o444)
    lost.unlink()
    linked.rename(tmp_path / "same bytes")
    linked.symlink_to(tmp_path / "same bytes")
    renamed.rename(renamed.with_name("other.json"))
    folder.unlink()
    folder.mkdir()
    open_.chmod(0o600)
    extra = case.store.find(case.store.keep_bytes(b"nobody recorded me", "x").sha256)

    found = {(finding.kind, finding.where) for finding in case.verify().findings}
    assert found == {
        ("changed", names[0]),
        ("missing", names[1].removesuffix(".json")),
        ("not_a_file", names[2]),
        ("wrong_name", str(Path(names[3]).with_name("other.json"))),
        ("missing", names[3].removesuffix(".json")),
        ("not_a_file", names[4]),
        ("writable", names[5]),
        ("unrecorded", extra.relative_to(case.store.root).as_posix()),
    }


def test_a_missing_file_is_named_with_its_line(case: Case) -> None:
    sha256 = next(iter(case.ledger.entries(after=3))).files[0].sha256
    case.store.find(sha256).unlink()
    (finding,) = case.verify().findings
    assert finding.kind == "missing"
    assert "line 4 of the ledger" in finding.message
    assert sha256 in finding.message


def test_evidence_in_the_wrong_folder_is_named(case: Case) -> None:
    path = min(case.paths)
    other = case.store.root / "sha256" / "zz"
    other.mkdir()
    path.rename(other / path.name)
    found = kinds(list(case.verify().findings))
    assert ("wrong_name", f"sha256/zz/{path.name}") in found
    assert ("missing", f"sha256/{path.name[:2]}/{path.stem}") in found


def test_folders_replaced_by_links_are_named(case: Case, tmp_path: Path) -> None:
    shutil.move(case.store.root / "sha256", tmp_path / "moved")
    (case.store.root / "sha256").symlink_to(tmp_path / "moved")
    found = kinds(list(case.verify().findings))
    assert ("not_a_file", "sha256") in found
    assert [kind for kind, _ in found].count("missing") == COUNT


def test_an_unrecorded_file_is_a_note(case: Case) -> None:
    case.store.keep_bytes(b"interrupted before its line", "x")
    report = case.verify()
    assert report.ok
    assert [finding.kind for finding in report.findings] == ["unrecorded"]
