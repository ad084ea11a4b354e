"""Tokens from a real OpenID provider: every way to log in, expiry in mid-stream, revocation, rotation of secrets, TLS."""

import base64
import json
import subprocess
import time

import pytest

import net
import openid_provider
from openid_provider import client
from telex import BINARY, webhook_exporter

ODD = "p %&=+:/?~"


@pytest.fixture
def start_provider(tmp_path):
    running = []

    def start(*clients, **config):
        running.append(openid_provider.Provider(tmp_path, list(clients), **config))
        return running[-1].start()

    yield start
    for provider in running:
        provider.stop()


def config(provider, **oidc):
    """One record per request, so that records come while tokens go."""
    hook = webhook_exporter(provider.api + "/in", oidc={"scope": "events:write", **oidc})
    return {"receive": {"profiles": True}, "exporters": {"hook": hook}}


def push(program, number):
    body = json.dumps([{"name": "work", "number": number}]).encode()
    answer = net.post(program.url + "/api/v1/profile", body, headers={"Content-Type": "application/json"})
    assert answer.status == 204


def taken(provider):
    return [row["number"] for event in provider.events() for row in json.loads(event["body"])]


def wait_for(provider, numbers, deadline=20.0):
    def complete():
        assert set(taken(provider)) == set(numbers), f"{len(set(taken(provider)))} of {len(numbers)}"
        return True
    net.wait_until("all records at the API", complete, deadline)


