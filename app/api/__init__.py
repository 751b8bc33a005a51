"""The shapes that windows, scripts, services and workers exchange."""
