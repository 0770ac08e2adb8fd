"""What every refusal of the API has in common."""

from __future__ import annotations

from tests.api.caller import Answer


def assert_problem(answer: Answer, *, status: int, code: str) -> None:
    """`answer` is a problem as RFC 9457 has it, of this status and code, and says what is wrong in a sentence."""
    assert (answer.status, answer.body.get("code")) == (status, code), answer.body
    assert answer.media_type == "application/problem+json"
    assert answer.body["status"] == status
    assert answer.body["type"] == f"urn:fleetwright:problem:{code.lower()}"
    assert answer.body["title"]
    assert answer.body["detail"]
    assert "Traceback" not in str(answer.body)
