# Starts a PostgreSQL server for one test run: on a free port of this machine, as an unprivileged user, in a
# folder that goes away with it. Sourced by tests/run after packages.sh.

postgres_folder=

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

# Sets `postgres_bin` to the newest version's folder. Debian keeps servers off the PATH.
find_postgres() {
  local initdb
  initdb=$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)
  initdb=${initdb:-$(command -v initdb)} || return 1
  postgres_bin=$(dirname "$initdb")
}

# Debian's package would also start a server on the usual port; postgresql-common is told not to.
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

start_postgres() {
  postgres_folder=$1
  mkdir -p "$postgres_folder"
  if ((EUID == 0)); then
    chmod 711 "$(dirname "$postgres_folder")"
    chown nobody:nogroup "$postgres_folder"
  fi
  as_postgres "$postgres_bin/initdb" -D "$postgres_folder/data" --username=postgres --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 >"$postgres_folder/initdb.log" 2>&1 || { cat "$postgres_folder/initdb.log" >&2; return 1; }
  local port
  for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    if as_postgres "$postgres_bin/pg_ctl" -D "$postgres_folder/data" -l "$postgres_folder/log" -w -t 30 start \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300" >/dev/null; then
      export TEST_DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres
      return
    fi
  done
  cat "$postgres_folder/log" >&2
  return 1
}

stop_postgres() {
  if [[ -n $postgres_folder && -e $postgres_folder/data/postmaster.pid ]]; then
    as_postgres "$postgres_bin/pg_ctl" -D "$postgres_folder/data" -m immediate stop >/dev/null || true
  fi
}
