"""Django's own settings and those of the packages in it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog
from django.templatetags.static import static
from django.urls import reverse

from portal.settings.environment import BASE_DIR, VAR_DIR, env
from portal.settings.own_redis import impatient, own_socket
from portal.settings.own_secrets import own_secret

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="") or own_secret(VAR_DIR / "secret-key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

HTTPS = env.bool("HTTPS", default=False)
"""True behind a proxy that speaks TLS: cookies and redirects insist on it."""
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
"""Asked from within, past the proxy, by whatever watches the portal."""
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "django_rq",
    "axes",
    "csp",
    "portal.core",
    "devices",
    "updates",
    "patches",
    "portal.second_factor",
    "portal",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.headers.PermissionsPolicyMiddleware",
    "portal.closed.ClosedMiddleware",
    "portal.core.no_nul.NoNulMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "portal.core.upload_limit.UploadLimitMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.core.request_log.RequestLogMiddleware",
    "portal.second_factor.middleware.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'fleetwright.sqlite3'}"),
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Writers queue instead of failing, readers never wait, and a commit survives a power cut of the portal's own host:
    # what the journal wrote before acting has to be there afterwards.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["CONN_MAX_AGE"] = 60
"""Making a connection costs as much as a small request, on either database."""
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

LANGUAGE_CODE = "en"
TIME_ZONE = env("TIME_ZONE", default="UTC")
USE_TZ = True
FORMAT_MODULE_PATH = ["portal.formats"]

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

OWN_REDIS_SOCKET = None if env("REDIS_URL", default="") else own_socket(VAR_DIR)
"""Where `manage.py up` has a Redis of its own listen; None when REDIS_URL names another one."""
REDIS_URL = env("REDIS_URL", default="") or f"unix://{quote(str(OWN_REDIS_SOCKET))}"
RQ_QUEUES = {"updates": {"URL": impatient(REDIS_URL), "DEFAULT_TIMEOUT": -1}}
RQ_SHOW_ADMIN_LINK = False
"""Its own way into the admin asks for no permission, and any user of it could delete jobs; portal.queue_pages asks for one."""
RQ = {"WORKER_CLASS": "portal.worker.FleetWorker"}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Fleetwright",
    "SITE_HEADER": "Fleetwright",
    "SITE_SUBHEADER": "Updates for a fleet",
    "SITE_SYMBOL": "conveyor_belt",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("fleetwright/icon.svg"),
        }
    ],
    "STYLES": [
        lambda _request: static("fleetwright/theme.css"),
        lambda _request: static("fleetwright/pages.css"),
        lambda _request: static("fleetwright/fleet.css"),
    ],
    "SCRIPTS": [
        lambda _request: static("fleetwright/htmx_settings.js"),
        lambda _request: static("fleetwright/live.js"),
        lambda _request: static("fleetwright/keys.js"),
        lambda _request: static("fleetwright/lookups.js"),
        lambda _request: static("fleetwright/upgrading.js"),
    ],
    "GLOBAL_CALLBACK": "portal.sites.no_inline_style",
    "ACCOUNT": {
        "navigation": [
            {"title": "Second factor", "link": lambda _request: reverse("second_factor:home")},
            {"title": "Keyboard shortcuts", "link": "#shortcuts"},
        ],
    },
    "DASHBOARD_CALLBACK": "portal.dashboard.front_page.add_numbers",
    "SIDEBAR": {
        "navigation": "portal.sites.navigation",
        "show_search": True,
        "command_search": True,
    },
    "COMMAND": {"search_callback": "portal.sites.find"},
}

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
                if not env.bool("LOG_JSON", default=False)
                else structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": [
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
            ],
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "axes": {"level": "WARNING"},
        "paramiko": {"level": "WARNING"},
        "rq": {"level": "WARNING"},
    },
}
