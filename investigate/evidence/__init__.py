"""Evidence: write-once bytes by SHA-256, the hash-chained ledger, and the verification of both."""
