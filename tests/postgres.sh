# Starts PostgreSQL servers for one test run: on free ports of this machine, as an unprivileged user, in folders that
# are removed with the run. Sourced by tests/run after packages.sh.

postgres_started=()

# bring_postgres FOLDER: exports TEST_DATABASE_URL unless the caller did.
bring_postgres() {
  if [[ -n ${TEST_DATABASE_URL:-} ]]; then
    return
  fi
  if ! find_postgres && ! { install_postgres && find_postgres; }; then
    missing "tests on PostgreSQL: no server is installed and TEST_DATABASE_URL names none"
    return
  fi
  start_postgres "$1" || missing "tests on PostgreSQL: the server in $postgres_bin did not start"
}

# bring_postgres_18 FOLDER: exports TEST_DATABASE_URL_18 unless the caller did. A second server, because the first one's
# version depends on the Debian release.
bring_postgres_18() {
  if [[ -n ${TEST_DATABASE_URL_18:-} ]]; then
    return
  fi
  bring_postgres_18_programs || return 0
  local postgres_bin=$tools/postgres-18/bin
  # The unprivileged user may be unable to reach the target folder.
  if ((EUID == 0)); then
    cp -r "$tools/postgres-18" "$1-programs"
    postgres_bin=$1-programs/bin
  fi
  start_postgres "$1" TEST_DATABASE_URL_18 || missing "tests on PostgreSQL 18: the server in $postgres_bin did not start"
}

# Sets `postgres_bin` to the folder of the newest version. Debian keeps servers off the PATH.
find_postgres() {
  local initdb
  initdb=$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)
  initdb=${initdb:-$(command -v initdb)} || return 1
  postgres_bin=$(dirname "$initdb")
}

# Debian's package would also start a server on the usual port; this setting of postgresql-common prevents it.
install_postgres() {
  apt_install postgresql-common || return 1
  sed -i -E 's/^#?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  apt_install postgresql
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if ((EUID == 0)); then
    (cd / && setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@")
  else
    "$@"
  fi
}

# start_postgres FOLDER [VARIABLE]: starts the server of `postgres_bin` and exports its URL as TEST_DATABASE_URL or
# VARIABLE. The caller may set `postgres_options`.
start_postgres() {
  local folder=$1 variable=${2:-TEST_DATABASE_URL}
  mkdir -p "$folder"
  if ((EUID == 0)); then
    chmod 711 "$(dirname "$folder")"
    chown nobody:nogroup "$folder"
  fi
  as_postgres "$postgres_bin/initdb" -D "$folder/data" --username=postgres --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 --no-sync >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; return 1; }
  local port
  for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    if as_postgres "$postgres_bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 30 start \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 ${postgres_options:-}" >/dev/null; then
      postgres_started+=("$postgres_bin/pg_ctl" "$folder/data")
      export "$variable=postgres://postgres@127.0.0.1:$port/postgres"
      return
    fi
  done
  cat "$folder/log" >&2
  return 1
}

stop_postgres() {
  local index
  for ((index = 0; index < ${#postgres_started[@]}; index += 2)); do
    as_postgres "${postgres_started[index]}" -D "${postgres_started[index + 1]}" -m immediate stop >/dev/null || true
  done
}
