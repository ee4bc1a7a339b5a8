#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes endpoint_cases.h: where buckets live, by AWS's own rules.

    python3 tests/data/endpoint_cases.py botocore-1.43.11.tar.gz \
        >tests/data/endpoint_cases.h

The argument is a source release of botocore, whose test cases of the rule set
for S3 are AWS's published ones. Beside those, botocore evaluates that rule set
for a grid of buckets, regions and flags. Nothing here knows an address.
"""
import itertools
import json
import sys
import tarfile
from urllib.parse import urlsplit

import botocore
from botocore.endpoint_provider import RuleSet
from botocore.exceptions import EndpointProviderError
from botocore.loaders import create_loader

TESTS = "tests/functional/endpoint-rules/s3/endpoint-tests-1.json"

# Of other operations than ours, or of options that s3sync does not have: an
# access point's ARN always has the say on the region.
OTHERS = {"UseS3ExpressControlEndpoint", "UseObjectLambdaEndpoint",
          "DisableAccessPoints", "DisableMultiRegionAccessPoints",
          "UseGlobalEndpoint", "DisableS3ExpressSessionAuth"}
# Escaped by the rule set; s3sync takes none of them for a bucket's name.
NO_NAMES = {"example.com#", "bucket name", "bucket!"}
# A host with both "accelerate" and a region has no address.
NO_HOST = "s3-accelerate.dualstack.us-east-1"
# Names with dots go before an IP address, if the rule set is believed.
ADDRESSES = ("http://127.", "http://[")

GRID = {
    "Bucket": ["foo", "foo.bar", "Old_Bucket", "ab",
               "arn:{partition}:s3:{region}:123456789012:accesspoint/myap"],
    "Region": ["us-east-1", "ap-south-1", "cn-north-1", "us-gov-west-1",
               "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1",
               "us-isof-south-1", "eu-isoe-west-1"],
    "Flags": [{}, {"UseDualStack": True}, {"UseFIPS": True},
              {"UseDualStack": True, "UseFIPS": True}, {"Accelerate": True},
              {"Accelerate": True, "UseDualStack": True},
              {"Accelerate": True, "UseFIPS": True},
              {"ForcePathStyle": True}],
}
ELSEWHERE = {
    "Bucket": ["foo", "foo.bar", "Old_Bucket", "b" * 63, "b" * 64,
               "arn:aws:s3:us-west-2:123456789012:accesspoint/myap"],
    "Endpoint": ["http://localhost:9000", "https://s3.example.com",
                 "https://s3.example.com:8443/base/path",
                 "https://10.0.0.1",
                 "http://127.0.0.1:9000/base", "http://[::1]:7480",
                 "https://bucket.vpce-1a-2b.s3.us-east-1.vpce.amazonaws.com"],
    "Region": ["garage"],
    "Flags": [{}, {"ForcePathStyle": True}, {"UseFIPS": True},
              {"UseDualStack": True}, {"Accelerate": True}],
}


def load():
    loader = create_loader()
    rules = loader.load_service_model("s3", "endpoint-rule-set-1")
    partitions = loader.load_data("partitions")
    return RuleSet(partitions=partitions, **rules), partitions


def evaluate(rules, params):
    """(url, signing schemes), or None where the rules say no."""
    defaults = {"UseFIPS": False, "UseDualStack": False, "Accelerate": False,
                "DisableAccessPoints": False, "UseArnRegion": True}
    try:
        endpoint = rules.evaluate({**defaults, **params})
    except EndpointProviderError:
        return None
    return endpoint.url, endpoint.properties.get("authSchemes", [])


def grids(partitions):
    ids = {region: p["id"] for p in partitions["partitions"]
           for region in p["regions"]}
    for bucket, region, flags in itertools.product(*GRID.values()):
        bucket = bucket.format(region=region, partition=ids[region])
        yield {"Bucket": bucket, "Region": region, **flags}
    for bucket, url, region, flags in itertools.product(*ELSEWHERE.values()):
        if (bucket == "foo.bar" and url.startswith(ADDRESSES) or
                len(bucket + url) > 120):
            continue
        yield {"Bucket": bucket, "Endpoint": url, "Region": region, **flags}


def published(path):
    with tarfile.open(path) as release:
        name = next(n for n in release.getnames() if n.endswith(TESTS))
        tests = json.load(release.extractfile(name))["testCases"]
    for test in tests:
        params = test["params"]
        bucket = params.get("Bucket")
        url = test["expect"].get("endpoint", {}).get("url", "")
        if (not bucket or "Region" not in params or NO_HOST in url or
                bucket in NO_NAMES or params.get("UseArnRegion") is False or
                any(params.get(name) for name in OTHERS)):
            continue
        if url:
            schemes = test["expect"]["endpoint"]["properties"]["authSchemes"]
            yield params, (url, schemes)
        else:
            yield params, None


def is_refused(params, expected):
    """The rules say no, or it takes a protocol that s3sync does not speak. An
    access point's name cannot be put before an IP address."""
    if expected is None:
        return True
    url, schemes = expected
    host = urlsplit(url).hostname
    return (not any(s["name"] == "sigv4" and s["signingName"] == "s3"
                    for s in schemes) or
            params["Bucket"].startswith("arn:") and
            (host[-1].isdigit() or ":" in host))


def text(value):
    """A string of C, in pieces where it is long."""
    if value is None:
        return "NULL"
    return "\n\t  ".join(json.dumps(value[at:at + 80])
                         for at in range(0, max(len(value), 1), 80))


def print_case(params, expected):
    addressing = ("PATH" if params.get("ForcePathStyle") else
                  "VIRTUAL" if "Endpoint" in params else "AUTO")
    flags = ", ".join(str(int(bool(params.get(name)))) for name in
                      ("UseDualStack", "UseFIPS", "Accelerate"))
    print("\t{ %s, %s,\n\t  %s,\n\t  S3_ADDRESSING_%s, %s," % (
        text(params.get("Endpoint")), text(params["Region"]),
        text(params["Bucket"]), addressing, flags))
    if is_refused(params, expected):
        print("\t  NULL, NULL, NULL },")
        return
    url = urlsplit(expected[0])
    region = next(s["signingRegion"] for s in expected[1]
                  if s["name"] == "sigv4")
    print("\t  %s,\n\t  %s, %s }," % (
        text(url.scheme + "://" + url.netloc), text(url.path), text(region)))


def main():
    rules, partitions = load()
    print("/* SPDX-License-Identifier: MIT */")
    print("/* Made by endpoint_cases.py with botocore %s. */\n" %
          botocore.__version__)
    print("/* AWS's published test cases of the endpoints of S3. */")
    print("static const struct endpoint_case published[] = {")
    for params, expected in published(sys.argv[1]):
        print_case(params, expected)
    print("};\n")
    print("/* What the rule set says of a grid of questions. */")
    print("static const struct endpoint_case evaluated[] = {")
    for params in grids(partitions):
        print_case(params, evaluate(rules, params))
    print("};")


main()
