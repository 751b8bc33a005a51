"""What the tests import of OpenCLIP is what the program does: it takes a third of the time."""

import app.embedding.open_clip_import

app.embedding.open_clip_import.import_open_clip()
