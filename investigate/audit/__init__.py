"""Audits: Sigma rules over the lake, what they found, and what of it is new."""
