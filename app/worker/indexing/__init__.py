"""Sessions: a batch after the other, through the stages of each."""
