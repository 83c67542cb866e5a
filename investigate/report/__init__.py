"""The document that leaves the room: HTML, Markdown, CSV, JSON Lines, Timesketch, OCSF, and the bundle that proves it.

Rows and frames in, files out; which questions are asked, `Case.report` and `Case.bundle` decide.
"""
