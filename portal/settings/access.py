"""Who gets in, and what a browser may do with our pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from portal.settings.environment import env

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "portal.sign_in.permissions.PermissionsAtOnce",
]

PROXY_COUNT = env.int("PROXY_COUNT", default=0)
"""How many proxies of yours stand before the portal, each appending to X-Forwarded-For. 0: nobody is believed."""

AXES_FAILURE_LIMIT = env.int("LOGIN_TRIES", default=10)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_LOCKOUT_MINUTES", default=15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
"""Both together: nobody locks a colleague out from elsewhere, and one forgetful person does not lock out an office."""
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "portal.sign_in.address.client_address"
AXES_USERNAME_CALLABLE = "portal.sign_in.lockout.counted_name"
AXES_LOCKOUT_CALLABLE = "portal.sign_in.lockout.locked_out"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

REQUIRE_SECOND_FACTOR = env.list("REQUIRE_SECOND_FACTOR", default=[])
"""Roles whose people must have a second factor; whoever has one is asked for it in any case."""

SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        # Alpine, which the admin theme is made of, compiles the expressions in its attributes.
        "script-src": ["'self'", "'unsafe-eval'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
