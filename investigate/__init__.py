"""Who touched this data, when, from where, and how sure are we."""
