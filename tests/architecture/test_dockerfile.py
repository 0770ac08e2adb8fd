"""The portal's own image: built from what the tests build it from, and with a word on where its releases are."""

from __future__ import annotations

import re

from tests.architecture.source import ROOT
from tests.environment.device_image import RELEASE
from tests.environment.portal_images import BASE

TEXT = (ROOT / "Dockerfile").read_text()


def test_it_is_built_on_the_debian_that_stands_in_for_it() -> None:
    assert BASE.endswith(RELEASE)
    assert re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE) == [BASE, BASE]


def test_it_can_say_where_its_source_and_its_release_notes_are() -> None:
    assert 'org.opencontainers.image.source="$SOURCE"' in TEXT
    assert re.search(r"^ARG SOURCE", TEXT, re.MULTILINE)
