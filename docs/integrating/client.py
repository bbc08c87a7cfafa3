"""Uses a provider's key and takes a backup over gRPC, as a service does.

    pip install grpcio-tools grpcio-status
    python client.py --vault 127.0.0.1:7601 --backup 127.0.0.1:7602 --token-file client.token \\
        --reference endpoint/chat --out backup.zip.age --protos ../../proto

Needs Python 3.9. docs/integrating.md explains each step.
"""

import argparse
import hashlib
import os
import pathlib
import sys
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

# Seconds for a call that is not a stream.
DEADLINE = 30


def details(error):
    """Returns an error's stable reason, and the seconds to wait before a retry (None: do not retry)."""
    reason, wait = "", None
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(retry):
            wait = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    if wait is None and error.code() == grpc.StatusCode.UNAVAILABLE:
        wait = 1
    return reason, wait


def patiently(call, attempts=5):
    """Retries a call if the service says that a retry makes sense."""
    for attempt in range(attempts):
        try:
            return call()
        except grpc.RpcError as error:
            reason, wait = details(error)
            if wait is None or attempt + 1 == attempts:
                raise SystemExit(f"{error.details()} [{reason or error.code().name}]")
            time.sleep(wait * 2**attempt)


def channel(address, ca_file):
    """Uses TLS if an authority is given; without TLS, on this machine only."""
    if ca_file:
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(pathlib.Path(ca_file).read_bytes()))
    return grpc.insecure_channel(address)


def resolve(vault, reference, metadata):
    """Returns the key of a consumer's first usable credential. Neither print nor log it."""
    kind, consumer = reference.split("/", 1)
    request = reference_pb2.ResolveReferenceRequest(kind=kind, consumer=consumer)
    return patiently(lambda: vault.ResolveReference(request, metadata=metadata, timeout=DEADLINE))


def export(backup, out, metadata):
    """Writes a backup to `out`, which exists only if it is complete. The stream has no deadline: the server limits it."""
    partial = pathlib.Path(str(out) + ".partial")
    digest, chunks, size, trailer = hashlib.sha256(), 0, 0, None
    # 0600 from the start: an archive is as secret as the data in it.
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for answer in backup.ExportBackup(export_pb2.ExportBackupRequest(), metadata=metadata):
            kind = answer.WhichOneof("message")
            if kind == "chunk":
                if (answer.chunk.number, answer.chunk.offset) != (chunks, size):
                    raise SystemExit("a chunk is missing")
                file.write(answer.chunk.data)
                digest.update(answer.chunk.data)
                chunks, size = chunks + 1, size + len(answer.chunk.data)
            elif kind == "trailer":
                trailer = answer.trailer
        file.flush()
        os.fsync(file.fileno())
    # A stream that ends without a trailer is a failure, whatever its status.
    if trailer is None or (trailer.sha256, trailer.size_bytes) != (digest.hexdigest(), size):
        raise SystemExit("the backup is not whole")
    partial.rename(out)
    return trailer


def load(protos):
    """Compiles the protos once and loads their modules. Other projects commit the generated code."""
    global reference_pb2, export_pb2, reference_grpc, backup_grpc
    sys.path.insert(0, protos)
    names = ["vault/v1/reference", "backup/v1/export", "backup/v1/backup"]
    reference_pb2, export_pb2, _ = (grpc.protos(f"strongroom/{name}.proto") for name in names)
    reference_grpc, _, backup_grpc = (grpc.services(f"strongroom/{name}.proto") for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ["vault", "backup", "token-file", "reference", "out", "protos"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--ca-file")
    args = parser.parse_args()
    load(args.protos)
    token = pathlib.Path(args.token_file).read_text().strip()
    metadata = [("authorization", f"Bearer {token}")]
    with channel(args.vault, args.ca_file) as vault, channel(args.backup, args.ca_file) as backup:
        key = resolve(reference_grpc.ReferenceServiceStub(vault), args.reference, metadata)
        print(f"a key of {key.provider}: {len(key.secret)} bytes")
        try:
            trailer = export(backup_grpc.BackupServiceStub(backup), args.out, metadata)
        except grpc.RpcError as error:
            raise SystemExit(f"{error.details()} [{details(error)[0] or error.code().name}]")
        print(f"{args.out}: {trailer.size_bytes} bytes, {trailer.tables} tables, {trailer.rows} rows")


if __name__ == "__main__":
    main()
