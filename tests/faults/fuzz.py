"""Ten minutes of atheris over what strangers give this program; for a nightly run.

    python -m tests.faults.fuzz [--minutes 10] [--findings DIR] [link|time|log|profile|form ...]

Each target gets its share of the time in a process of its own, and begins with its folder of the corpus. What makes it
fail is kept, to be added to the corpus once it is mended. Needs `pip install -e '.[dev,fuzz]'`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

_CORPUS: Final = Path(__file__).with_name("corpus")
_LONGEST: Final = 2**14


def main() -> int:
    """Fuzz every target that is asked for; 1 where one failed."""
    from tests.faults.untrusted import TARGETS  # noqa: PLC0415 - instrumented where it is fuzzed

    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=10, help="for all of them")
    parser.add_argument("--findings", type=Path, default=Path("findings"), help="where what fails is kept")
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    chosen = given.targets or list(TARGETS)
    seconds = max(1, int(60 * given.minutes / len(chosen)))
    failed = [target for target in chosen if _fuzz(target, seconds, given.findings / target)]
    sys.stdout.write(f"failed: {', '.join(failed)}; see {given.findings}\n" if failed else "nothing found\n")
    return 1 if failed else 0


def _fuzz(target: str, seconds: int, findings: Path) -> int:
    """Fuzz one target in a process of its own: libFuzzer ends the one it runs in."""
    grown = findings / "corpus"
    grown.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={findings}/", f"-max_len={_LONGEST}", "-timeout=60"]
    code = f"from tests.faults.fuzz import fuzz; fuzz({target!r})"
    command = [sys.executable, "-W", "ignore", "-c", code, *options, str(grown), str(_CORPUS / target)]
    return subprocess.run(command, check=False, cwd=Path(__file__).parents[2]).returncode


def fuzz(target: str) -> None:
    """Fuzz a target in this process, by the options of libFuzzer in `sys.argv`; does not come back."""
    import atheris  # type: ignore[import-not-found]  # noqa: PLC0415 - the extra `fuzz`

    with atheris.instrument_imports(include=["investigate"]):
        from tests.faults.untrusted import TARGETS  # noqa: PLC0415 - see above

    atheris.Setup(sys.argv, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
