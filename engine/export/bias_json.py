"""Bias reports as JSON: the answer, what was tested on whom and with which pictures, every verdict, and
every number.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.bias.report.notes import assumption, said_beside
from engine.bias.report.records import BiasReport
from engine.bias.report.wording import answer
from engine.tables import as_json


def bias_json(reports: Sequence[BiasReport]) -> str:
    """{"command", "version", "answer", "reports", "rows"}: one record a report, and the rows of all of them
    in their order.
    """
    said = " ".join(line for report in reports for line in filter(None, answer(report)))
    rows = [row for report in reports for row in report.measures()]
    return as_json("bias", rows, answer=said, reports=[_record(report) for report in reports])


def _record(report: BiasReport) -> dict[str, object]:
    """What was tested, with the sentences that stand beside the answer and what the verdicts assume."""
    assumed, tested = assumption(report)
    return report.record() | {"said_beside": said_beside(report), "assumption": assumed, "how_it_was_tested": tested}
