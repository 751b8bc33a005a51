"""Child processes: the queue's server and the worker, started, watched and ended."""
