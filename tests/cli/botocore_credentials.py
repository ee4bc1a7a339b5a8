#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks botocore and s3sync whose credentials they would use.

    botocore_credentials.py S3SYNC DIR ENDPOINT SEED COUNT

For each case, a line of its name, what botocore found and what s3sync signed
with, between tabs: an access key and a session token, or "none". ENDPOINT is
the test server, which stands in for STS and the others. After the cases that
are written out come COUNT random pairs of files, the same for the same SEED.
"""
import http.server
import os
import random
import subprocess
import sys
import threading

import botocore.session

S3SYNC, DIR, ENDPOINT, SEED, COUNT = sys.argv[1:6]
CONFIG, CREDENTIALS = DIR + "/config", DIR + "/credentials"
ROLE = "arn:aws:iam::123456789012:role/x"
SERVER = "aws_access_key_id = testkey\naws_secret_access_key = testsecret\n"
signed = []


def shown(key, token):
    return "%s %s" % (key, token if len(token) < 40 else len(token))


class Handler(http.server.BaseHTTPRequestHandler):
    """Refuses all, and keeps who asked."""

    def do_GET(self):
        authorization = self.headers.get("authorization", "")
        key = authorization.partition("Credential=")[2].partition("/")[0]
        token = self.headers.get("x-amz-security-token", "")
        signed.append(shown(key, token))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def environment(variables):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("AWS_")}
    return {**kept, "AWS_CONFIG_FILE": CONFIG,
            "AWS_SHARED_CREDENTIALS_FILE": CREDENTIALS,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_STS": ENDPOINT + "/_identity/sts",
            **variables}


class Session(botocore.session.Session):
    """Of which botocore before 1.31 can be told where STS is, too."""

    def create_client(self, service_name, *args, **kwargs):
        if service_name == "sts":
            kwargs.setdefault("endpoint_url", ENDPOINT + "/_identity/sts")
        return super().create_client(service_name, *args, **kwargs)


def by_botocore(variables, profile):
    os.environ.clear()
    os.environ.update(environment(variables))
    try:
        found = Session(profile=profile).get_credentials()
        frozen = found and found.get_frozen_credentials()
    except Exception as error:  # of many kinds: each is "does not work"
        print("#", type(error).__name__, str(error).replace("\n", " "))
        return "none"
    if not frozen:
        return "none"
    return shown(frozen.access_key, frozen.token or "")


def by_s3sync(url, variables, profile):
    command = [S3SYNC, "plan", DIR, "s3://bucket/", "--endpoint-url", url,
               "--state", DIR + "/../none.db", "--attempts", "1", "--quiet"]
    if profile:
        command += ["--profile", profile]
    signed.clear()
    done = subprocess.run(command, env=environment(variables),
                          capture_output=True, text=True)
    if done.returncode not in (2, 3):
        return "status %d" % done.returncode
    if not signed:
        print("#", done.stderr.strip())
        return "none"
    return signed[0]


def keys(name):
    return ("aws_access_key_id = AKIA%s\naws_secret_access_key = s%s\n" %
            (name, name))


# Name, variables, --profile, ~/.aws/config, ~/.aws/credentials.
ENV = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "senv"}
BOTH = ("[default]\n" + keys("CONFIG"), "[default]\n" + keys("FILE"))
PROCESS = ("credential_process = sh -c 'echo \"{\\\"Version\\\": 1, "
           "\\\"AccessKeyId\\\": \\\"AKIAP\\\", \\\"SecretAccessKey\\\": "
           "\\\"sp\\\"}\"'\n")
SOURCE = "[profile r]\nregion = us-east-1\nrole_arn = " + ROLE + "\n"
CASES = [
    ("nothing", {}, None, "", ""),
    ("environment", ENV, None, *BOTH),
    ("environment with a token", {**ENV, "AWS_SESSION_TOKEN": "t"}, None,
     *BOTH),
    ("environment with a token of old", {**ENV, "AWS_SECURITY_TOKEN": "t"},
     None, *BOTH),
    ("environment, half", {"AWS_ACCESS_KEY_ID": "AKIAENV"}, None, *BOTH),
    ("environment, empty", {"AWS_ACCESS_KEY_ID": ""}, None, *BOTH),
    ("environment that expired",
     {**ENV, "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}, None,
     *BOTH),
    ("environment and AWS_PROFILE", {**ENV, "AWS_PROFILE": "default"}, None,
     *BOTH),
    ("environment and a profile", ENV, "default", *BOTH),
    ("credentials before config", {}, None, *BOTH),
    ("config", {}, None, BOTH[0], ""),
    ("a profile", {}, "x", "[profile x]\n" + keys("X"), ""),
    ("a profile in credentials", {}, "x", "", "[x]\n" + keys("X")),
    ("a profile without its word", {}, "x", "[x]\n" + keys("X"), ""),
    ("a profile with its word in credentials", {}, "x", "",
     "[profile x]\n" + keys("X")),
    ("AWS_PROFILE", {"AWS_PROFILE": "x"}, None, "", "[x]\n" + keys("X")),
    ("AWS_DEFAULT_PROFILE", {"AWS_DEFAULT_PROFILE": "x"}, None, "",
     "[x]\n" + keys("X")),
    ("AWS_PROFILE of nobody", {"AWS_PROFILE": "y"}, None, *BOTH),
    ("keys of one half in each file", {}, "x",
     "[profile x]\naws_secret_access_key = s\n",
     "[x]\naws_access_key_id = AKIAX\n"),
    ("process before config", {}, "x",
     "[profile x]\n" + PROCESS + keys("CONFIG"), ""),
    ("credentials before process", {}, "x", "[profile x]\n" + PROCESS,
     "[x]\n" + keys("FILE")),
    ("process in credentials", {}, "x", "", "[x]\n" + PROCESS),
    ("role", {}, "r", SOURCE + "source_profile = base\n",
     "[base]\n" + SERVER),
    ("role before keys", {}, "r", SOURCE + "source_profile = base\n",
     "[base]\n" + SERVER + "[r]\n" + keys("R")),
    ("role of itself", {}, "r", SOURCE + "source_profile = r\n" + SERVER,
     ""),
    ("role by a chain", {}, "q",
     "[profile q]\nrole_arn = " + ROLE + "\nsource_profile = r\n"
     "region = us-east-1\n" + SOURCE + "source_profile = base\n",
     "[base]\n" + SERVER),
    ("role by a circle", {}, "q",
     "[profile q]\nrole_arn = " + ROLE + "\nsource_profile = r\n" +
     SOURCE + "source_profile = q\n", ""),
    ("role by a profile with keys and a role", {}, "q",
     "[profile q]\nrole_arn = " + ROLE + "\nsource_profile = r\n"
     "region = us-east-1\n" + SOURCE + "source_profile = q\n" + SERVER, ""),
    ("role by nobody", {}, "r", SOURCE, "[r]\n" + keys("R")),
    ("role by two", {}, "r", SOURCE + "source_profile = base\n"
     "credential_source = Environment\n", "[base]\n" + SERVER),
    ("role by a profile that is not there", {}, "r",
     SOURCE + "source_profile = gone\n", ""),
    ("role by the environment",
     {"AWS_ACCESS_KEY_ID": "testkey", "AWS_SECRET_ACCESS_KEY": "testsecret"},
     "r", SOURCE + "credential_source = Environment\n", ""),
    ("role in AWS_PROFILE, environment first", {**ENV, "AWS_PROFILE": "r"},
     None, SOURCE + "source_profile = base\n", "[base]\n" + SERVER),
    ("web identity", {"AWS_WEB_IDENTITY_TOKEN_FILE": DIR + "/token",
                      "AWS_ROLE_ARN": ROLE, "AWS_REGION": "us-east-1",
                      "AWS_DEFAULT_REGION": "us-east-1"}, None, *BOTH),
    ("web identity without a role",
     {"AWS_WEB_IDENTITY_TOKEN_FILE": DIR + "/token"}, None, *BOTH),
    ("web identity without a file",
     {"AWS_WEB_IDENTITY_TOKEN_FILE": DIR + "/gone", "AWS_ROLE_ARN": ROLE,
      "AWS_DEFAULT_REGION": "us-east-1"}, None, *BOTH),
    ("web identity and a profile",
     {"AWS_WEB_IDENTITY_TOKEN_FILE": DIR + "/token", "AWS_ROLE_ARN": ROLE},
     "default", *BOTH),
    ("web identity of a profile", {}, "r",
     SOURCE + "web_identity_token_file = " + DIR + "/token\n",
     "[r]\n" + keys("R")),
    ("container", {"AWS_CONTAINER_CREDENTIALS_FULL_URI":
                   ENDPOINT + "/_identity/container"}, None, "", ""),
    ("container after files", {"AWS_CONTAINER_CREDENTIALS_FULL_URI":
                               ENDPOINT + "/_identity/container"}, None,
     *BOTH),
    ("container somewhere else", {"AWS_CONTAINER_CREDENTIALS_FULL_URI":
                                  "http://192.0.2.1/x"}, None, "", ""),
    ("instance", {"AWS_EC2_METADATA_DISABLED": "false",
                  "AWS_EC2_METADATA_SERVICE_ENDPOINT":
                  ENDPOINT + "/_identity/imds/"}, None, "", ""),
]


def random_file(rng, credentials):
    """Lines of every kind that these files may have, and some they may not.

    But no "[ x ]", which is a profile to all AWS tools but those in Python;
    and no secret without its key, of which botocore thinks nothing.
    """
    lines = []
    for name in rng.sample(["default", "a", "b", "two words"], 3):
        title = name
        if name != "default" and (not credentials or rng.random() < 0.1):
            title = "profile " + (name if rng.random() < 0.5 and
                                  " " not in name else '"%s"' % name)
        lines.append(rng.choice(["[%s]", "[%s] # c", "[%s];"])
                     % title if rng.random() < 0.3 else "[%s]" % title)
        indent = rng.choice(["", "", "", "  ", "\t"])
        settings = [
            ("aws_access_key_id", "AKIA" + rng.choice("ABCDEFGH")),
            ("aws_secret_access_key", rng.choice(["s", "s/+=;#", "s=s:s"])),
            ("aws_session_token", "t" * rng.choice([0, 1, 5000])),
            ("region", "us-east-1"),
            ("s3", "\n    addressing_style = path\n    max = 1"),
            ("output", "json\n      going = on"),
            ("aws_security_token", "old"),
        ]
        rng.shuffle(settings)
        settings = settings[:rng.randrange(8)]
        if "aws_access_key_id" not in dict(settings):
            settings = [pair for pair in settings
                        if pair[0] != "aws_secret_access_key"]
        for key, value in settings:
            if rng.random() < 0.1:
                key = key.upper()
            lines.append(indent + key +
                         rng.choice([" = ", "=", ": ", " =", "  =  "]) +
                         value)
            if rng.random() < 0.15:
                lines.append(rng.choice(["", "# c", "  # c", "; c = d",
                                         "   "]))
        if rng.random() < 0.05:
            lines.append(rng.choice(["no line of it", "= x", "[open"]))
    return rng.choice(["\n", "\n", "\r\n"]).join(lines) + "\n"


def random_cases():
    rng = random.Random(int(SEED))
    for number in range(int(COUNT)):
        profile = rng.choice([None, "default", "a", "b", "two words", "c"])
        yield ("random %d" % number, {}, profile, random_file(rng, False),
               random_file(rng, True))


def write(path, text):
    with open(path, "w", newline="") as file:
        file.write(text)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_port
    write(DIR + "/token", "web-token")
    for name, variables, profile, config, credentials in (
            CASES + list(random_cases())):
        write(CONFIG, config)
        write(CREDENTIALS, credentials)
        print("%s\t%s\t%s" % (name, by_botocore(variables, profile),
                              by_s3sync(url, variables, profile)),
              flush=True)
        if name.startswith("random"):
            print("#", profile, repr(config), repr(credentials))


main()
