"""A real OpenID provider for the tests: panva's oidc-provider, certified by the OpenID Foundation, on Node.js.

It is fetched once with npm into a cache folder. Where Node.js or npm is missing, or nothing can be fetched, its tests skip
and say so. Beside it stands an API that takes its tokens and nothing else; openid/provider.mjs has both.
"""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import net
from process import Process

VERSION = "8.8.1"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "telex-test" / "oidc-provider"
SCRIPT = pathlib.Path(__file__).resolve().parent / "openid" / "provider.mjs"
START_DEADLINE, FETCH_DEADLINE = 30.0, 200


def _fetch(folder):
    """The package and what it needs beside the folder first, so that what stands there is whole."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / "package.json").write_text('{"private": true}')
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"oidc-provider@{VERSION}"],
                              cwd=part, capture_output=True, text=True, timeout=FETCH_DEADLINE, check=False)
    except subprocess.TimeoutExpired:
        return "npm took too long"
    if done.returncode != 0:
        return (done.stdout + done.stderr).strip()[-400:]
    part.rename(folder)
    return None


def _package():
    """The folder with node_modules; skips where it cannot be had."""
    if shutil.which("node") is None:
        pytest.skip("a real OpenID provider needs Node.js (apt-get install nodejs)")
    folder = CACHE / VERSION
    if not folder.is_dir():
        if shutil.which("npm") is None:
            pytest.skip("a real OpenID provider is fetched with npm (apt-get install npm)")
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            problem = None if folder.is_dir() else _fetch(folder)
            if problem:
                pytest.skip(f"a real OpenID provider could not be fetched: {problem}")
    return folder


def client(name, method, **fields):
    return {"client_id": name, "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [],
            "scope": "events:write", "token_endpoint_auth_method": method, **fields}


class Provider:
    """`issuer` and `token_url` are its addresses, `api` that of who takes its tokens."""

    def __init__(self, folder, clients, token_seconds=3600, **config):
        self.folder = folder / "openid"
        port, api_port = net.free_port(), net.free_port()
        self.config = {"port": port, "api_port": api_port, "token_seconds": token_seconds, "clients": clients, **config}
        scheme = "https" if "tls" in config else "http"
        self.issuer = f"{scheme}://{net.HOST}:{port}"
        self.token_url = self.issuer + "/token"
        self.api = f"http://{net.HOST}:{api_port}"
        self.process = None

    def start(self):
        package = _package()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Node looks for packages beside the script.
        shutil.copy(SCRIPT, self.folder / "provider.mjs")
        if not (self.folder / "node_modules").exists():
            (self.folder / "node_modules").symlink_to(package / "node_modules")
        (self.folder / "config.json").write_text(json.dumps(self.config))
        self.process = Process("openid", ["node", "provider.mjs", "config.json"], self.folder)
        self.process.start()
        net.wait_until("the OpenID provider", self._answers, START_DEADLINE)
        return self

    def _answers(self):
        if not self.process.running():
            raise RuntimeError(f"the provider ended: {self.process.log_tail()}")
        return "listening" in self.process.log()

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def events(self):
        """What was taken, as {"body": ..., "client": ...}."""
        return net.get(self.api + "/events").json()

    def tokens(self):
        """How often each token was used."""
        return net.get(self.api + "/seen").json()

    def put_client(self, description):
        assert net.post(self.api + "/clients", json.dumps(description)).status == 200

    def revoke_all(self):
        assert net.post(self.api + "/revoke").status == 200
