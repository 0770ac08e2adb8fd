"""Devices, their groups and credentials in the API: parse, call one service, answer."""
