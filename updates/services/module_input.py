"""Orders in the shape that NethServer's `update-module` takes: read, and refused field by field.

    {"module_url": "ghcr.io/nethserver/mymodule:1.1.0", "instances": ["mymodule1"], "force": false}

Besides, all optional: `reason`, `canary`, `stops_at_failure`, `override`, and `count`, which an order for more than a hundred
has to say. An error's name is the parameter's and what is wrong with it, in the words of the schema's checker:
`instances_array_min_items`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from updates.errors import OrderInvalid
from updates.models import Instance
from updates.services.module_bulk import Bulk
from updates.services.module_choice import Wanted, why_not_image

FLAGS: Final = ("force", "canary", "stops_at_failure", "override")
MOST_INSTANCES: Final = 1000
LONGEST_IMAGE: Final = 300
LONGEST_REASON: Final = 2000
HOW_TO_MEAN: Final = 'send it as "count"'
"""Where an order in this shape says how many instances it is meant for."""

_Fault = dict[str, Any]


def read_order(data: object) -> tuple[Wanted, str]:
    """What is wanted, and why: where nobody says that, the action and the image. OrderInvalid with every fault."""
    if not isinstance(data, dict):
        raise OrderInvalid([_fault("", "invalid_type", data)])
    besides = {"module_url", "instances", "reason", "count", *FLAGS}
    faults = [
        *_image_faults(data), *_instances_faults(data), *_other_faults(data, besides=besides)
    ]  # fmt: skip
    if faults:
        raise OrderInvalid(faults)
    instances = _found(data["instances"])
    image = data["module_url"].strip()
    wanted = Wanted(
        image=image,
        instances=[instances[name] for name in data["instances"]],
        force=data.get("force", False),
        overrides=data.get("override", False),
        canary=data.get("canary", False),
        stops_at_failure=data.get("stops_at_failure", False),
    )
    return wanted, data.get("reason", "").strip() or f"update-module {image}"


def read_bulk(data: object) -> tuple[Bulk, str]:
    """The same for `update-modules`: `instances` and `modules`, which both may be left out, narrow down what is updated."""
    if not isinstance(data, dict):
        raise OrderInvalid([_fault("", "invalid_type", data)])
    words = ("instances", "modules")
    faults = [
        *(fault for word in words for fault in _names_faults(word, data.get(word))),
        *_other_faults(data, besides={*words, "canary", "stops_at_failure", "reason", "count"}),
    ]
    if faults:
        raise OrderInvalid(faults)
    bulk = Bulk(
        instances=tuple(data["instances"]) if "instances" in data else None,
        modules=tuple(data["modules"]) if "modules" in data else None,
        canary=data.get("canary", False),
        stops_at_failure=data.get("stops_at_failure", False),
    )
    return bulk, data.get("reason", "").strip() or "update-modules"


def read_count(data: object) -> int | None:
    """How many instances the order says that it is meant for, once it was read; None: it does not say."""
    count = data.get("count") if isinstance(data, dict) else None
    return count if isinstance(count, int) else None


def _names_faults(parameter: str, names: object) -> Iterator[_Fault]:
    if names is None:
        return
    if not isinstance(names, list):
        yield _fault(parameter, "invalid_type", names)
    elif len(names) > MOST_INSTANCES:
        yield _fault(parameter, "array_max_items", len(names))
    else:
        for number, name in enumerate(names):
            if not isinstance(name, str):
                yield _fault(parameter, "invalid_type", name, field=f"{parameter}.{number}")


def _image_faults(data: dict[str, Any]) -> Iterator[_Fault]:
    if "module_url" not in data:
        yield _fault("module_url", "required", "")
        return
    image = data["module_url"]
    if not isinstance(image, str):
        yield _fault("module_url", "invalid_type", image)
    elif not image.strip():
        yield _fault("module_url", "string_gte", image)
    elif len(image) > LONGEST_IMAGE:
        yield _fault("module_url", "string_lte", image)
    elif why_not_image(image):
        yield _fault("module_url", "format", image)


def _instances_faults(data: dict[str, Any]) -> Iterator[_Fault]:
    if "instances" not in data:
        yield _fault("instances", "required", "")
        return
    names = data["instances"]
    if not isinstance(names, list):
        yield _fault("instances", "invalid_type", names)
        return
    if not names:
        yield _fault("instances", "array_min_items", names)
    if len(names) > MOST_INSTANCES:
        yield _fault("instances", "array_max_items", len(names))
        return
    known = _found(name for name in names if isinstance(name, str))
    for number, name in enumerate(names):
        field = f"instances.{number}"
        if not isinstance(name, str):
            yield _fault("instances", "invalid_type", name, field=field)
        elif name not in known:
            yield _fault("instances", "not_found", name, field=field)
        elif name in names[:number]:
            yield _fault("instances", "unique", name, field=field)


def _other_faults(data: dict[str, Any], *, besides: Collection[str]) -> Iterator[_Fault]:
    for flag in FLAGS:
        if not isinstance(data.get(flag, False), bool):
            yield _fault(flag, "invalid_type", data[flag])
    reason = data.get("reason", "")
    if not isinstance(reason, str):
        yield _fault("reason", "invalid_type", reason)
    elif len(reason) > LONGEST_REASON:
        yield _fault("reason", "string_lte", reason)
    if type(data.get("count")) not in (int, type(None)):
        yield _fault("count", "invalid_type", data["count"])
    for name in sorted(set(data) - set(besides), key=str):
        # Refused, though NethServer's own is silent: a misspelt "canary" must not become an order without one.
        yield _fault(str(name), "additional_property_not_allowed", data[name])


def _found(names: Iterator[str] | list[str]) -> dict[str, Instance]:
    rows = Instance.objects.select_related("module", "device", "installation")
    return {row.name: row for row in rows.filter(name__in=list(names))}


def _fault(parameter: str, what: str, value: object, *, field: str = "") -> _Fault:
    return {
        "parameter": parameter,
        "error": f"{parameter}_{what}" if parameter else what,
        "value": value,
        "field": field or parameter or "(root)",
    }
