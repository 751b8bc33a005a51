"""Pictures that could not be indexed, by cause."""
