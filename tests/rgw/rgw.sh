#!/bin/bash
# SPDX-License-Identifier: MIT
# A real S3 server on loopback, from Debian's packages: one Ceph monitor, one
# OSD that keeps everything in memory, one RADOS gateway. As any user.
#
#   rgw.sh start DIR     DIR is made anew; prints the server's address.
#                        Keys: testkey, testsecret. Logs: DIR/log
#   rgw.sh stop DIR
set -eu

# ports: three neighbours that nobody listens on.
ports() {
	local port i
	while :; do
		port=$((20000 + RANDOM % 10000))
		for i in 0 1 2; do
			! (: <"/dev/tcp/127.0.0.1/$((port + i))") 2>/dev/null ||
			    continue 2
		done
		echo $port
		return
	done
}

configure() {
	local port=$1 fsid
	fsid=$(cat /proc/sys/kernel/random/uuid)
	cat >ceph.conf <<-END
	[global]
	fsid = $fsid
	mon host = [v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]
	mon initial members = a
	auth cluster required = cephx
	auth service required = cephx
	auth client required = cephx
	osd pool default size = 1
	osd pool default min size = 1
	osd pool default pg num = 4
	osd crush chooseleaf type = 0
	mon allow pool size one = true
	mon data = $PWD/mon
	mon data avail crit = 1
	mon data avail warn = 1
	osd data = $PWD/osd
	osd objectstore = memstore
	memstore device bytes = 8589934592
	run dir = $PWD/run
	log file = $PWD/log/\$name.log
	admin socket =
	pid file = $PWD/run/\$name.pid
	ms bind ipv6 = false
	public network = 127.0.0.0/8
	rgw frontends = beast endpoint=127.0.0.1:$port
	rgw data = $PWD/rgw
	rgw run sync thread = false
	rgw thread pool size = 64
	[osd]
	keyring = $PWD/keyring.osd
	[client]
	keyring = $PWD/keyring
	END
	ceph-authtool --create-keyring keyring --gen-key -n mon. \
	    --cap mon 'allow *'
	ceph-authtool keyring --gen-key -n client.admin --cap mon 'allow *' \
	    --cap osd 'allow *' --cap mgr 'allow *'
	monmaptool --create --fsid "$fsid" monmap --addv a \
	    "[v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]"
}

start_daemons() {
	local conf=$PWD/ceph.conf uuid
	ceph-mon -c "$conf" --mkfs -i a --monmap monmap --keyring keyring
	ceph-mon -c "$conf" -i a
	uuid=$(cat /proc/sys/kernel/random/uuid)
	timeout 60 ceph -c "$conf" osd new "$uuid"
	timeout 60 ceph -c "$conf" auth get-or-create osd.0 \
	    mon 'allow profile osd' osd 'allow *' mgr 'allow profile osd' \
	    -o keyring.osd
	ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid"
	ceph-osd -c "$conf" -i 0
	radosgw -c "$conf" -n client.admin --keyring "$PWD/keyring"
}

# answers URL: waits for the gateway, which first makes its pools.
answers() {
	local i
	for i in $(seq 240); do
		! curl -fs "$1" || return 0
		sleep 0.25
	done
	echo "no answer from $1 for a minute"
	return 1
}

start() {
	local port status
	rm -rf "$1"
	mkdir -p "$1"/{mon,osd,run,log,rgw}
	cd "$1"
	port=$(ports)
	set +e
	(
		set -e
		configure "$port"
		start_daemons
		answers "http://127.0.0.1:$port/"
		radosgw-admin -c ceph.conf user create --uid=test \
		    --display-name=test --access-key=testkey \
		    --secret-key=testsecret
	) >log/start.log 2>&1 </dev/null
	status=$?
	set -e
	if [ $status != 0 ]; then
		stop .
		tail -n 20 log/*.log >&2
		echo "rgw.sh: the server did not start; see $PWD/log" >&2
		exit 1
	fi
	echo "http://127.0.0.1:$port"
}

# At once: all that the daemons hold is in memory and about to be forgotten.
stop() {
	local pidfile
	for pidfile in "$1"/run/*.pid; do
		[ -s "$pidfile" ] || continue
		kill -9 "$(cat "$pidfile")" 2>/dev/null || :
		rm -f "$pidfile"
	done
}

case ${1:-}:${2:-} in
start:?*) start "$2" ;;
stop:?*) stop "$2" ;;
*)
	sed -n 's/^#   //p' "$0" >&2
	exit 2
	;;
esac
