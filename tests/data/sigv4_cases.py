#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes sigv4_cases.h: awkward requests, signed by botocore.

    python3 tests/data/sigv4_cases.py >tests/data/sigv4_cases.h

botocore (1.43.11 when this was last run) is asked for the encoded path, the
encoded query and the Authorization header of each case. Nothing here knows
how to sign.
"""
import datetime
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode

NOW = datetime.datetime(2026, 11, 22, 16, 38, 1,
                        tzinfo=datetime.timezone.utc)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
UNSIGNED = "UNSIGNED-PAYLOAD"
TOKEN = "FwoGZXIvYXdzEJr//////////wEaDKo+/=="
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

KEYS = [
    b"plain.txt", b"a b", b"a+b", b"a%20b", b"100%", b"%", b"%zz", b"%2F",
    b"//", b"/lead", b"tail/", b"a//b", b"./a", b"a/./b", b"a/../b", b"..",
    b".", b"~tilde", b"-._~", b"!'()*", b"=", b"a=b&c=d", b"?", b"q?x=1#f",
    b"#", b"&", b";", b":", b"@", b"$", b",", b"[x]", b"{x}", b"|", b"\\",
    b"^", b"`", b"<>", b'"', b"'", b" ", b"  two  blanks  ", b"\t", b"\n",
    b"\r\n", b"\x01\x1f\x7f", "\u00fc\u20ac\U0001f600".encode(),
    "e\u0301".encode(), "\u1234".encode(), b"\x80\xfe\xff", b"AZaz09",
    b"x-amz-date", b"a" * 1024, b"%41", b"a\\b", "\u2028".encode(),
]

QUERIES = [
    [("encoding-type", "url"), ("list-type", "2"), ("max-keys", "1000"),
     ("prefix", "")],
    [("continuation-token", "1/abc+def=="), ("encoding-type", "url"),
     ("list-type", "2"), ("max-keys", "1"), ("prefix", "a b/\u00fc&=?")],
    [("encoding-type", "url"), ("list-type", "2"), ("max-keys", "1000"),
     ("prefix", "p/"), ("start-after", "p/a+b%20c~*'()!")],
    [("partNumber", "1"), ("uploadId", "VXBsb2Fk.ID~_-")],
    [("uploads", "")],
    [("list-type", "2"), ("prefix", "\u1234\U0001f600\n\t")],
]

HEADERS = [
    [("if-none-match", "*"), ("x-amz-meta-mtime", "1700000000.123456789")],
    [("if-match", '"0123456789abcdef0123456789abcdef-17"')],
    [("x-amz-meta-a", "1"), ("x-amz-meta", "2"), ("x-amz-meta-a-b", "3")],
    [("x-amz-meta-blanks", "  a   b\tc  ")],
    [("x-amz-storage-class", "REDUCED_REDUNDANCY"), ("range", "bytes=0-9"),
     ("content-type", "text/plain; charset=utf-8")],
    [("x-amz-meta-empty", "")],
]


def text(data):
    """A C literal, in as many lines as it needs."""
    if isinstance(data, str):
        data = data.encode()
    parts = [
        "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?'
                else f"\\{b:03o}" for b in data[i:i + 66])
        for i in range(0, len(data), 66)] or [""]
    return "\n\t    ".join(f'"{part}"' for part in parts)


def pairs(items):
    return "{ " + ",\n\t    ".join(
        f"{{ {text(k)}, {text(v)} }}" for k, v in items) + " }" \
        if items else "{ { NULL, NULL } }"


def sign(method, host, key, query, headers, payload, region, token):
    path = "/bucket/" + percent_encode(key, safe="/~")
    request = AWSRequest(method=method, url=f"https://{host}{path}",
                         params=dict(query))
    for name, value in [("host", host), *headers]:
        request.headers[name] = value
    auth = botocore.auth.S3SigV4Auth(
        Credentials(ACCESS, SECRET, token), "s3", region)
    with mock.patch.object(auth, "payload", lambda _: payload), \
            mock.patch.object(botocore.auth, "get_current_datetime",
                              lambda *_: NOW):
        auth.add_auth(request)
    assert request.headers["X-Amz-Content-SHA256"] == payload
    parts = dict(part.split("=", 1) for part in
                 request.headers["Authorization"].split(" ", 1)[1].split(", "))
    return (path, auth.canonical_query_string(request),
            parts["SignedHeaders"], parts["Signature"])


def row(key=b"k", query=(), headers=(), method="GET",
        host="s3.eu-west-1.amazonaws.com", payload=EMPTY,
        region="eu-west-1", token=None):
    path, encoded, names, signature = sign(
        method, host, key, query, headers, payload, region, token)
    print(f"\t{{ {text(method)}, {text(host)},")
    print(f"\t  {text(key)}, {len(key)},")
    print(f"\t  {pairs(query)},")
    print(f"\t  {pairs(headers)},")
    print(f"\t  {text(payload)},")
    print(f"\t  {text(region)}, {text(token) if token else 'NULL'},")
    print(f"\t  {text(path)},")
    print(f"\t  {text(encoded)},")
    print(f"\t  {text(names)},")
    print(f"\t  {text(signature)} }},")


print("/* SPDX-License-Identifier: MIT */")
print("/* Awkward requests and what botocore makes of them: written by\n"
      " * sigv4_cases.py, not by hand. */")
print(f"#define CASES_DATE {text(NOW.strftime('%Y%m%dT%H%M%SZ'))}")
print(f"#define CASES_ACCESS_KEY {text(ACCESS)}")
print(f"#define CASES_SECRET_KEY {text(SECRET)}")
print("static const struct sigv4_case sigv4_cases[] = {")
for one in KEYS:
    row(key=one)
for one in QUERIES:
    row(query=one)
for one in HEADERS:
    row(headers=one, method="PUT", payload=UNSIGNED)
row(token=TOKEN)
row(token=TOKEN, headers=HEADERS[0], method="PUT")
row(host="localhost:9000", region="garage")
row(host="[::1]:9000", region="us-east-1")
row(host="bucket.s3.cn-north-1.amazonaws.com.cn", region="cn-north-1")
print("};")
