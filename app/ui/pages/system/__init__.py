"""Everything that runs, the ledger check, the log."""
