"""Gives the tokens that a registry wants to see: what stands beside a registry at Docker's, GitHub's and others."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.environment.certificates import certified

Users = dict[str, str]


class TokenServer:
    """On loopback. `users` get a token for what they ask; nobody without a name gets one, unless `is_open`."""

    def __init__(self, users: Users, *, is_open: bool = False) -> None:
        self.signer = certified("issuer")
        self.users = users
        self.is_open = is_open
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.tokens = self  # type: ignore[attr-defined]
        self.realm = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, authorization: str, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        name, _, password = _decoded(authorization.removeprefix("Basic ")).partition(":")
        if not (self.users.get(name) == password if name else self.is_open):
            return 401, {"details": "incorrect username or password"}
        return 200, {"token": self._signed(query)}

    def _signed(self, query: dict[str, list[str]]) -> str:
        now = int(time.time())
        kind, path, actions = query["scope"][0].split(":")
        access = {"type": kind, "name": path, "actions": actions.split(",")}
        claims = {
            "iss": "test",
            "sub": "",
            "aud": query["service"][0],
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [access],
        }
        lines = self.signer.certificate.strip().splitlines()[1:-1]
        header = {"typ": "JWT", "alg": "ES256", "x5c": ["".join(lines)]}
        text = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
        key = serialization.load_pem_private_key(self.signer.key.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        tokens: TokenServer = self.server.tokens  # type: ignore[attr-defined]
        query = parse_qs(urlsplit(self.path).query)
        status, answer = tokens.answer(self.headers.get("Authorization", ""), query)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
