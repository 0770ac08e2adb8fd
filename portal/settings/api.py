"""The API's settings."""

from __future__ import annotations

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.core.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["portal.core.rest.permissions.MayView"],
    "DEFAULT_PARSER_CLASSES": ["portal.core.rest.parsers.LimitedJsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "portal.core.rest.paging.Pages",
    "DEFAULT_SCHEMA_CLASS": "portal.core.rest.schema.ProblemSchema",
    "EXCEPTION_HANDLER": "portal.problems.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Fleetwright",
    "DESCRIPTION": "Upload, check, deploy, watch, roll back, and read what happened.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "CheckVerdictEnum": "updates.models.Check.Verdict",
        "UpgradeKindEnum": "updates.api.names.upgrade_kinds",
    },
}
