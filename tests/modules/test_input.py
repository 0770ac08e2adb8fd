"""The shape of the seed's orders: what is read, and how each fault is named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.modules.rows import NEW, new_instance
from updates.errors import OrderInvalid
from updates.services.module_input import MOST_INSTANCES, read_order

pytestmark = pytest.mark.database


def faults(data: object) -> list[tuple[str, str, str]]:
    with pytest.raises(OrderInvalid) as refused:
        read_order(data)
    assert refused.value.code == "UPD-130"
    assert all(
        set(fault) == {"parameter", "error", "value", "field"} for fault in refused.value.invalid
    )
    return [(fault["parameter"], fault["error"], fault["field"]) for fault in refused.value.invalid]


def good(**more: object) -> dict[str, Any]:
    return {"module_url": NEW, "instances": ["mymodule1"], **more}


def test_the_seeds_own_order_is_read() -> None:
    one = new_instance()
    wanted, reason = read_order(good())
    assert (wanted.image, wanted.instances, wanted.force) == (NEW, [one], False)
    assert reason == f"update-module {NEW}"


def test_what_an_order_says_besides_is_read() -> None:
    two, one = new_instance("mymodule2"), new_instance("mymodule1")
    wanted, reason = read_order(
        good(instances=["mymodule2", "mymodule1"], force=True, canary=True, stops_at_failure=True,
             override=True, reason=" A fix "),
    )  # fmt: skip
    assert wanted.instances == [two, one], "in the order of the order"
    assert (wanted.force, wanted.canary, wanted.stops_at_failure, wanted.overrides) == (True,) * 4
    assert reason == "A fix"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ([], [("", "invalid_type", "(root)")]),
        (
            {},
            [
                ("module_url", "module_url_required", "module_url"),
                ("instances", "instances_required", "instances"),
            ],
        ),
        (good(module_url=7), [("module_url", "module_url_invalid_type", "module_url")]),
        (good(module_url="  "), [("module_url", "module_url_string_gte", "module_url")]),
        (good(module_url="x" * 301), [("module_url", "module_url_string_lte", "module_url")]),
        (good(module_url="a b"), [("module_url", "module_url_format", "module_url")]),
        (good(instances="mymodule1"), [("instances", "instances_invalid_type", "instances")]),
        (good(instances=[]), [("instances", "instances_array_min_items", "instances")]),
        (
            good(instances=["mymodule1"] * (MOST_INSTANCES + 1)),
            [("instances", "instances_array_max_items", "instances")],
        ),
        (
            good(instances=["mymodule1", "nobody1", 3, "mymodule1"]),
            [
                ("instances", "instances_not_found", "instances.1"),
                ("instances", "instances_invalid_type", "instances.2"),
                ("instances", "instances_unique", "instances.3"),
            ],
        ),
        (good(force="yes"), [("force", "force_invalid_type", "force")]),
        (good(canary=1), [("canary", "canary_invalid_type", "canary")]),
        (good(reason=None), [("reason", "reason_invalid_type", "reason")]),
        (good(reason="x" * 2001), [("reason", "reason_string_lte", "reason")]),
        (
            good(cannary=True),
            [("cannary", "cannary_additional_property_not_allowed", "cannary")],
        ),
    ],
)  # fmt: skip
def test_every_fault_is_named_by_its_field(data: object, found: list[tuple[str, str, str]]) -> None:
    new_instance()
    assert faults(data) == found
