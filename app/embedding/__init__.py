"""From pixels and texts to vectors: which models there are, their weights, the encoder."""
