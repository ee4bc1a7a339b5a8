#!/bin/bash
# SPDX-License-Identifier: MIT
# TLS: who is trusted, and what is told where nobody is.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

command -v openssl >/dev/null || tap_skip_all "openssl is not installed"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" \
    -out "$work/cert.pem" -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
server_start --tls-cert "$work/cert.pem" --tls-key "$work/key.pem"
port=${endpoint##*:}
endpoint=https://localhost:$port

ask --ca-bundle "$work/cert.pem" <<E
put small 4096 new
put large 3000000 new
run
get small
get large
list
E
answers "with the right CA all is well" 5 "* done 200 1 *"
ask --ca-bundle "$work/cert.pem" --attempts 2 <<E
put true 3000 new md5
run
put false 3000 new md5 lie
run
get false
E
answer "the MD5 of a body that is not signed goes with it" "put true done *"
answer "and where it is another, the server takes nothing" "put false failed \
400 2 *BadDigest*"
answer "nothing at all" "get false absent 404 *"
ask <<<"get small"
answer "without it nothing is sent" "get small refused 0 1 network: the \
certificate of localhost:* is not trusted (*): give the file of its CA as ca_*"
ask --ca-bundle "$work/cert.pem" --endpoint "https://127.0.0.1:$port" \
    <<<"get small"
answer "a certificate is of one name" "get small refused 0 1 network: the \
certificate of 127.0.0.1:* is not trusted *"
ask --ca-bundle "$work/nothing.pem" <<<"get small"
answer "a CA bundle that is not there is told" "get small refused 0 1 network: \
the CA bundle cannot be read *: correct ca_bundle*"
ask --attempts 2 --endpoint "http://localhost:$port" <<<"get small"
answer "http where https is spoken fails" "get small failed * 2 network: *"

tap_end
