"""Questions as narwhals functions: frame in, frame out, on any engine."""

from investigate.trace.people import Directory
from investigate.trace.scope import Scope
from investigate.trace.touched import assemble, facets, who_touched

__all__ = ["Directory", "Scope", "assemble", "facets", "who_touched"]
