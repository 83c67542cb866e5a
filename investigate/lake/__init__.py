"""The lake: Delta tables of events and rejects, partitioned by UTC date."""
