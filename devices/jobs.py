"""What workers run for devices."""

from __future__ import annotations

import structlog

from devices.services.bulk import carry_out_piece
from devices.services.engine_looks import take_look

log = structlog.get_logger(__name__)


def run_bulk(order_id: str) -> str:
    """Takes a bulk order one piece further."""
    order = carry_out_piece(order_id)
    log.info("job ended", bulk_order=order_id, done=order.done, total=order.total)
    return f"{order.done} of {order.total}"


def look_at_engine(pk: str) -> str:
    """Asks a device's engine what it has."""
    look = take_look(pk)
    log.info("job ended", engine=look.device.name, error=look.error)
    return look.error
