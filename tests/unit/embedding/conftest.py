"""What the tests import of OpenCLIP is what the program does: it takes a third of the time."""

import app.embedding.engine_import

app.embedding.engine_import.import_open_clip()
