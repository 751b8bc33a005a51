"""Afterimage looks at every picture in a folder once, and finds any of them by a description.

Two processes share one ledger::

    window (app.ui) ── commit rows ──► SQL ledger (app.db) ◄── claim, settle ── worker (app.worker)
           └────────── enqueue ──────► Redis (app.queue) ────── "there is work" ──┘

    worker: decode (app.pictures) ► embed (app.embedding)
            ► store and wait (app.vectors) ► evidence and status in one commit (app.db)

The ledger is the only truth. Redis may be lost at any moment: it only says that there is work.
Vectors can be rebuilt from the ledger and the pictures.
"""
