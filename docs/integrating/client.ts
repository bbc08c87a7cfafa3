// Uses a provider's key and takes a backup over gRPC, as a service does.
//
//     npm install @grpc/grpc-js @grpc/proto-loader typescript @types/node
//     npx tsc --strict --module nodenext --target es2022 client.ts
//     node client.js 127.0.0.1:7601 127.0.0.1:7602 client.token endpoint/chat backup.zip.age ../../proto
//
// Needs Node 18. docs/integrating.md explains each step.

import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";
import * as loader from "@grpc/proto-loader";

const DEADLINE_MS = 30_000;

interface Resolved {
  provider: string;
  secret: Buffer;
}

interface Trailer {
  sizeBytes: string;
  sha256: string;
  tables: string;
  rows: string;
}

interface ExportAnswer {
  message: "header" | "chunk" | "progress" | "trailer";
  chunk?: { number: string; offset: string; data: Buffer };
  trailer?: Trailer;
}

interface VaultClient extends grpc.Client {
  ResolveReference(
    request: { kind: string; consumer: string },
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    done: (error: grpc.ServiceError | null, answer?: Resolved) => void,
  ): void;
}

interface BackupClient extends grpc.Client {
  ExportBackup(request: object, metadata: grpc.Metadata): grpc.ClientReadableStream<ExportAnswer>;
}

type Constructor<T> = new (address: string, credentials: grpc.ChannelCredentials) => T;

// 64-bit integers arrive as strings, because a JavaScript number holds only 53 bits.
function load<T>(protos: string, file: string, service: (root: any) => unknown): Constructor<T> {
  const definition = loader.loadSync(file, { includeDirs: [protos], longs: String, defaults: true, oneofs: true });
  return service(grpc.loadPackageDefinition(definition)) as Constructor<T>;
}

// The message, which names the remedy, and the code. Other programs should use the reason in ErrorInfo.
function failed(error: grpc.ServiceError): Error {
  return new Error(`${error.details} [${grpc.status[error.code]}]`);
}

// Returns the key of a consumer's first usable credential. Neither print nor log it.
async function resolve(vault: VaultClient, reference: string, metadata: grpc.Metadata): Promise<Resolved> {
  const [kind, consumer] = reference.split("/", 2);
  for (let attempt = 0; ; attempt++) {
    try {
      return await new Promise((done, refused) => {
        const options = { deadline: Date.now() + DEADLINE_MS };
        vault.ResolveReference({ kind, consumer }, metadata, options, (error, answer) =>
          error ? refused(error) : done(answer!),
        );
      });
    } catch (error) {
      const code = (error as grpc.ServiceError).code;
      if (attempt === 4 || (code !== grpc.status.UNAVAILABLE && code !== grpc.status.RESOURCE_EXHAUSTED)) {
        throw failed(error as grpc.ServiceError);
      }
      await new Promise((waited) => setTimeout(waited, 1000 * 2 ** attempt));
    }
  }
}

// Writes a backup to `out`, which exists only if it is complete. The stream has no deadline: the server limits it.
async function exportTo(backup: BackupClient, out: string, metadata: grpc.Metadata): Promise<Trailer> {
  // 0600 from the start: an archive is as secret as the data in it.
  const file = openSync(`${out}.partial`, "w", 0o600);
  const digest = createHash("sha256");
  let [chunks, size, trailer] = [0, 0, undefined as Trailer | undefined];
  try {
    for await (const answer of backup.ExportBackup({}, metadata) as AsyncIterable<ExportAnswer>) {
      if (answer.chunk) {
        if (Number(answer.chunk.number) !== chunks || Number(answer.chunk.offset) !== size) {
          throw new Error("a chunk is missing");
        }
        writeSync(file, answer.chunk.data);
        digest.update(answer.chunk.data);
        chunks += 1;
        size += answer.chunk.data.length;
      }
      trailer = answer.trailer ?? trailer;
    }
    fsyncSync(file);
  } catch (error) {
    throw error instanceof Error && "code" in error ? failed(error as grpc.ServiceError) : error;
  } finally {
    closeSync(file);
  }
  // A stream that ends without a trailer is a failure, whatever its status.
  if (!trailer || trailer.sha256 !== digest.digest("hex") || Number(trailer.sizeBytes) !== size) {
    throw new Error("the backup is not whole");
  }
  renameSync(`${out}.partial`, out);
  return trailer;
}

async function main([vaultAt, backupAt, tokenFile, reference, out, protos, caFile]: string[]): Promise<void> {
  // Without TLS on this machine only.
  const credentials = caFile
    ? grpc.credentials.createSsl(readFileSync(caFile))
    : grpc.credentials.createInsecure();
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${readFileSync(tokenFile, "utf8").trim()}`);
  const Vault = load<VaultClient>(protos, "strongroom/vault/v1/reference.proto", (root) => root.strongroom.vault.v1.ReferenceService);
  const Backup = load<BackupClient>(protos, "strongroom/backup/v1/backup.proto", (root) => root.strongroom.backup.v1.BackupService);
  const [vault, backup] = [new Vault(vaultAt, credentials), new Backup(backupAt, credentials)];
  try {
    const key = await resolve(vault, reference, metadata);
    console.log(`a key of ${key.provider}: ${key.secret.length} bytes`);
    const trailer = await exportTo(backup, out, metadata);
    console.log(`${out}: ${trailer.sizeBytes} bytes, ${trailer.tables} tables, ${trailer.rows} rows`);
  } finally {
    vault.close();
    backup.close();
  }
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
