// Uses a provider's key and takes a backup over gRPC, as a service does.
//
//	buf generate ../../proto --template '{"version":"v2","plugins":[
//	    {"local":"protoc-gen-go","out":"gen/go"},{"local":"protoc-gen-go-grpc","out":"gen/go"}]}'
//	go run client.go 127.0.0.1:7601 127.0.0.1:7602 client.token endpoint/chat backup.zip.age
//
// The import paths of the generated code begin with strongroom.internal/gen/go: replace that module with the folder
// (`go mod edit -replace`). docs/integrating.md explains each step.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	backupv1 "strongroom.internal/gen/go/strongroom/backup/v1"
	vaultv1 "strongroom.internal/gen/go/strongroom/vault/v1"
)

const deadline = 30 * time.Second

// resolve returns the key of a consumer's first usable credential. Neither print nor log it.
func resolve(ctx context.Context, vault vaultv1.ReferenceServiceClient, reference string) (*vaultv1.ResolveReferenceResponse, error) {
	kind, consumer, _ := strings.Cut(reference, "/")
	request := &vaultv1.ResolveReferenceRequest{Kind: kind, Consumer: consumer}
	for attempt := 0; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, deadline)
		answer, err := vault.ResolveReference(limited, request)
		cancel()
		code := status.Code(err)
		if err == nil || attempt == 4 || (code != codes.Unavailable && code != codes.ResourceExhausted) {
			return answer, err
		}
		time.Sleep(time.Second << attempt)
	}
}

// export writes a backup to out, which exists only if it is complete. The stream has no deadline: the server limits it.
func export(ctx context.Context, backup backupv1.BackupServiceClient, out string) (*backupv1.ExportBackupResponse_Trailer, error) {
	// 0600 from the start: an archive is as secret as the data in it.
	file, err := os.OpenFile(out+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	stream, err := backup.ExportBackup(ctx, &backupv1.ExportBackupRequest{})
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	var chunks, size int64
	var trailer *backupv1.ExportBackupResponse_Trailer
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if chunk := answer.GetChunk(); chunk != nil {
			if chunk.GetNumber() != chunks || chunk.GetOffset() != size {
				return nil, errors.New("a chunk is missing")
			}
			if _, err := file.Write(chunk.GetData()); err != nil {
				return nil, err
			}
			digest.Write(chunk.GetData())
			chunks++
			size += int64(len(chunk.GetData()))
		}
		if answer.GetTrailer() != nil {
			trailer = answer.GetTrailer()
		}
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	// A stream that ends without a trailer is a failure, whatever its status.
	if trailer == nil || trailer.GetSha256() != hex.EncodeToString(digest.Sum(nil)) || trailer.GetSizeBytes() != size {
		return nil, errors.New("the backup is not whole")
	}
	return trailer, os.Rename(out+".partial", out)
}

func run(args []string) error {
	token, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+strings.TrimSpace(string(token)))
	// Without TLS on this machine only; elsewhere, use credentials.NewClientTLSFromFile.
	vault, err := grpc.Dial(args[0], grpc.WithInsecure())
	if err != nil {
		return err
	}
	defer vault.Close()
	backup, err := grpc.Dial(args[1], grpc.WithInsecure())
	if err != nil {
		return err
	}
	defer backup.Close()
	key, err := resolve(ctx, vaultv1.NewReferenceServiceClient(vault), args[3])
	if err != nil {
		return err
	}
	fmt.Printf("a key of %s: %d bytes\n", key.GetProvider(), len(key.GetSecret()))
	trailer, err := export(ctx, backupv1.NewBackupServiceClient(backup), args[4])
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, %d tables, %d rows\n", args[4], trailer.GetSizeBytes(), trailer.GetTables(), trailer.GetRows())
	return nil
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: client VAULT BACKUP TOKEN_FILE REFERENCE OUT")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, status.Convert(err).Message())
		os.Exit(1)
	}
}
