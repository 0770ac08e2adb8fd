"""Repositories of modules: added, changed, fetched, removed; and what they publish together."""

from __future__ import annotations

import json
import re
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction

from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch
from updates.errors import RepositoryRefused
from updates.formats.available import Index, Published, published
from updates.formats.repodata import packages_of, read_repodata
from updates.models import Repository
from updates.services.index_download import checked_url, download_index
from updates.services.reasons import given_reason

log = structlog.get_logger(__name__)

JOB: Final = "updates.jobs.run_fetch"
AT_ONCE: Final = 100
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")


def add_repository(*, name: str, url: str, is_testing: bool, actor: Actor) -> Repository:
    """The repository is known, and its index is here: it was fetched before anything was kept.

    RepositoryRefused with `repository_name`, `repository_url`, `repository_same_name_already_exists`,
    `repository_same_url_already_exists`, or why the index cannot be had: `repodata_not_found`, `repodata_is_not_json`,
    `repodata_is_not_valid_metadata`, `repository_not_accessible`.
    """
    actor.require("updates.add_repository")
    named, address = _named(name), checked_url(url)
    _refuse_known(named, address)
    content = download_index(address)
    packages = read_repodata(content)
    with transaction.atomic():
        _refuse_known(named, address)
        now = clock.now()
        repository = Repository.objects.create(
            name=named,
            url=address,
            is_testing=is_testing,
            index=json.loads(content),
            packages=len(packages),
            fetched_at=now,
            added_by=actor.user,
            added_at=now,
        )
        data = {"url": address, "testing": is_testing, "packages": len(packages)}
        audit.record(actor=actor, action="repository.add", subject=repository, data=data)
    return repository


def change_repository(
    *, repository: Repository, is_enabled: bool, is_testing: bool, actor: Actor
) -> Repository:
    """What the repository publishes counts from now on, or no more; and so do its pre-releases."""
    actor.require("updates.change_repository")
    with transaction.atomic():
        repository.is_enabled, repository.is_testing = is_enabled, is_testing
        repository.save(update_fields=["is_enabled", "is_testing"])
        data = {"enabled": is_enabled, "testing": is_testing}
        audit.record(actor=actor, action="repository.change", subject=repository, data=data)
    return repository


def remove_repository(*, repository: Repository, actor: Actor, reason: str) -> None:
    """The repository is forgotten. What was installed from it stays, and finds no updates any more."""
    actor.require("updates.delete_repository")
    why = given_reason(reason)
    with transaction.atomic():
        data = {"url": repository.url}
        audit.record(
            actor=actor, action="repository.remove", subject=repository, reason=why, data=data
        )
        repository.delete()


def request_fetch(*, repository: Repository, actor: Actor) -> Repository:
    """A worker will fetch the index. Refused while the repository is not enabled."""
    actor.require("updates.fetch_repository")
    if not repository.is_enabled:
        raise Refused(f"{repository} is not enabled.")
    with transaction.atomic():
        audit.record(actor=actor, action="repository.fetch", subject=repository)
        _ask(repository)
    return repository


def carry_out_fetch(repository: Repository) -> str:
    """The index is the repository's of now, and nothing is returned; or the last good one stays, with the sentence why."""
    rows = Repository.objects.filter(pk=repository.pk)
    try:
        content = download_index(repository.url)
        packages = read_repodata(content)
    except RepositoryRefused as refused:
        log.warning("repository not fetched", repository=repository.name, rule=refused.rule)
        rows.update(error=str(refused), error_at=clock.now())
        return str(refused)
    rows.update(
        index=json.loads(content),
        packages=len(packages),
        fetched_at=clock.now(),
        error="",
        error_at=None,
    )
    return ""


def recover_fetches(known: set[str]) -> None:
    """What was asked for has a job unless its id is among `known`; what is due is asked for.

    Due is what was not asked for `settings.REPOSITORY_FETCH_SECONDS`; 0: only people ask.
    """
    for repository in Repository.objects.filter(is_enabled=True).defer("index")[:AT_ONCE]:
        if repository.is_being_fetched:
            if job_id(repository) not in known:
                _start(repository)
        elif _is_due(repository):
            _ask(repository)


def catalogue() -> dict[str, Published]:
    """What the enabled repositories publish, by source; from the last good index of each."""
    rows = Repository.objects.filter(is_enabled=True, index__isnull=False)
    return published(
        Index(row.name, testing=row.is_testing, packages=packages_of(row.index)) for row in rows
    )


def job_id(repository: Repository) -> str:
    """The id of the job that fetches; another one for each time it is asked for."""
    asked = repository.asked_at.timestamp() if repository.asked_at else 0
    return f"repository-{repository.pk}-{asked:.0f}"


def _is_due(repository: Repository) -> bool:
    every: int = settings.REPOSITORY_FETCH_SECONDS
    age = clock.now() - (repository.asked_at or repository.added_at)
    return 0 < every <= age.total_seconds()


def _ask(repository: Repository) -> None:
    repository.asked_at = clock.now()
    repository.save(update_fields=["asked_at"])
    _start(repository)


def _start(repository: Repository) -> None:
    dispatch.start_job(JOB, argument=str(repository.pk), job=job_id(repository))


def _refuse_known(name: str, url: str) -> None:
    if Repository.objects.filter(name=name).exists():
        raise RepositoryRefused(
            "repository_same_name_already_exists", f"There is a repository named {name} already."
        )
    known = Repository.objects.filter(url=url).first()
    if known is not None:
        raise RepositoryRefused(
            "repository_same_url_already_exists", f"This address is known already, as {known}."
        )


def _named(name: str) -> str:
    named = name.strip()
    if not NAME.fullmatch(named):
        raise RepositoryRefused(
            "repository_name",
            "A repository is named by letters, digits, spaces and . _ -, at most 100 of them.",
        )
    return named