def token_requests(program, result):
    requests = program.metrics().get("telex_oauth2_token_requests_total", {})
    return sum(value for labels, value in requests.items() if f"result={result}" in labels)


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def number_text(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def make_key(folder, kind):
    """A private key's file, and its public half as a JWK."""
    path = folder / f"{kind}.pem"
    if kind == "RSA":
        openssl(folder, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)
        text = subprocess.run(["openssl", "rsa", "-in", path, "-noout", "-modulus"], check=True, capture_output=True,
                              text=True).stdout
        return path, {"kty": "RSA", "e": "AQAB", "n": number_text(bytes.fromhex(text.strip().split("=")[1]))}
    openssl(folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    point = subprocess.run(["openssl", "ec", "-in", path, "-pubout", "-outform", "DER", "-conv_form", "uncompressed"],
                           check=True, capture_output=True).stdout[-64:]
    return path, {"kty": "EC", "crv": "P-256", "x": number_text(point[:32]), "y": number_text(point[32:])}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("found", ["issuer", "tokenUrl"])
def test_secrets(method, found, start_provider, start_telex):
    """The issuer says which way to take; a token URL does not, and then it is to be written."""
    provider = start_provider(client("me & co:", method, client_secret=ODD), methods=[method])
    where = {"issuer": provider.issuer} if found == "issuer" else {"tokenUrl": provider.token_url, "style": method}
    program = start_telex(config(provider, clientId="me & co:", client_secret=ODD, **where))
    push(program, 1)
    wait_for(provider, [1])
    assert {event["client"] for event in provider.events()} == {"me & co:"}
    assert ODD not in program.process.log()


@pytest.mark.parametrize("kind, algorithm", [("RSA", "RS256"), ("EC", "ES256")])
@pytest.mark.parametrize("audience", ["token_url", "issuer"])
def test_private_key_jwt(kind, algorithm, audience, tmp_path, start_provider, start_telex):
    path, jwk = make_key(tmp_path, kind)
    provider = start_provider(client("signer", "private_key_jwt", token_endpoint_auth_signing_alg=algorithm,
                                     jwks={"keys": [{**jwk, "kid": "k1", "use": "sig"}]}))
    more = {"assertion_audience": provider.issuer} if audience == "issuer" else {}
    program = start_telex(config(provider, issuer=provider.issuer, client_id="signer", private_key_file=str(path),
                                 key_id="k1", **more))
    push(program, 1)
    wait_for(provider, [1])


def test_a_key_that_is_not_the_clients(tmp_path, start_provider, start_telex):
    _, jwk = make_key(tmp_path, "EC")
    (tmp_path / "other").mkdir()
    path, _ = make_key(tmp_path / "other", "EC")
    provider = start_provider(client("signer", "private_key_jwt", token_endpoint_auth_signing_alg="ES256",
                                     jwks={"keys": [{**jwk, "use": "sig"}]}))
    program = start_telex(config(provider, issuer=provider.issuer, client_id="signer", private_key_file=str(path)))
    push(program, 1)
    net.wait_until("the refusal", lambda: token_requests(program, "invalid_client") >= 1)
    assert "invalid_client" in program.process.log()
    assert provider.events() == [] and "eyJ" not in program.process.log()


def test_tokens_expire_in_mid_stream(start_provider, start_telex):
    """Tokens that live two seconds, below every leeway, and a stream for seven: nothing is lost, none is asked for needlessly."""
    provider = start_provider(client("me", "client_secret_basic", client_secret="s"), token_seconds=2)
    program = start_telex(config(provider, issuer=provider.issuer, client_id="me", client_secret="s"))
    end, number = time.monotonic() + 7, 0
    while time.monotonic() < end:
        push(program, number)
        number += 1
        time.sleep(0.02)
    wait_for(provider, range(number))
    tokens = provider.tokens()
    assert 4 <= len(tokens) <= 8, tokens
    assert sum(tokens.values()) > 100
    assert token_requests(program, "ok") == len(tokens)
    assert not any(token in program.process.log() for token in tokens)


def test_a_revoked_token_is_replaced_once(start_provider, start_telex):
    provider = start_provider(client("me", "client_secret_basic", client_secret="s"))
    program = start_telex(config(provider, issuer=provider.issuer, client_id="me", client_secret="s"))
    push(program, 1)
    wait_for(provider, [1])
    provider.revoke_all()
    push(program, 2)
    wait_for(provider, [1, 2])
    assert token_requests(program, "ok") == 2


def test_a_scope_that_is_not_ours_halts(start_provider, start_telex):
    provider = start_provider(client("me", "client_secret_basic", client_secret="s"))
    program = start_telex(config(provider, issuer=provider.issuer, client_id="me", client_secret="s", scope="other"))
    push(program, 1)
    net.wait_until("the refusal", lambda: token_requests(program, "refused") >= 1)
    assert provider.events() == [] and "invalid_scope" in program.process.log()


def test_the_secret_is_rotated(tmp_path, start_provider, start_telex):
    """First at the provider, then in the file, with a token that ends between: what came meanwhile is delivered."""
    provider = start_provider(client("me", "client_secret_basic", client_secret="old"), token_seconds=2)
    path = tmp_path / "secret"
    path.write_text("old\n")
    program = start_telex(config(provider, issuer=provider.issuer, client_id="me", client_secret_file=str(path)))
    push(program, 1)
    wait_for(provider, [1])
    provider.put_client(client("me", "client_secret_basic", client_secret="new"))
    provider.revoke_all()
    push(program, 2)
    net.wait_until("the refusal", lambda: token_requests(program, "invalid_client") >= 1)
    path.write_text("new\n")
    wait_for(provider, [1, 2], 40)


def make_authority(folder):
    """An authority, and certificates of a server on the loopback address and of a client."""
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout",
            "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority")
    for name, more in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        (folder / f"{name}.ext").write_text(more + "\n")
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def test_tls_both_ways(tmp_path, start_provider, start_telex):
    make_authority(tmp_path)
    tls = {name: str(tmp_path / file) for name, file in (("key", "server.key"), ("cert", "server.pem"), ("ca", "ca.pem"))}
    provider = start_provider(client("me", "client_secret_basic", client_secret="s"), tls=tls)
    ours = {"ca_file": str(tmp_path / "ca.pem"), "cert_file": str(tmp_path / "client.pem"),
            "key_file": str(tmp_path / "client.key")}
    login = {"issuer": provider.issuer, "client_id": "me", "client_secret": "s"}
    stranger = start_telex(config(provider, tls={"ca_file": ours["ca_file"]}, **login))
    push(stranger, 0)
    net.wait_until("the refusal", lambda: token_requests(stranger, "tls") + token_requests(stranger, "unreachable") >= 1)
    blind = start_telex(config(provider, tls={**ours, "ca_file": str(tmp_path / "client.pem")}, **login))
    push(blind, 0)
    net.wait_until("the refusal", lambda: token_requests(blind, "tls") >= 1)
    assert provider.events() == []
    program = start_telex(config(provider, tls=ours, **login))
    push(program, 1)
    wait_for(provider, [1])


def test_verification_that_is_off_is_told(tmp_path, start_provider, start_telex):
    make_authority(tmp_path)
    tls = {"key": str(tmp_path / "server.key"), "cert": str(tmp_path / "server.pem")}
    provider = start_provider(client("me", "client_secret_basic", client_secret="s"), tls=tls)
    program = start_telex(config(provider, tokenUrl=provider.token_url, clientId="me", client_secret="s",
                                 insecureSkipVerify=True))
    push(program, 1)
    wait_for(provider, [1])
    assert "certificates are not verified" in program.process.log()
    assert list(program.metrics()["telex_http_unverified_clients"].values()) == [1]
    assert program.process.log().count('msg="certificates are not verified: anyone') == 1
    done = subprocess.run([BINARY, "check", "-c", program.config_path], capture_output=True, text=True, timeout=30, check=False)
    assert "certificates are not verified here" in done.stdout + done.stderr


def test_the_seeds_switches_beside_tls(tmp_path):
    """insecureSkipVerify stands beside a tls section, in a stream's sink and oidc too; a key goes before oidcSecretName."""
    make_authority(tmp_path)
    tls = {"ca_file": str(tmp_path / "ca.pem")}
    path = tmp_path / "telex.yaml"
    path.write_text(json.dumps({
        "state": {"path": str(tmp_path / "data")}, "receive": {"events": True},
        "events": {"one": {
            "source": {"type": "embedded"}, "metadata": {"cluster": "c"}, "oidcSecretName": "no-such-secret",
            "sink": {"endpoint": "https://127.0.0.1:1/", "tls": tls, "insecureSkipVerify": True},
            "oidc": {"issuer": "https://127.0.0.1:2", "clientId": "me", "private_key_file": str(make_key(tmp_path, "EC")[0]),
                     "tls": tls, "insecureSkipVerify": False}}}}))
    done = subprocess.run([BINARY, "check", "-c", path], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("certificates are not verified here") == 1
