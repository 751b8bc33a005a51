"""From a file to pixels and thumbnails."""
