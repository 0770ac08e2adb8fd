"""Never imported by the service."""

VALUE = 1
