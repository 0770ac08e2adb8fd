"""What lists, the API and dynamic groups ask of attributes: the value, part of it, or a number, wherever it is from."""

from __future__ import annotations

import pytest

from devices.models import Device
from devices.queries import devices_matching
from portal.core.errors import Refused

pytestmark = pytest.mark.database


@pytest.fixture
def fleet(db: None) -> None:
    rows: list[tuple[str, dict[str, object], dict[str, object]]] = [
        ("written", {"floor": "3", "site": "Leipzig"}, {}),
        ("reported", {}, {"floor": 4, "site": "Leipzig", "mem": 512.5}),
        ("both", {"floor": "1"}, {"floor": "10", "mem": "1024"}),
        ("words", {"floor": "ground", "mem": ""}, {"mem": ["1", "2"]}),
        ("huge", {"floor": "9" * 400}, {"floor": "1e999"}),
        ("nothing", {}, {}),
        ("listed", {}, {"ip": ["10.0.0.1", "10.0.0.12", "a, b"], "slots": [3, 4.0]}),
        ("unlisted", {"ip": "10.0.0.1"}, {"slots": 3.0, "site": "Köln (West)"}),
        ("abroad", {}, {"ip": ["Köln"]}),
        ("old", {"v": "20.1"}, {"serial": "7", "rack": ['1, 3, "4']}),
        ("new", {"v": "20.10"}, {"serial": "007", "rack": 1e3}),
    ]
    for name, attributes, reported in rows:
        Device.objects.create(
            name=name, device_type="x", driver="pull", attributes=attributes, reported=reported
        )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("site=Leipzig", "reported written"),
        ("floor=4", "reported"),
        ("floor=10", "both"),
        ("floor=1", "both"),
        ("floor>3", "both reported"),
        ("floor>=3", "both reported written"),
        ("floor<3", "both"),
        ("floor < 3; mem >= 1024", "both"),
        ("mem<=1024", "both reported"),
        ("mem<=512.5", "reported"),
        ("mem>-1e2", "both reported"),
        ("site=Leipzig; floor>3", "reported"),
        ("nowhere>0", ""),
        ("ip=10.0.0.1", "listed unlisted"),
        ("ip=10.0.0.2", ""),
        ("ip=0.0.1", ""),
        ("ip=b", ""),
        ("ip=a, b", "listed"),
        ("ip=Köln", "abroad"),
        ("ip=.*", ""),
        ("slots=3", "listed unlisted"),
        ("slots=3.0", "listed unlisted"),
        ("slots=4", "listed"),
        ("site~leip", "reported written"),
        ("site~(w", "unlisted"),
        ("ip~", "abroad listed unlisted"),
        ("site~; site!=Leipzig", "unlisted"),
        ("ip!=10.0.0.1; site!=Leipzig", "abroad both huge new nothing old words"),
        ("v=20.10", "new"),
        ("v~; v!=20.10", "old"),
        ("serial=007", "new"),
        ("serial=7.0", ""),
        ("rack=3", ""),
        ("rack=1000", "new"),
        ('rack=1, 3, "4', "old"),
        ("floor~; floor!=10; floor!=1", "huge reported words written"),
    ],
)
def test_attributes_are_asked_for(fleet: None, text: str, found: str) -> None:
    names = devices_matching({"attribute": text}).order_by("name").values_list("name", flat=True)
    assert " ".join(names) == found


@pytest.mark.parametrize("text", ["floor>ground", "floor>", "floor", ">3", "floor>>3", "a<1e999"])
def test_what_makes_no_sense_is_refused_in_words(text: str) -> None:
    with pytest.raises(Refused, match=r"written|asked for|compares numbers"):
        devices_matching({"attribute": text})
