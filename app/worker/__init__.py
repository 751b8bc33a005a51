"""The worker process, which alone has the model and the vectors in memory."""
