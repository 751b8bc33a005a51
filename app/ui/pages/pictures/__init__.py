"""Finding pictures by a description or an example."""
