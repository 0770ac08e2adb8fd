"""The portal's settings, as tests use them: nothing of the machine's own, passwords hashed fast."""

from tests.environment.variables import set_variables
from tests.environment.workdir import workdir

set_variables()

from portal.settings import *  # noqa: E402, F403
from portal.settings import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Each `Client` makes the middleware anew: it would look through all static files each time, asked for one or not.
WHITENOISE_AUTOREFRESH = True

STATIC_ROOT = workdir() / "static"
STATIC_ROOT.mkdir()

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, not memory: locks between connections are as in earnest. It need not survive a power cut.
    DATABASES["default"]["TEST"] = {"NAME": str(workdir() / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"] |= {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    }
