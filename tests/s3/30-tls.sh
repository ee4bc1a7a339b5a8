#!/bin/bash
# SPDX-License-Identifier: MIT
# TLS: who is trusted, and what is told where somebody is not.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

command -v openssl >/dev/null || tap_skip_all "openssl is not installed"

quietly() {
	"$@" >/dev/null 2>&1
}
# certificate NAME CN SAN [OPTION...]: NAME.pem and NAME.key, signed by our CA.
certificate() {
	local name=$1 cn=$2 san=$3
	shift 3
	quietly openssl req -newkey rsa:2048 -nodes -subj "/CN=$cn" \
	    -keyout "$work/$name.key" -out "$work/$name.csr" \
	    -addext "subjectAltName=$san"
	quietly openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.pem" \
	    -CAkey "$work/ca.key" -CAcreateserial -copy_extensions copy \
	    -out "$work/$name.pem" "$@"
}
authority() { # NAME
	quietly openssl req -x509 -newkey rsa:2048 -nodes -days 2 \
	    -subj "/CN=The CA of $1" -keyout "$work/$1.key" -out "$work/$1.pem"
}
# serves CERTIFICATE: a server with that one; sets $endpoint.
serves() {
	if [ -n "${server:-}" ]; then
		kill "$server"
		wait "$server" 2>/dev/null
		rm "$work/port"
	fi
	server_start --tls-cert "$work/$1.pem" --tls-key "$work/$1.key"
	server=$!
	endpoint=https://localhost:${endpoint##*:}
}

authority ca
authority stranger
certificate good localhost DNS:localhost,IP:127.0.0.1 -days 2
certificate other elsewhere.example DNS:elsewhere.example -days 2
certificate old localhost DNS:localhost -days -1

serves good
ask --ca-bundle "$work/ca.pem" <<E
put small 4096 new
put large 3000000 new
run
get small
get large
list
E
answers "with the right CA all is well" 5 "* done 200 1 *"
ask --ca-bundle "$work/ca.pem" --attempts 2 <<E
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
ask --ca-bundle "$work/ca.pem" --endpoint "https://127.0.0.1:${endpoint##*:}" \
    <<<"get small"
answer "an address may stand in a certificate, too" "get small done 200 *"
ask <<<"get small"
answer "an unknown CA is not trusted: nothing is sent" "get small refused 0 1 \
network: the certificate of localhost:* is not signed by a CA that is trusted \
here (*): give the file of its CA as ca_bundle *"
ask --ca-bundle "$work/stranger.pem" <<<"get small"
answer "another CA is no better" "get small refused 0 1 network: the \
certificate of localhost:* is not signed by a CA that is trusted here (*"
ask --attempts 2 --endpoint "http://localhost:${endpoint##*:}" <<<"get small"
answer "http where https is spoken fails" "get small failed * 2 network: *"

ask --ca-bundle "$work/nothing.pem" <<<"get small"
answer "a CA bundle that is not there is told" "get small refused 0 1 network: \
the file of CA certificates cannot be read, or holds none (*nothing.pem*): \
correct ca_bundle (AWS_CA_BUNDLE) *"
: >"$work/empty.pem"
ask --ca-bundle "$work/empty.pem" <<<"get small"
answer "and one that holds none" "get small refused 0 1 network: the file of \
CA certificates cannot be read, or holds none (*empty.pem*): correct ca_bundle *"

serves other
ask --ca-bundle "$work/ca.pem" <<<"get small"
answer "a certificate is for its own name" "get small refused 0 1 network: the \
certificate of localhost:* is for another name (*): use that name in *"
serves old
ask --ca-bundle "$work/ca.pem" <<<"get small"
answer "and for its own time" "get small refused 0 1 network: the certificate \
of localhost:* has expired (*): have it renewed; or set this machine's clock*"
serves stranger
ask <<<"get small"
answer "one that is signed by itself is called that" "get small refused 0 1 \
network: the certificate of localhost:* is signed by itself (*): if that *"
is "who is not trusted is asked for nothing" 0 "$(curl -sS \
    --cacert "$work/stranger.pem" -k "$endpoint/_test/counts" | tr ',{}' '\n' |
    sed -n 's/^"total":\([0-9]*\)$/\1/p')"

# The programs: by option, by variable.
serves good
machine A
echo one >"$work/roots/A/one"
sync_ A
expect 3 "a cycle with a server that nobody knows does not run"
expect_text err "give the file of its CA as ca_bundle" "and says what to do"
sync_ A --ca-bundle "$work/ca.pem"
expect 0 "with its CA it runs"
AWS_CA_BUNDLE=$work/ca.pem sync_ A
expect 0 "by variable, too"
mkdir -p "$work/aws"
echo "[profile x]
ca_bundle = $work/ca.pem" >"$work/aws/config"
AWS_CONFIG_FILE=$work/aws/config AWS_PROFILE=x sync_ A
expect 0 "by a profile of the AWS tools"
machine B
as_nobody B
chmod 000 "$work/ca.pem"
sync_ B --ca-bundle "$work/ca.pem"
expect 3 "a CA file that may not be read is no CA"
expect_text err "cannot be read, or holds none" "which is told"

tap_end
