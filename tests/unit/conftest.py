"""The tests import of PyTorch and OpenCLIP what a worker does: it takes a third of the time."""

from app.imports import FOR_TRACING, leaving_out

with leaving_out(FOR_TRACING):
    import app.embedding.open_clip_import

app.embedding.open_clip_import.import_open_clip()
