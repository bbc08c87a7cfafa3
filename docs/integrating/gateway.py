"""A gateway that hands its tables to backups and accepts them in a restore: `kind = "grpc"` in the backup service's configuration.

    python gateway.py --database gateway.db --listen 127.0.0.1:7700 --token-file gateway.token --protos ../../proto

Needs Python 3.9 and `pip install grpcio-tools`. docs/integrating.md explains each step; the protocol's specification is
proto/strongroom/source/v1/source.proto.
"""

import argparse
import base64
import contextlib
import datetime
import hmac
import json
import math
import os
import sqlite3
import sys
import uuid
from concurrent import futures

import grpc

# The gateway's tables. With a foreign key, the referenced table would come first.
TABLES = {
    "users": "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, avatar BLOB, score REAL)",
    "mcp_servers": "CREATE TABLE mcp_servers (id TEXT PRIMARY KEY, url TEXT NOT NULL, bearer TEXT)",
}
# Columns sealed with the vault's key `gateway`, and with the row's place as additional data.
ENCRYPTED = {"mcp_servers": [("bearer", "gateway", "{table}/{column}/{id}")]}
# A block is sent once it has this many bytes, so it can be longer by one row. A message has at most 64 MiB.
CHUNK = 1 << 20


class Refused(Exception):
    """Ends a call with a status and a stable reason."""

    def __init__(self, code, reason, message):
        super().__init__(f"{message} [{reason}]")
        self.code = code


def literal(cell):
    """Writes a value in the form of FORMAT.md (section 5) for SQLite."""
    if isinstance(cell, bytes):
        return json.dumps({"$blob": base64.b64encode(cell).decode()}, separators=(",", ":"))
    if isinstance(cell, float) and math.isinf(cell):
        return '{"$real":"inf"}' if cell > 0 else '{"$real":"-inf"}'
    if isinstance(cell, float):
        return repr(cell).replace("e+", "e")
    return json.dumps(cell, ensure_ascii=False)


def cell(read):
    """Converts a parsed value back: the inverse of `literal`."""
    if isinstance(read, dict):
        [(tag, text)] = read.items()
        return float(text) if tag == "$real" else base64.b64decode(text)
    return read


def line(row):
    return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{literal(row[name])}" for name in row.keys()) + "}"


