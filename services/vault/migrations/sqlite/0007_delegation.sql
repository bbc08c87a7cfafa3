-- SHA-256 of 'strongroom/introspect' and the token: services look their callers' tokens up by it. No source exports it, so an
-- archive does not hold it; a token without it is unknown to services until it has a new secret.
ALTER TABLE api_tokens ADD COLUMN introspect_hash BLOB;
CREATE UNIQUE INDEX api_tokens_by_introspect_hash ON api_tokens (introspect_hash);
