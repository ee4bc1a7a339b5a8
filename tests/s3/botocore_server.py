#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server that answers what botocore would have signed the same way.

    botocore_server.py PORT_FILE REGION TOKEN

Each request is encoded anew from its decoded bytes, and signed anew by
botocore. Where that gives the same, the reply is one that S3 might give; else
it is 403, and standard error says what differs. Keys are testkey, testsecret.
"""
import hashlib
import http.server
import sys
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PORT_FILE, REGION, TOKEN = sys.argv[1:4]
PAGE = (b'<?xml version="1.0"?><ListBucketResult><Name>b</Name>'
        b'<IsTruncated>false</IsTruncated></ListBucketResult>')
COPY = b'<?xml version="1.0"?><CopyObjectResult><ETag>"0"</ETag>' \
    b'</CopyObjectResult>'
ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'
HEADERS_NEEDED = {"host", "x-amz-content-sha256", "x-amz-date",
                  "x-amz-security-token"}


def parts_of(authorization):
    scheme, _, rest = authorization.partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        raise ValueError("not SigV4: " + scheme)
    return dict(part.split("=", 1) for part in rest.split(", "))


def encoded(text, safe):
    return quote(unquote_to_bytes(text), safe=safe)


def encoded_query(query):
    """Every name and value encoded anew; in the order of the encoded."""
    items = [item.partition("=") for item in query.split("&") if item]
    return "&".join(sorted(encoded(name, "-_.~") + "=" +
                           encoded(value, "-_.~")
                           for name, _, value in items))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def wrong(self, body):
        """What botocore has to object to, or None."""
        given = parts_of(self.headers["Authorization"])
        names = given["SignedHeaders"].split(";")
        path, _, query = self.path.partition("?")
        if path != encoded(path, "/-_.~"):
            return "path " + path
        if query != encoded_query(query):
            return "query " + query
        unsigned = {name.lower() for name in self.headers
                    if name.lower().startswith("x-amz-")} - set(names)
        if unsigned or not HEADERS_NEEDED <= set(names):
            return "signed headers " + given["SignedHeaders"]
        if self.headers["x-amz-content-sha256"] not in (
                "UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
            return "payload"
        request = AWSRequest(method=self.command, url="http://" +
                             self.headers["Host"] + self.path)
        for name in names:
            request.headers[name] = self.headers[name]
        request.context["timestamp"] = self.headers["x-amz-date"]
        auth = S3SigV4Auth(Credentials("testkey", "testsecret", TOKEN), "s3",
                           REGION)
        canonical = auth.canonical_request(request)
        signature = auth.signature(
            auth.string_to_sign(request, canonical), request)
        credential = "testkey/" + auth.credential_scope(request)
        if (given["Credential"], given["Signature"]) != (credential,
                                                         signature):
            return "signature of\n" + canonical
        return None

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wrong = self.wrong(body)
        if wrong:
            print(self.command, self.path, wrong, file=sys.stderr, flush=True)
            return self.reply(403, b"<Error><Code>SignatureDoesNotMatch"
                              b"</Code></Error>")
        if self.command == "DELETE":
            return self.reply(204, b"")
        if self.command == "PUT" and self.headers["x-amz-copy-source"]:
            return self.reply(200, COPY)
        if "list-type=2" in self.path:
            return self.reply(200, PAGE)
        return self.reply(200, b"")

    do_GET = do_PUT = do_DELETE = answer

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("ETag", self.headers["If-Match"] or ETAG)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(PORT_FILE, "w", encoding="ascii") as f:
        print(server.server_port, file=f)
    server.serve_forever()


main()