class Database:
    """The gateway's tables, and separate tables for stages, whose names a SQLite export skips."""

    def __init__(self, path):
        self.path = path
        with self.opened() as db:
            for name, sql in TABLES.items():
                db.execute(sql.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))
            db.execute("CREATE TABLE IF NOT EXISTS _strongroom_stages"
                       " (id TEXT PRIMARY KEY, number INTEGER, state TEXT, mode INTEGER, created TEXT, tables TEXT)")

    @contextlib.contextmanager
    def opened(self):
        """Opens a transaction that commits completely or not at all."""
        db = sqlite3.connect(self.path, isolation_level=None, timeout=30)
        db.row_factory = sqlite3.Row
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        finally:
            db.close()

    def schema(self, name):
        db = sqlite3.connect(self.path)
        columns = db.execute("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?)", [name]).fetchall()
        db.close()
        key = sorted((pk, column) for column, _, _, pk in columns if pk)
        return {
            "name": name,
            "source": "gateway",
            "engine": "sqlite",
            "table": name,
            "columns": [{"name": column, "type": kind, "nullable": not required and not pk}
                        for column, kind, required, pk in columns],
            "primary_key": [column for _, column in key],
            "sql": TABLES[name],
        }

    def key(self, name):
        return self.schema(name)["primary_key"]

    def stage(self, stage_id, mode, tables):
        """Puts rows beside the live ones. Readers of the live tables do not see them."""
        with self.opened() as db:
            known = db.execute("SELECT state FROM _strongroom_stages WHERE id = ?", [stage_id]).fetchone()
            if known and known["state"] != "staged":
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "STAGE_COMMITTED", "the stage was committed")
            self.drop(db, stage_id)
            for name, rows in tables.items():
                db.execute(f"CREATE TABLE \"{staged(stage_id, name)}\" AS SELECT * FROM \"{name}\" WHERE 0")
                columns = [column["name"] for column in self.schema(name)["columns"]]
                places = ", ".join("?" * len(columns))
                db.executemany(f"INSERT INTO \"{staged(stage_id, name)}\" VALUES ({places})",
                               [[cell(row[column]) for column in columns] for row in rows])
            number = db.execute("SELECT coalesce(max(number), 0) + 1 AS next FROM _strongroom_stages").fetchone()["next"]
            created = datetime.datetime.now(datetime.timezone.utc).isoformat()
            db.execute("INSERT INTO _strongroom_stages VALUES (?, ?, 'staged', ?, ?, ?)",
                       [stage_id, number, mode, created, json.dumps(dict.fromkeys(tables, {}))])

    def drop(self, db, stage_id):
        row = db.execute("SELECT tables FROM _strongroom_stages WHERE id = ?", [stage_id]).fetchone()
        for name in json.loads(row["tables"]) if row else []:
            db.execute(f"DROP TABLE IF EXISTS \"{staged(stage_id, name)}\"")
            db.execute(f"DROP TABLE IF EXISTS \"{undo(stage_id, name)}\"")
        db.execute("DELETE FROM _strongroom_stages WHERE id = ?", [stage_id])

    def find(self, db, stage_id):
        row = db.execute("SELECT * FROM _strongroom_stages WHERE id = ?", [stage_id]).fetchone()
        if row is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, "STAGE_NOT_FOUND", "there is no such stage")
        return row

    def same(self, name):
        """Conditions on a staged row `s` and a live row `l`: that their keys are the same, and that the rows are equal."""
        same_key = " AND ".join(f"s.\"{column}\" IS l.\"{column}\"" for column in self.key(name))
        columns = [column["name"] for column in self.schema(name)["columns"]]
        # `IS` and the type: 1 and 1.0 are equal to SQLite, but not to a restore.
        same = " AND ".join(f"s.\"{c}\" IS l.\"{c}\" AND typeof(s.\"{c}\") = typeof(l.\"{c}\")" for c in columns)
        return same_key, same

    def apply(self, db, name, source, mode):
        """Applies only the difference: equal rows stay untouched. A constraint violation undoes everything."""
        same_key, same = self.same(name)
        if mode == REPLACE:
            equal = f"SELECT 1 FROM \"{source}\" s WHERE {same_key} AND {same}"
            db.execute(f"DELETE FROM \"{name}\" AS l WHERE NOT EXISTS ({equal})")
        missing = f"NOT EXISTS (SELECT 1 FROM \"{name}\" l WHERE {same_key})"
        db.execute(f"INSERT INTO \"{name}\" SELECT * FROM \"{source}\" s WHERE {missing}")

    def difference(self, db, stage_id, name, mode):
        """Counts the rows that a commit would create, change, delete and keep."""
        same_key, same = self.same(name)
        table, live = f"\"{staged(stage_id, name)}\" s", f"\"{name}\" l"
        created = f"FROM {table} WHERE NOT EXISTS (SELECT 1 FROM {live} WHERE {same_key})"
        changed = f"FROM {table} JOIN {live} ON {same_key} WHERE NOT ({same})"
        deleted = f"FROM {live} WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same_key})"
        count = lambda what: db.execute(f"SELECT count(*) {what}").fetchone()[0]
        replaces = mode == REPLACE
        return {
            "rows": count(f"FROM {table}"),
            "created": count(created),
            "changed": count(changed) if replaces else 0,
            "deleted": count(deleted) if replaces else 0,
            "kept": 0 if replaces else count(changed),
        }

    def commit(self, stage_id):
        with self.opened() as db:
            stage = self.find(db, stage_id)
            if stage["state"] == "committed":
                return
            if stage["state"] != "staged":
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "STAGE_COMMITTED", "the stage was rolled back")
            names = json.loads(stage["tables"])
            counts = {name: self.difference(db, stage_id, name, stage["mode"]) for name in names}
            if stage["mode"] == INTO_EMPTY:
                for name in names:
                    if db.execute(f"SELECT 1 FROM \"{name}\" LIMIT 1").fetchone():
                        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "NOT_EMPTY", f"{name} has rows")
            for name in names:
                # The rows before the commit, for a rollback.
                db.execute(f"CREATE TABLE \"{undo(stage_id, name)}\" AS SELECT * FROM \"{name}\"")
                self.apply(db, name, staged(stage_id, name), stage["mode"])
                # The rows after the commit, to detect later changes.
                db.execute(f"DROP TABLE \"{staged(stage_id, name)}\"")
                db.execute(f"CREATE TABLE \"{staged(stage_id, name)}\" AS SELECT * FROM \"{name}\"")
            db.execute("UPDATE _strongroom_stages SET state = 'committed', tables = ? WHERE id = ?",
                       [json.dumps(counts), stage_id])

    def roll_back(self, stage_id, discard):
        with self.opened() as db:
            stage = self.find(db, stage_id)
            if stage["state"] == "rolled back":
                return
            if stage["state"] != "committed":
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "STAGE_NOT_COMMITTED", "the stage is not live")
            later = "SELECT 1 FROM _strongroom_stages WHERE number > ? AND state = 'committed'"
            if db.execute(later, [stage["number"]]).fetchone():
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "STAGE_SUPERSEDED", "a later stage is live")
            for name in json.loads(stage["tables"]):
                found = self.difference(db, stage_id, name, REPLACE)
                if not discard and found["created"] + found["changed"] + found["deleted"]:
                    raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "STAGE_CHANGED", f"rows of {name} have changed")
                self.apply(db, name, undo(stage_id, name), REPLACE)
            db.execute("UPDATE _strongroom_stages SET state = 'rolled back' WHERE id = ?", [stage_id])


