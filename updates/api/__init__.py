"""Artifacts, deployments and upgrades in the API: parse, call one service, answer."""
