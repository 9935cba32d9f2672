#!/bin/sh
# Makes sure that PostgreSQL's server and client programs are on this machine, for
# the tests and the demo, which start throwaway servers of their own.
#
# They are looked for in $PRIVET_TEST_PG_BIN, on PATH and where packages put them.
# Where one is missing, root on a machine with apt installs them, without a
# cluster and without a running service; everybody else gets the line to run.
set -eu

programs='initdb postgres pg_dump pg_restore psql'

places() {
	if [ -n "${PRIVET_TEST_PG_BIN:-}" ]; then
		printf '%s\n' "$PRIVET_TEST_PG_BIN"
		return
	fi
	printf '%s\n' "$PATH" | tr ':' '\n'
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* /usr/lib/postgresql*/bin /usr/local/pgsql/bin \
		/opt/homebrew/opt/post*/bin /opt/homebrew/opt/libpq/bin /usr/local/opt/post*/bin /usr/local/opt/libpq/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin /Library/PostgreSQL/*/bin /opt/local/lib/postgresql*/bin; do
		printf '%s\n' "$dir"
	done
}

# have NAME: is the program there? Debian's /usr/bin/psql is a wrapper that works
# only beside the real one, and does not count.
have() {
	places | (
		while IFS= read -r dir; do
			[ -n "$dir" ] && [ -f "$dir/$1" ] && [ -x "$dir/$1" ] || continue
			case $(readlink "$dir/$1" || true) in *pg_wrapper) continue ;; esac
			exit 0
		done
		exit 1
	)
}

missing() {
	for p in $programs; do have "$p" || printf ' %s' "$p"; done
}

lacking=$(missing)
[ -z "$lacking" ] && exit 0

if [ -n "${PRIVET_TEST_PG_BIN:-}" ]; then
	echo "setup-postgres: PRIVET_TEST_PG_BIN is $PRIVET_TEST_PG_BIN, which lacks:$lacking" >&2
	exit 1
fi
echo "setup-postgres: PostgreSQL's programs are missing:$lacking" >&2

if ! command -v apt-get >/dev/null 2>&1; then
	if [ "$(uname)" = Darwin ]; then line='brew install postgresql@17'
	elif command -v dnf >/dev/null 2>&1; then line='sudo dnf install postgresql-server postgresql'
	elif command -v apk >/dev/null 2>&1; then line='sudo apk add postgresql postgresql-client'
	elif command -v pacman >/dev/null 2>&1; then line='sudo pacman -S postgresql'
	elif command -v zypper >/dev/null 2>&1; then line='sudo zypper install postgresql-server postgresql'
	else
		echo 'hint: install PostgreSQL 14 or newer, or set PRIVET_TEST_PG_BIN to the folder that holds its programs' >&2
		exit 1
	fi
	echo "hint: run this, then try again: $line" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo 'hint: run this, then try again: sudo apt-get install postgresql postgresql-client' >&2
	exit 1
fi

echo 'setup-postgres: installing them with apt-get, without a cluster' >&2
conf=/etc/postgresql-common/createcluster.conf
mkdir -p "${conf%/*}"
if ! grep -Eqs '^[[:space:]]*create_main_cluster[[:space:]]*=[[:space:]]*false' "$conf"; then
	echo 'create_main_cluster = false' >>"$conf"
fi
export DEBIAN_FRONTEND=noninteractive
# The package would otherwise ask whether it may replace the file just written.
apt-get -qq update
apt-get -qq install -y --no-install-recommends -o Dpkg::Options::=--force-confold postgresql postgresql-client >&2

lacking=$(missing)
if [ -n "$lacking" ]; then
	echo "setup-postgres: still missing after apt-get:$lacking" >&2
	exit 1
fi
