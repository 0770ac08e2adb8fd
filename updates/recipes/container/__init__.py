"""Carrying out upgrades of containers."""
