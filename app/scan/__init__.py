"""From folders to the ledger: walks, what they leave out, what is missing, watching."""
