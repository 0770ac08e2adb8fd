"""What an engine answers, in our own words for it."""

from __future__ import annotations

from devices.drivers.engine_answers import details_of


def started(at: str) -> str:
    return details_of({"State": {"StartedAt": at}}).started_at


def test_moments_within_one_second_sort_as_time_does() -> None:
    told = [f"2026-01-02T03:04:05{rest}Z" for rest in ("", ".000009999", ".1", ".123456789", ".9")]
    moments = [started(at) for at in told]
    assert moments == sorted(set(moments))
    assert moments[3] == "2026-01-02T03:04:05.123456+00:00"
    assert started("0001-01-01T00:00:00Z") == ""
