"""Both vendors on this machine: DevRev's exports with real S3 behind them, CodeRabbit's paged log, a planted incident.

Runs as a process of its own (`python -m investigate.sandbox`); it shares no code with the client it is there to test.
"""

__all__: list[str] = []
