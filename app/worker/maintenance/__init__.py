"""What keeps ledger, vectors and thumbnails true to each other and to the folders."""
