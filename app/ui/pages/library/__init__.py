"""Every picture, by folder, by date, and duplicates."""
