"""The API's description of itself."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from tests.api.caller import Caller


@pytest.fixture(scope="module")
def schema() -> Any:  # noqa: ANN401 - YAML
    """What the portal describes, free of warnings and valid as OpenAPI 3.0."""
    out = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    return yaml.safe_load(out.getvalue())


def test_every_operation_says_how_it_is_refused(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for verb in {"get", "post", "patch", "delete"} & set(operations):
            answers = operations[verb]["responses"]
            wanted = {"401", "403"} | ({"409", "422"} if verb != "get" else set())
            assert wanted <= set(answers), f"{verb} {path}"
            for status, answer in answers.items():
                if status >= "400":
                    assert answer["content"] == {
                        "application/problem+json": {
                            "schema": {"$ref": "#/components/schemas/Problem"}
                        }
                    }


def test_every_operation_is_described_in_words(schema: dict[str, Any]) -> None:
    silent = [
        f"{verb} {path}"
        for path, operations in schema["paths"].items()
        for verb, operation in operations.items()
        if not operation.get("description")
    ]
    assert silent == []


def test_no_answer_has_a_field_for_a_secret(schema: dict[str, Any]) -> None:
    answer = schema["components"]["schemas"]["Credential"]["properties"]

    assert {"secret", "passphrase"} & set(answer) == set()


@pytest.mark.database
def test_the_portal_serves_its_description(operator: Caller) -> None:
    answer = operator.client.get("/api/v1/schema/")

    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["info"]["title"] == "Fleetwright"
