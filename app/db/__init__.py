"""The ledger: tables, the moves that are allowed, migrations, signs of life."""
