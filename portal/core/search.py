"""Finding words in several columns at once, so that a table of a million rows need not be read for it.

The columns are searched as one text. On PostgreSQL an index of that very text answers (its own extension pg_trgm); without the
extension, and on SQLite, the same question reads the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar, cast

import structlog
from django.db import NotSupportedError, OperationalError, ProgrammingError, migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Func, Model, Q, QuerySet, TextField

log = structlog.get_logger(__name__)

JOINER: Final = r" || E'\n' || "
"""Nobody looks for a line end, so no word is found across the border of two columns."""
SQLITE_JOINER: Final = " || char(10) || "
MOST_WORDS: Final = 8

Row = TypeVar("Row", bound=Model)


class Joined(Func):
    """Columns that are never NULL, as one text."""

    template = "(%(expressions)s)"
    arg_joiner = JOINER
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # noqa: ANN401 - Django's own
        return self.as_sql(compiler, connection, arg_joiner=SQLITE_JOINER, **extra)


SHORTEST_INDEXED: Final = 3
"""Letters of a word that the index of a text can find: it holds their triples, and looks through all of itself for less."""


def containing(
    rows: QuerySet[Row],
    words: Iterable[str],
    *,
    columns: tuple[str, ...],
    or_else: Mapping[str, Q] | None = None,
    expect_few: bool = True,
) -> QuerySet[Row]:
    """Rows in which each of the words stands in some column, whatever its case, or of which the word's `or_else` is true.

    `expect_few` says how it will turn out. PostgreSQL takes matches to be spread evenly over a list, so it would rather walk the
    list from its newest row than take the index of the text; when all matches are a year old, it reads everything.
    """
    found = cast(QuerySet[Row], rows.alias(searched=Joined(*columns)))
    for word in words:
        wanted = Q(searched__icontains=word) | (or_else or {}).get(word, Q())
        found = found.filter(wanted)
        if expect_few:
            found = found.filter(wanted)  # said twice, it looks like very few: the index is taken
    return found


def words_of(text: str) -> list[str]:
    """What somebody looks for: the first eight words, each once."""
    return list(dict.fromkeys(text.split()))[:MOST_WORDS]


def text_index(name: str, *, table: str, columns: tuple[str, ...]) -> migrations.RunPython:
    """A migration operation: on PostgreSQL `containing` with these columns is answered from an index.

    It needs the extension pg_trgm, which any owner of a database may create since PostgreSQL 13. Where that fails nothing is
    lost but speed: a person with more rights may create the extension, and `migrate` this migration back and forth.
    """

    def create(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor != "postgresql":
            return
        text = JOINER.join(f'"{column}"' for column in columns)
        try:
            with transaction.atomic(using=editor.connection.alias):
                editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                editor.execute(
                    f"CREATE INDEX {name} ON {table} USING gin (UPPER(({text})::text) gin_trgm_ops)"
                )
        except (NotSupportedError, OperationalError, ProgrammingError) as error:
            log.warning("search will read whole tables", table=table, error=str(error))

    def drop(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor == "postgresql":
            editor.execute(f"DROP INDEX IF EXISTS {name}")

    return migrations.RunPython(create, drop)
