"""Raw records to canonical events and rejects, by declarative profiles."""