def staged(stage_id, name):
    return f"_strongroom_{stage_id}_{name}"


def undo(stage_id, name):
    return f"_strongroom_undo_{stage_id}_{name}"


def service(protos, database, token):
    """The servicer: Refused becomes a status, and every call needs the token."""

    def checked(call):
        def answered(self, request, context):
            sent = dict(context.invocation_metadata()).get("authorization", "")
            if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not the gateway's")
            try:
                return call(self, request, context)
            except Refused as refused:
                context.abort(refused.code, str(refused))

        return answered

    def streamed(call):
        def answered(self, request, context):
            sent = dict(context.invocation_metadata()).get("authorization", "")
            if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not the gateway's")
            yield from call(self, request, context)

        return answered

    def table(name):
        columns = [protos.EncryptedColumn(name=column, key_id=key, aad=aad)
                   for column, key, aad in ENCRYPTED.get(name, [])]
        schema = json.dumps(database.schema(name)).encode()
        return protos.Table(name=name, schema_json=schema, encrypted_columns=columns)

    def described(stage_id):
        with database.opened() as db:
            row = database.find(db, stage_id)
            created = datetime.datetime.fromisoformat(row["created"])
            stage = protos.Stage(stage_id=stage_id, state=STATES[row["state"]])
            stage.create_time.FromDatetime(created)
            for name, counts in json.loads(row["tables"]).items():
                # Once committed, the stored counts show what the commit did.
                if row["state"] == "staged":
                    counts = database.difference(db, stage_id, name, row["mode"])
                stage.tables.append(protos.StagedTable(name=name, **counts))
            return stage

    class Gateway:
        @checked
        def DescribeSource(self, request, context):
            return protos.DescribeSourceResponse(tables=[table(name) for name in TABLES])

        @streamed
        def ReadSnapshot(self, request, context):
            wrong = [name for name in request.tables if name not in TABLES]
            if wrong or request.groups:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"there is no table or group {(wrong or request.groups)[0]!r}")
            names = [name for name in TABLES if not request.tables or name in request.tables]
            # One read transaction: all tables are from the same moment.
            db = sqlite3.connect(database.path, isolation_level=None)
            db.row_factory = sqlite3.Row
            try:
                db.execute("BEGIN")
                db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                kids = sorted({bearer.split(".")[1] for (bearer,) in db.execute(
                    "SELECT bearer FROM mcp_servers WHERE bearer LIKE 'srv1.%.%'")})
                yield protos.ReadSnapshotResponse(begun=protos.ReadSnapshotResponse.Begun(
                    tables=[table(name) for name in names], engine=f"SQLite {sqlite3.sqlite_version}",
                    snapshot="read-transaction", kids=kids))
                for name in names:
                    total, block, size = 0, [], 0
                    for row in db.execute(f"SELECT * FROM \"{name}\""):
                        block.append(line(row).encode())
                        total, size = total + 1, size + len(block[-1])
                        if size >= CHUNK:
                            yield rows(block)
                            block, size = [], 0
                    if block:
                        yield rows(block)
                    yield protos.ReadSnapshotResponse(
                        table_end=protos.ReadSnapshotResponse.TableEnd(name=name, rows=total))
                yield protos.ReadSnapshotResponse(end=protos.ReadSnapshotResponse.End())
            finally:
                db.close()

        @checked
        def StageTables(self, requests, context):
            begin, name, parts, tables = None, None, [], {}
            for request in requests:
                part = request.WhichOneof("message")
                if (begin is None) != (part == "begin"):
                    raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "ORDER", "the first message must be `begin`")
                if part == "begin":
                    begin = request.begin
                elif part == "table":
                    name, parts = request.table.name, []
                    if name not in TABLES:
                        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_TABLE", f"there is no table {name!r}")
                elif part == "rows":
                    # A part may end inside a row, or inside a character.
                    parts.append(request.rows.json)
                else:
                    read = json.loads(b"[" + b"".join(parts) + b"]")
                    if len(read) != request.table_end.rows:
                        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "ROW_COUNT", f"{name} has {len(read)} rows")
                    tables[name], name = read, None
            if begin is None or name is not None:
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "ORDER", "the stream ends inside a table")
            try:
                # The id becomes part of table names in SQL.
                stage_id = str(uuid.UUID(begin.stage_id))
            except ValueError:
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "STAGE_ID", "the stage's id must be a UUID") from None
            database.stage(stage_id, begin.mode, tables)
            stage = described(stage_id)
            if begin.dry_run:
                with database.opened() as db:
                    database.drop(db, stage_id)
            return protos.StageTablesResponse(stage=stage)

        @checked
        def GetStage(self, request, context):
            return protos.GetStageResponse(stage=described(request.stage_id))

        @checked
        def CommitStage(self, request, context):
            database.commit(request.stage_id)
            return protos.CommitStageResponse(stage=described(request.stage_id))

        @checked
        def RollbackStage(self, request, context):
            database.roll_back(request.stage_id, request.discard_changes)
            return protos.RollbackStageResponse(stage=described(request.stage_id))

        @checked
        def AbortStage(self, request, context):
            with database.opened() as db:
                known = db.execute("SELECT state FROM _strongroom_stages WHERE id = ?", [request.stage_id]).fetchone()
                if request.only_staged and known and known["state"] == "committed":
                    raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "STAGE_COMMITTED", "the stage was committed")
                database.drop(db, request.stage_id)
            return protos.AbortStageResponse()

    def rows(block):
        return protos.ReadSnapshotResponse(
            rows=protos.ReadSnapshotResponse.Rows(json=b",\n".join(block), count=len(block)))

    return Gateway()


INTO_EMPTY, REPLACE = 1, 3
STATES = {"staged": 1, "committed": 2, "rolled back": 3}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("database", "listen", "token-file", "protos"):
        arguments.add_argument(f"--{name}", required=True)
    given = arguments.parse_args()
    os.umask(0o077)
    sys.path.append(given.protos)
    protos, services = grpc.protos_and_services("strongroom/source/v1/source.proto")
    with open(given.token_file, encoding="ascii") as file:
        token = file.read().strip()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    services.add_SourceServiceServicer_to_server(service(protos, Database(given.database), token), server)
    # Plain HTTP/2 for this machine only; `server.add_secure_port` takes a certificate.
    if server.add_insecure_port(given.listen) == 0:
        sys.exit(f"cannot listen on {given.listen}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
