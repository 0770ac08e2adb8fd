"""Upgrades that devices carry out themselves: what these are offered, what they report, what becomes of those that fall silent.

Decision 0013 says why it is as it is.
"""

from updates.services.pulled.control import control_map, offered_map
from updates.services.pulled.device_log import keep_log
from updates.services.pulled.ending import end_for, end_silent
from updates.services.pulled.link import link_to, linked
from updates.services.pulled.offering import Offer, next_offer
from updates.services.pulled.reporting import Answer, report_status

__all__ = [
    "Answer",
    "Offer",
    "control_map",
    "end_for",
    "end_silent",
    "keep_log",
    "link_to",
    "linked",
    "next_offer",
    "offered_map",
    "report_status",
]
