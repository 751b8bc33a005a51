"""The whole check of the ledger, as a person asks for it: a sample, repairs, the invariants."""

from __future__ import annotations

from app.api.training_schemas import LedgerReport
from app.queue.questions import CheckLedgerRequest
from app.worker.context import context
from app.worker.maintenance.ledger_check import verify_ledger
from app.worker.maintenance.ledger_repair import repair_ledger
from app.worker.maintenance.ledger_sample import check_sample


def check_ledger(request: CheckLedgerRequest) -> LedgerReport:
    """Check, and repair where that is wanted."""
    store = context().store
    sampled = check_sample(store, request.sample, repair=request.repair)
    repaired = repair_ledger(store) if request.repair else 0
    report = verify_ledger(store)
    return report.model_copy(
        update={
            "repaired": repaired + sampled.repaired,
            "sampled": sampled.compared,
            "problems": [*report.problems, *sampled.problems],
        }
    )
