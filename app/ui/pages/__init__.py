"""One package for each page of the window; none knows another."""
