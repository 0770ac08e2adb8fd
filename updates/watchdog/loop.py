"""The watchdog's life: what was begun is ended first, then whoever asks next has a turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final
from uuid import UUID

import structlog

from devices.drivers.engine import Engine
from devices.errors import DeviceError, DeviceUnreachable, StaleHolder
from portal.core.errors import FleetwrightError, Refused
from updates.errors import LeaseLost, NotCompatible, StepFailed
from updates.machine import ACTIVE, Outcome
from updates.plan import ContainerPlan
from updates.recipes.finding import Finding
from updates.recipes.patience import patiently
from updates.runner import Context, Failure, HandOver, Recipe, WhenNeeded, advance
from updates.watchdog.admission import Admission
from updates.watchdog.backing_up import carry_out_backup
from updates.watchdog.backup_order import read_backup_order
from updates.watchdog.durable import clear_drafts, locked, remove
from updates.watchdog.ending import end_as_shown, end_what_was_begun_elsewhere
from updates.watchdog.environment import Environment
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import Heart, read_heartbeat
from updates.watchdog.hidden import Secrets
from updates.watchdog.journal import FileJournal, JournalTrouble, claim
from updates.watchdog.leftovers import clear_leftovers
from updates.watchdog.limits import OVERTIME_SECONDS, STATE_LIMIT_SECONDS
from updates.watchdog.orders import ordered
from updates.watchdog.own_container import own_container
from updates.watchdog.planning import Planner
from updates.watchdog.preflight import EVERY_SECONDS, another_version, write_preflight
from updates.watchdog.record import Record, begin_record, records, show_records, unfinished
from updates.watchdog.trigger import Inbox, Trigger

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 30.0
"""How often it is seen to that the engine answers."""
KEPT_RECORDS: Final = 20
"""How many upgrades that are over have a file still: the portal has taken them into its history long ago."""

CANCELLED_EARLY: Final = "It was cancelled before anything was done."

Look = Callable[[ContainerPlan, Engine], Iterable[Finding]]
MakeRecipe = Callable[[ContainerPlan, Engine], Recipe]
OpenEngine = Callable[[], AbstractContextManager[Engine]]


class OldTrigger(ValueError):
    """A trigger that was done before: nobody waits for it."""


class Watchdog:
    """One watchdog. `stopped` is set when it is to hand over; `make_recipe` is told admitted plans only."""

    def __init__(
        self,
        environment: Environment,
        *,
        open_engine: OpenEngine,
        make_recipe: MakeRecipe,
        look: Look,
        stopped: threading.Event,
        name: str,
    ) -> None:
        self._environment = environment
        self._folder = Folder(environment.data_dir, own=environment.own_dir)
        self._inbox = Inbox(self._folder)
        self._open_engine = open_engine
        self._make_recipe = make_recipe
        self._look = look
        self._look_ahead_at = 0.0
        self._is_tidy = False
        self._stopped = stopped
        self._name = name
        self._look_again_at = 0.0

    def run(self) -> None:
        """Returns when it was asked to stop: what it had in hand goes on with the next one's start."""
        self._folder.make()
        while not self._stopped.is_set():
            with locked(self._folder.holder, waits=False) as is_ours:
                if is_ours:
                    self._watch()
                else:
                    log.info("another watchdog lives", folder=str(self._folder.data))
                    self._stopped.wait(self._environment.check_interval)

    def _watch(self) -> None:
        interval = self._environment.check_interval
        last = read_heartbeat(self._folder)
        self._last_seen = last.seen_at if last else None
        for place in {self._folder.journals, self._folder.records}:
            clear_drafts(place)
        end_what_was_begun_elsewhere(self._folder)
        log.info("Monitoring %s", self._folder.trigger, trouble=self._environment.trouble)
        with Heart(
            self._folder,
            interval=interval,
            version=self._environment.version,
            trouble=self._environment.trouble,
        ) as self._heart:
            while not self._stopped.is_set():
                try:
                    self.once()
                except (OSError, JournalTrouble) as error:
                    log.error("the folder cannot be written", upgrade=self._heart.upgrade, error=str(error))  # fmt: skip
                self._stopped.wait(interval)

    def once(self) -> None:
        """What is unfinished went as far as it could; else a trigger that waits did."""
        self._look_at_engine()
        end_as_shown(self._folder)
        record = unfinished(self._folder) or self._taken()
        if record is None:
            show_records(self._folder)
            self._is_tidy = self._is_tidy or clear_leftovers(self._folder)
            self._back_up()
            self._look_ahead()
            return
        self._heart.upgrade = record.upgrade
        try:
            with structlog.contextvars.bound_contextvars(upgrade=record.upgrade):
                self._carry_out(record)
        finally:
            self._heart.upgrade = ""
            self._heart.is_hung = lambda: False
        self._forget_old()

    def _back_up(self) -> None:
        """The backup that somebody wants, if any, was made, or is known why it was not."""
        try:
            order = read_backup_order(self._folder)
        except ValueError as error:
            log.error("the order of a backup is put away", error=str(error))
            remove(self._folder.backup_order)
            return
        if order is None or order.is_over:
            return
        carry_out_backup(
            order,
            self._folder,
            open_engine=self._open_engine,
            plan_on=lambda engine, trigger: self._planner(engine).plan(trigger),
            wants_leave=self._stopped.is_set,
        )

    def _look_ahead(self) -> None:
        """The portal knows what an upgrade would find here, and can say so before one is ordered."""
        if time.monotonic() < self._look_ahead_at:
            return
        self._look_ahead_at = time.monotonic() + EVERY_SECONDS
        version = another_version(self._environment.version)
        trigger = Trigger(upgrade=str(UUID(int=0)), version=version)
        try:
            with self._open_engine() as engine:
                findings = [*self._look(self._planner(engine).plan(trigger), engine)]
        except (DeviceError, Refused, StepFailed) as error:
            findings = [Finding("watchdog", ok=False, says=str(error))]
        write_preflight(self._folder, findings)

    def _look_at_engine(self) -> None:
        """Whoever looks at the heartbeat knows whether the engine answers: nothing is ordered while it does not."""
        if time.monotonic() < self._look_again_at:
            return
        trouble = self._environment.trouble
        try:
            with self._open_engine() as engine:
                engine.version()
        except DeviceError as error:
            trouble = trouble or f"The watchdog does not reach the Docker Engine: {error}"
        if trouble != self._heart.trouble:
            self._heart.trouble = trouble
            self._heart.beat()
        self._look_again_at = time.monotonic() + LOOK_SECONDS

    def _taken(self) -> Record | None:
        """The record of the trigger that waits: it is there before the trigger is gone. One that cannot be failed at once."""
        trigger = self._inbox.take()
        if trigger is None:
            return None
        try:
            self._require_new(trigger)
            if self._folder.cancel(trigger.upgrade).exists():
                self._fail(trigger, NotCompatible(CANCELLED_EARLY), outcome=Outcome.CANCELLED)
                return None
            with self._open_engine() as engine:
                plan = self._planner(engine).plan(trigger)
        except DeviceUnreachable as error:
            log.warning("the engine does not answer", upgrade=trigger.upgrade, error=str(error))
            return None
        except OldTrigger as error:
            self._inbox.refuse(str(error), upgrade=trigger.upgrade)
            return None
        except (NotCompatible, DeviceError) as error:
            self._fail(trigger, error)
            return None
        record = ordered(trigger, plan=plan.as_json())
        begin_record(self._folder, record)
        remove(self._folder.refused)
        self._inbox.done()
        return record

    def _fail(
        self, trigger: Trigger, error: FleetwrightError, *, outcome: Outcome = Outcome.FAILED
    ) -> None:
        log.error("it cannot be", upgrade=trigger.upgrade, why=str(error))
        # Of its plan nobody knows what it is: nothing is read of it, and nothing kept.
        begin_record(self._folder, ordered(trigger, plan={}))
        fence = claim(self._folder, trigger.upgrade, last_seen=None)
        book = FileJournal(self._folder, trigger.upgrade, fence=fence, limits=STATE_LIMIT_SECONDS)
        book.break_off(Failure.of(error), outcome=outcome)
        self._inbox.done()

    def _require_new(self, trigger: Trigger) -> None:
        """Nothing, or OldTrigger for one that was done before, whoever brought it back."""
        known = list(records(self._folder))
        if any(one.upgrade == trigger.upgrade for one in known):
            raise OldTrigger("This very trigger was done before.")
        newest = max((one.order_seq for one in known), default=0)
        if trigger.plan is not None and trigger.sequence <= newest:
            raise OldTrigger(
                f"The trigger has the number {trigger.sequence}, but number {newest} was taken before: it is an old one."
            )

    def _planner(self, engine: Engine) -> Planner:
        own = own_container(engine)
        admission = Admission(engine, self._environment, self._folder, own=own)
        return Planner(engine, self._environment, self._folder, admission, own=own)

    def _carry_out(self, record: Record) -> None:
        fence = claim(self._folder, record.upgrade, last_seen=self._last_seen)
        with self._open_engine() as engine:
            book = FileJournal(
                self._folder,
                record.upgrade,
                fence=fence,
                limits=STATE_LIMIT_SECONDS,
                whole_seconds=self._environment.limit_seconds,
                secrets=Secrets(engine, record.plan.get("containers") or []),
                wants_leave=self._stopped.is_set,
            )
            self._heart.is_hung = lambda: book.seconds_left() < -OVERTIME_SECONDS
            try:
                if record.fence and not record.unheld_since and book.state in ACTIVE:
                    book.took_over(worker=self._name)
                advance(book, WhenNeeded(lambda: self._recipe(record, engine, Context(book))))
                log.info("upgrade is over", outcome=book.outcome)
            except HandOver:
                book.release()
                log.info("handed over", state=book.state.value)
            except (LeaseLost, StaleHolder) as error:
                log.warning("the upgrade is somebody else's", why=str(error))

    def _recipe(self, record: Record, engine: Engine, context: Context) -> Recipe:
        try:
            plan = ContainerPlan.from_json(record.plan)
        except (ValueError, TypeError, KeyError) as error:
            raise NotCompatible(f"The plan cannot be read: {error}.") from None
        if plan.upgrade != record.upgrade:
            raise NotCompatible("The plan is another upgrade's.")

        def admitted() -> ContainerPlan:
            own = own_container(engine)
            return Admission(engine, self._environment, self._folder, own=own).admitted(plan)

        # An engine that is just starting again is no reason to give up half-way.
        return self._make_recipe(patiently(context, engine, admitted), engine)

    def _forget_old(self) -> None:
        over = [one for one in records(self._folder) if one.is_over]
        for record in over[:-KEPT_RECORDS]:
            remove(self._folder.cancel(record.upgrade))
            remove(self._folder.record(record.upgrade))
            remove(self._folder.as_shown.record(record.upgrade))
