"""Questions as narwhals functions: frame in, frame out, on any engine."""
