"""Connections that fail below HTTP fail as they say, and a client that does not look at certificates is found out."""

import http.client
import random
import ssl

import pytest

import faulty_tls
import net
from fakes import Answer, Fake


class Sink(faulty_tls.OverTls, Fake):
    def __init__(self, certificates, how=faulty_tls.welcome, trouble=None):
        super().__init__()
        self.use_certificates(certificates)
        self.rng, self.how, self.what = random.Random(1), how, trouble

    def welcome(self):
        return self.how

    def trouble(self):
        return self.what

    def answer(self, request):
        return Answer(200, request.body())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return faulty_tls.make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def post(certificates):
    """post(how, trouble, trusting) -> (body of the answer, what the sink found wrong, requests that it took)"""
    def post(how=faulty_tls.welcome, trouble=None, trusting=False):
        sink = Sink(certificates, how, trouble).start()
        trust = ssl._create_unverified_context() if trusting else ssl.create_default_context(cafile=certificates / "ca.pem")
        connection = http.client.HTTPSConnection(net.HOST, sink.port, context=trust, timeout=10)
        try:
            connection.request("POST", "/", b"x" * 5000)
            return connection.getresponse().read(), sink.violations, sink.requests
        finally:
            connection.close()
            sink.stop()
            sinks.append(sink)
    sinks = post.sinks = []
    return post


@pytest.mark.parametrize("how,trouble", [(faulty_tls.welcome, None), (faulty_tls.slow_handshake, None),
                                         (faulty_tls.welcome, faulty_tls.reads_late)])
def test_goes_through(post, how, trouble):
    body, wrong, taken = post(how, trouble)
    assert body == b"x" * 5000 and wrong == [] and len(taken) == 1


@pytest.mark.parametrize("how,trouble", [(faulty_tls.hang_up, None), (faulty_tls.reset, None), (faulty_tls.cut_handshake, None),
                                         (faulty_tls.no_tls, None), (faulty_tls.stranger, None),
                                         (faulty_tls.welcome, faulty_tls.reset_in_request)])
def test_fails_before_anything_is_taken(post, how, trouble):
    with pytest.raises((OSError, http.client.HTTPException)):
        post(how, trouble)
    assert post.sinks[0].requests == [] and post.sinks[0].violations == []


def test_who_trusts_a_stranger_is_found_out(post):
    with pytest.raises((OSError, http.client.HTTPException)):
        post(faulty_tls.stranger, trusting=True)
    assert post.sinks[0].requests == [] and post.sinks[0].violations == ["POST / was sent to a stranger"]
