"""Fakes of what serves rules: a web server with versions and a password, and a strict S3."""

import base64
import datetime
import hashlib
import hmac
import threading
import urllib.parse
import xml.sax.saxutils

from fakes import Answer, Fake


class RuleServer(Fake):
    """`files` maps paths to texts. Basic authentication where `user` is set; ETags by content. Answers wait for `goes_on`."""

    def __init__(self, port=None, user=None):
        super().__init__(port)
        self.files = {}
        self.user = user
        self.answered = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def answer(self, request):
        self.goes_on.wait(60)
        answer = self._answer(request)
        self.answered.append(answer.status)
        return answer

    def _answer(self, request):
        if self.user is not None:
            wanted = "Basic " + base64.b64encode(self.user.encode()).decode()
            if request.headers.get("Authorization") != wanted:
                return Answer(401, "who are you?")
        text = self.files.get(request.path)
        if text is None:
            return Answer(404, "no such rules")
        etag = '"' + hashlib.sha256(text.encode()).hexdigest()[:16] + '"'
        if request.headers.get("If-None-Match") == etag:
            return Answer(304, b"", {"ETag": etag})
        return Answer(200, text, {"ETag": etag, "Content-Type": "text/yaml"})


class S3(Fake):
    """Path-style S3 with one bucket: ListObjectsV2 in pages of two keys, GET of objects; every request must be
    signed with Signature Version 4, which is computed anew from what arrived."""

    PAGE = 2

    def __init__(self, port=None, bucket="rules", region="eu-test-1", key="AKIDTEST", secret="s3cr3t/KEY+x", token=None):
        super().__init__(port)
        self.bucket, self.region, self.key, self.secret, self.token = bucket, region, key, secret, token
        self.objects = {}
        self.lists = 0
        self.statuses = []

    def answer(self, request):
        answer = self._refusal(request) or self._serve(request)
        self.statuses.append(answer.status)
        return answer

    def _error(self, status, code, message):
        return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
                              f"<Message>{message}</Message></Error>", {"Content-Type": "application/xml"})

    def _refusal(self, request):
        fields = request.headers.get("Authorization", "")
        if not fields.startswith("AWS4-HMAC-SHA256 "):
            return self._error(403, "AccessDenied", "Access Denied")
        parts = dict(part.strip().split("=", 1) for part in fields.split(" ", 1)[1].split(","))
        when = request.headers["x-amz-date"]
        scope = f"{when[:8]}/{self.region}/s3/aws4_request"
        if parts["Credential"] != f"{self.key}/{scope}":
            return self._error(403, "InvalidAccessKeyId", f"unknown {parts['Credential']}")
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(
            when, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if abs(age.total_seconds()) > 900:
            return self._error(403, "RequestTimeTooSkewed", when)
        if self.token is not None and request.headers.get("x-amz-security-token") != self.token:
            return self._error(403, "InvalidToken", "The provided token is malformed")
        if parts["Signature"] != self._signature(request, parts["SignedHeaders"], when, scope):
            return self._error(403, "SignatureDoesNotMatch", "what you signed is not what arrived")
        return None

    def _signature(self, request, signed, when, scope):
        names = signed.split(";")
        needed = {"host", "x-amz-date", "x-amz-content-sha256"} | ({"x-amz-security-token"} if self.token else set())
        assert needed <= set(names), names
        query = sorted((urllib.parse.quote(name, safe="-_.~"), urllib.parse.quote(value, safe="-_.~"))
                       for name, values in request.params.items() for value in values)
        canonical = "\n".join([request.method, request.path, "&".join(f"{n}={v}" for n, v in query),
                               *(f"{name}:{' '.join(request.headers[name].split())}" for name in names), "",
                               signed, request.headers["x-amz-content-sha256"]])
        text = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def _serve(self, request):
        path = urllib.parse.unquote(request.path)
        if path == f"/{self.bucket}/":
            return self._list(request)
        text = self.objects.get(path.removeprefix(f"/{self.bucket}/"))
        if text is None:
            return self._error(404, "NoSuchKey", f"The specified key does not exist: {path}")
        etag = '"' + hashlib.md5(text.encode()).hexdigest() + '"'
        if request.headers.get("If-None-Match") == etag:
            return Answer(304, b"", {"ETag": etag})
        return Answer(200, text, {"ETag": etag})

    def _list(self, request):
        self.lists += 1
        params = {name: values[0] for name, values in request.params.items()}
        if params.get("list-type") != "2":
            return self._error(400, "InvalidArgument", "ListObjectsV2 only")
        keys = sorted(key for key in self.objects if key.startswith(params.get("prefix", ""))
                      and key > params.get("continuation-token", ""))
        page = keys[:self.PAGE]
        contents = "".join(f"<Contents><Key>{xml.sax.saxutils.escape(key)}</Key><Size>1</Size></Contents>" for key in page)
        more = len(keys) > len(page)
        after = f"<NextContinuationToken>{xml.sax.saxutils.escape(page[-1])}</NextContinuationToken>" if more else ""
        return Answer(200, '<?xml version="1.0" encoding="UTF-8"?>\n'
                           '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                           f"<Name>{self.bucket}</Name><IsTruncated>{'true' if more else 'false'}</IsTruncated>"
                           f"{after}{contents}</ListBucketResult>", {"Content-Type": "application/xml"})
