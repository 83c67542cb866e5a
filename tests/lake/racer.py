"""One of several writers on one lake: commits acquisitions, some events of which the others bring too.

Run as `racer.py FOLDER URI NAME ACQUISITIONS SHARED`; prints what each commit counted, one a line.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from investigate.lake.lake import Lake

sys.path.insert(0, str(Path(__file__).parent))
from made import commit, events, rejects  # beside this file, which is in no package


def main(folder: str, uri: str, name: str, acquisitions: int, shared: int) -> None:
    lake = Lake(Path(folder) / name, uri=uri or None) if uri else Lake(Path(folder))
    sys.stdin.readline()  # all start at once
    for number in range(acquisitions):
        brought = [f"shared-{number * shared + at}" for at in range(shared)]
        tables = events(*brought, f"{name}-{number}"), events(f"{name}-{number}", days=1)
        written = commit(lake, f"{name}-{number}", *tables, rejected=rejects(number))
        sys.stdout.write(json.dumps(asdict(written)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
