-- The sample gateway: the data that an API gateway stores in addition to the secrets in the vault.
--
-- One file for both engines: `sqlite3 gateway.db < gateway.sql` or `psql -f gateway.sql`, into an empty database.
-- credential_id contains an id from the vault, so no foreign key can protect it. Encrypted columns contain sealed values of
-- a deployment that does not exist: their key was never kept, and nothing can open them.

BEGIN;

CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_at TIMESTAMP NOT NULL,
  last_login_at TIMESTAMP
);

CREATE TABLE projects (
  id INTEGER PRIMARY KEY,
  owner_id INTEGER NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  name TEXT NOT NULL,
  slug TEXT NOT NULL UNIQUE,
  environment TEXT NOT NULL,
  monthly_budget NUMERIC(12,6),
  created_at TIMESTAMP NOT NULL
);

CREATE TABLE provider_templates (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  provider TEXT NOT NULL,
  credential_id TEXT,
  base_url TEXT NOT NULL,
  default_model TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL
);

CREATE TABLE endpoints (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  provider_template_id INTEGER REFERENCES provider_templates (id) ON DELETE SET NULL,
  credential_id TEXT,
  name TEXT NOT NULL,
  slug TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  temperature NUMERIC(12,6),
  max_tokens INTEGER,
  system_prompt TEXT,
  is_active BOOLEAN NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  UNIQUE (project_id, slug)
);

CREATE TABLE api_gateway_endpoints (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  upstream_url TEXT NOT NULL,
  rate_limit_per_minute INTEGER,
  requires_token BOOLEAN NOT NULL,
  created_at TIMESTAMP NOT NULL,
  UNIQUE (method, path)
);

CREATE TABLE mcp_servers (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  transport TEXT NOT NULL,
  bearer TEXT,
  is_active BOOLEAN NOT NULL,
  created_at TIMESTAMP NOT NULL
);

CREATE TABLE oauth_service_connections (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  project_id INTEGER REFERENCES projects (id) ON DELETE SET NULL,
  service TEXT NOT NULL,
  client_id TEXT NOT NULL,
  client_secret TEXT,
  access_token TEXT,
  refresh_token TEXT,
  scopes TEXT NOT NULL,
  expires_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL
);

CREATE TABLE provider_settings (
  provider TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (provider, name)
);

CREATE TABLE guardrail_configs (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  mode TEXT NOT NULL,
  threshold NUMERIC(12,6),
  settings TEXT NOT NULL,
  is_active BOOLEAN NOT NULL,
  created_at TIMESTAMP NOT NULL
);

CREATE TABLE webhooks (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  secret TEXT,
  is_active BOOLEAN NOT NULL,
  last_delivery_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL
);

CREATE TABLE wrapper_provider_settings (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  provider TEXT NOT NULL,
  credential_id TEXT,
  default_model TEXT NOT NULL,
  daily_limit NUMERIC(12,6),
  created_at TIMESTAMP NOT NULL,
  UNIQUE (project_id, provider)
);

CREATE TABLE wrapper_aliases (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  wrapper_provider_setting_id INTEGER NOT NULL REFERENCES wrapper_provider_settings (id) ON DELETE CASCADE,
  alias TEXT NOT NULL,
  model TEXT NOT NULL,
  UNIQUE (project_id, alias)
);

CREATE TABLE gateway_logs (
  id BIGINT PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  endpoint_id INTEGER REFERENCES endpoints (id) ON DELETE SET NULL,
  request_id TEXT NOT NULL UNIQUE,
  status INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cost NUMERIC(12,6) NOT NULL,
  cached BOOLEAN NOT NULL,
  error TEXT,
  created_at TIMESTAMP NOT NULL
);

CREATE INDEX gateway_logs_created_at ON gateway_logs (created_at);

INSERT INTO users (id, email, role, is_active, created_at, last_login_at) VALUES
  (1, 'owner@example.com', 'owner', TRUE, '2026-01-12 09:30:00', '2026-05-06 09:58:41'),
  (2, 'operator@example.com', 'operator', TRUE, '2026-01-12 10:05:00', '2026-05-06 07:12:09'),
  (3, 'auditor@example.com', 'auditor', TRUE, '2026-02-03 14:20:00', NULL);

INSERT INTO projects (id, owner_id, name, slug, environment, monthly_budget, created_at) VALUES
  (1, 1, 'Customer chat', 'customer-chat', 'production', 2500.000000, '2026-01-12 09:45:00'),
  (2, 1, 'Document search', 'document-search', 'production', 900.500000, '2026-01-20 11:00:00'),
  (3, 2, 'Customer chat (staging)', 'customer-chat-staging', 'staging', 100.000000, '2026-02-02 08:15:00'),
  (4, 2, 'Playground', 'playground', 'development', NULL, '2026-02-10 16:40:00');

INSERT INTO provider_templates (id, name, provider, credential_id, base_url, default_model, settings, created_at) VALUES
  (1, 'OpenAI standard', 'openai', NULL, 'https://api.openai.com/v1', 'gpt-4o-mini', '{"timeout_seconds": 30, "retries": 2}', '2026-01-12 10:10:00'),
  (2, 'Anthropic standard', 'anthropic', NULL, 'https://api.anthropic.com', 'claude-sonnet', '{"timeout_seconds": 60, "retries": 1}', '2026-01-12 10:12:00'),
  (3, 'Mistral in the EU', 'mistral', NULL, 'https://api.mistral.ai/v1', 'mistral-large', '{"timeout_seconds": 30, "region": "eu"}', '2026-03-01 09:00:00');

INSERT INTO endpoints (id, project_id, provider_template_id, credential_id, name, slug, provider, model, temperature, max_tokens, system_prompt, is_active, created_at, updated_at) VALUES
  (1, 1, 1, NULL, 'Answer a customer', 'answer', 'openai', 'gpt-4o', 0.200000, 1024, 'You answer customers of a bicycle shop. Say so when you do not know.', TRUE, '2026-01-13 08:00:00', '2026-04-21 15:31:07'),
  (2, 1, 1, NULL, 'Summarise a conversation', 'summarise', 'openai', 'gpt-4o-mini', 0.000000, 400, 'Three sentences, no names.', TRUE, '2026-01-13 08:05:00', '2026-01-13 08:05:00'),
  (3, 1, 2, NULL, 'Answer a customer (fail-over)', 'answer-failover', 'anthropic', 'claude-sonnet', 0.200000, 1024, 'You answer customers of a bicycle shop. Say so when you do not know.', TRUE, '2026-01-13 08:20:00', '2026-04-21 15:32:40'),
  (4, 1, NULL, NULL, 'Classify a request', 'classify', 'openai', 'gpt-4o-mini', 0.000000, 20, NULL, TRUE, '2026-02-01 12:00:00', '2026-02-01 12:00:00'),
  (5, 2, NULL, NULL, 'Embed a document', 'embed', 'openai', 'text-embedding-3-small', NULL, NULL, NULL, TRUE, '2026-01-20 11:30:00', '2026-01-20 11:30:00'),
  (6, 2, 3, NULL, 'Rerank results', 'rerank', 'mistral', 'mistral-small', 0.000000, 200, NULL, TRUE, '2026-03-01 09:10:00', '2026-03-14 10:02:55'),
  (7, 2, 2, NULL, 'Answer from documents', 'ask', 'anthropic', 'claude-sonnet', 0.100000, 2048, 'Answer only from the passages given; quote them.', FALSE, '2026-02-11 10:00:00', '2026-04-30 18:20:00'),
  (8, 3, 1, NULL, 'Answer a customer', 'answer', 'openai', 'gpt-4o-mini', 0.200000, 512, 'You answer customers of a bicycle shop. (staging)', TRUE, '2026-02-02 08:20:00', '2026-02-02 08:20:00'),
  (9, 3, 2, NULL, 'Answer a customer (fail-over)', 'answer-failover', 'anthropic', 'claude-haiku', 0.200000, 512, NULL, TRUE, '2026-02-02 08:25:00', '2026-02-02 08:25:00'),
  (10, 3, NULL, NULL, 'Translate', 'translate', 'mistral', 'mistral-small', 0.300000, 800, 'Übersetze ins Deutsche; keep “quotes” and	tabs as they are.', TRUE, '2026-03-05 13:45:00', '2026-03-05 13:45:00'),
  (11, 4, NULL, NULL, 'Free play', 'play', 'openai', 'gpt-4o-mini', 1.000000, NULL, NULL, TRUE, '2026-02-10 16:45:00', '2026-02-10 16:45:00'),
  (12, 4, NULL, NULL, 'It''s an experiment', 'experiment', 'anthropic', 'claude-haiku', 0.700000, 256, NULL, FALSE, '2026-04-01 17:00:00', '2026-04-02 09:00:00');

INSERT INTO api_gateway_endpoints (id, project_id, method, path, upstream_url, rate_limit_per_minute, requires_token, created_at) VALUES
  (1, 1, 'POST', '/v1/chat', 'http://chat.internal:8080/v1/chat', 600, TRUE, '2026-01-14 09:00:00'),
  (2, 1, 'GET', '/v1/chat/history', 'http://chat.internal:8080/v1/history', 120, TRUE, '2026-01-14 09:01:00'),
  (3, 2, 'POST', '/v1/search', 'http://search.internal:8080/query', 300, TRUE, '2026-01-21 10:00:00'),
  (4, 2, 'GET', '/v1/search/status', 'http://search.internal:8080/status', NULL, FALSE, '2026-01-21 10:02:00'),
  (5, 3, 'POST', '/staging/v1/chat', 'http://chat-staging.internal:8080/v1/chat', 60, TRUE, '2026-02-02 08:40:00');

INSERT INTO mcp_servers (id, project_id, name, url, transport, bearer, is_active, created_at) VALUES
  (1, 1, 'Order lookup', 'https://mcp.example.com/orders', 'http', 'srv1.5a3c91e07d42b86f.VY2_CLSwefvd08HnGlYGrfcSNsdxbUUGHo7I4rbPRQZseVvmTCnvSlJ4NfFE2JN3HpJfaF34l1wF8Zd2oBk73rqv6Tc5GXvIquuvriHuW_v7vBXDjVRmMlTSw2Bw0Dts_CjD9JkgDM4', TRUE, '2026-03-10 10:00:00'),
  (2, 2, 'Document store', 'https://mcp.example.com/documents', 'sse', 'srv1.5a3c91e07d42b86f.qSQKoFMbQ3gtsnI7J6ZZ9KO-bFqeC-MWH5Sf42DyEK36VjvIh-UiMIn1wz03tFex0DHMuJJvPC8btv_Lp1c6yE-6qWiAWSkYZNSYxFY5hEQfq8RDeaVijj58udlPRGUSJH_2YwwGscFx58mbIvDPFg', TRUE, '2026-03-11 11:30:00'),
  (3, 4, 'Local tools', 'http://127.0.0.1:3333', 'http', NULL, FALSE, '2026-04-01 17:10:00');

INSERT INTO oauth_service_connections (id, user_id, project_id, service, client_id, client_secret, access_token, refresh_token, scopes, expires_at, created_at) VALUES
  (1, 1, 1, 'helpdesk', 'gateway-helpdesk', 'srv1.5a3c91e07d42b86f.5fMSBS84WFx4OWQHYUYTe-BfKo1V7YMB1W42Stdau49cF-cfxDF-74kY4bLoKOL9Cm6pjyxMaTlkNtv7I7vm7CDOMAuf5CJLkYuU6IukAE3lqbEZShfwRefo-mCMwaiw', 'srv1.5a3c91e07d42b86f.CQg4dER-_Pc3B0PinvzRtqkQwgg3PBiuFbD9gPnxdjBIBQYVMlqJzL2vsste9FJxR-qkCwjphmhGb7cGlp2olpyFPvTBmqh3M0uIyjZ4H05j8vQUxHWD-9lOtwarAcI9USlJJXXf-bMq83SK0ildOw', 'srv1.5a3c91e07d42b86f.ucYieaCNCTThgRhfrM2VuOePF6sRbnHNjQ92yHA1mtYUt9prnD6tff3cCd1h2RSmSi3gVO3luVtPkHZ_EHRPLfhGiU-Q3bj24EIKprIV74irkaQgR3hN39RNtBeMJeDd2bOLejwKfNw4sJFzfc-_ZQ', 'tickets:read tickets:write', '2026-05-06 11:00:00', '2026-02-15 09:00:00'),
  (2, 2, 2, 'drive', 'gateway-drive', 'srv1.5a3c91e07d42b86f.KYG_OdAlM_rcLxY-Gav_ID45Xcbs07CG3iFOjjEI7pOH44ninE3HKc9Ngu3D0bdthg63-nSPa0kfxDdwTt54Dh-RkR_pa8q-_sueI7yUEKA23n8DEwVGi9WYyedSIHzJ', 'srv1.5a3c91e07d42b86f.uk0SbNR6ep6kTCb0hlmE7cjVB-ws0C4f7yEN_DuAGO5nOBos8sfg8NIy1mg8vODdn130z3MGTYSDtItyOYrz3-rl9Wn2BbmnyN1HnFRg8PqWRHamuS_BcIv5T9rGEFQSpwjjhSv7ZnOcK_4AcanSSw', NULL, 'files:read', '2026-05-06 10:30:00', '2026-02-16 13:20:00'),
  (3, 2, NULL, 'calendar', 'gateway-calendar', NULL, NULL, NULL, 'events:read', NULL, '2026-04-28 08:00:00');

INSERT INTO provider_settings (provider, name, value, updated_at) VALUES
  ('openai', 'requests_per_minute', '3000', '2026-03-01 08:00:00'),
  ('openai', 'organisation', 'example-shop', '2026-01-12 10:00:00'),
  ('anthropic', 'requests_per_minute', '1000', '2026-03-01 08:00:00'),
  ('mistral', 'region', 'eu', '2026-03-01 08:58:00');

INSERT INTO guardrail_configs (id, project_id, kind, mode, threshold, settings, is_active, created_at) VALUES
  (1, 1, 'pii', 'redact', 0.850000, '{"entities": ["email", "phone", "iban"]}', TRUE, '2026-01-15 10:00:00'),
  (2, 1, 'prompt_injection', 'block', 0.920000, '{"log_only": false}', TRUE, '2026-01-15 10:05:00'),
  (3, 2, 'pii', 'redact', 0.800000, '{"entities": ["email"]}', TRUE, '2026-01-22 09:00:00'),
  (4, 4, 'topic', 'warn', NULL, '{}', FALSE, '2026-04-01 17:30:00');

INSERT INTO webhooks (id, project_id, url, events, secret, is_active, last_delivery_at, created_at) VALUES
  (1, 1, 'https://hooks.example.com/gateway', 'endpoint.failed,budget.exceeded', 'srv1.5a3c91e07d42b86f._YznmdWm7XeFBW0dtpWMyQXDNWCZimM34Tq9K-1CKGkgPA_kjNuVmYm8l_RYfBa5w6aTn0ub3dLMhwbxVcM6nRdp-ZmKyavL9G_-3HqqiBPx8dYFIjzHEnjUxRt1TSMi2P9enumtcfg', TRUE, '2026-05-05 22:47:13', '2026-01-30 12:00:00'),
  (2, 2, 'https://hooks.example.com/search', 'budget.exceeded', 'srv1.5a3c91e07d42b86f.siCvxqma7xyE-lTR37o3zGJZxYEF7XSSa7etvF-Sm9ELUQ6lCGRbNRD-0LnGhVY29T8Ev16767c-ZBjpXSgeZArswEU2aTmGAwk9HOyYyQDAKzkhfeJREhwrF1vLo7NDBKkBXza72tg', TRUE, NULL, '2026-02-20 12:00:00'),
  (3, 3, 'https://hooks.example.com/staging', 'endpoint.failed', NULL, FALSE, NULL, '2026-02-20 12:05:00');

INSERT INTO wrapper_provider_settings (id, project_id, provider, credential_id, default_model, daily_limit, created_at) VALUES
  (1, 1, 'openai', NULL, 'gpt-4o', 80.000000, '2026-02-01 09:00:00'),
  (2, 1, 'anthropic', NULL, 'claude-sonnet', 40.000000, '2026-02-01 09:01:00'),
  (3, 3, 'openai', NULL, 'gpt-4o-mini', 2.500000, '2026-02-02 09:00:00'),
  (4, 4, 'mistral', NULL, 'mistral-small', NULL, '2026-03-02 09:00:00');

INSERT INTO wrapper_aliases (id, project_id, wrapper_provider_setting_id, alias, model) VALUES
  (1, 1, 1, 'fast', 'gpt-4o-mini'),
  (2, 1, 1, 'best', 'gpt-4o'),
  (3, 1, 2, 'careful', 'claude-sonnet'),
  (4, 3, 3, 'fast', 'gpt-4o-mini'),
  (5, 4, 4, 'fast', 'mistral-small');

INSERT INTO gateway_logs (id, project_id, endpoint_id, request_id, status, latency_ms, prompt_tokens, completion_tokens, cost, cached, error, created_at) VALUES
  (1, 3, 8, 'req-000001', 200, 458, 2217, 878, 0.008594, FALSE, NULL, '2026-05-04 08:12:05'),
  (2, 4, 11, 'req-000002', 429, 326, 359, 0, 0.000539, FALSE, 'rate limited by the provider', '2026-05-04 12:00:56'),
  (3, 2, 6, 'req-000003', 200, 4038, 639, 779, 0.005633, FALSE, NULL, '2026-05-04 14:31:24'),
  (4, 1, 1, 'req-000004', 200, 2042, 1904, 67, 0.003258, FALSE, NULL, '2026-05-04 17:18:58'),
  (5, 1, 1, 'req-000005', 200, 2968, 1351, 414, 0.004511, TRUE, NULL, '2026-05-04 21:15:52'),
  (6, 1, 4, 'req-000006', 429, 2808, 216, 0, 0.000324, FALSE, 'rate limited by the provider', '2026-05-05 00:38:13'),
  (7, 4, 11, 'req-000007', 429, 4043, 1955, 0, 0.002933, FALSE, 'rate limited by the provider', '2026-05-05 03:55:01'),
  (8, 1, 3, 'req-000008', 502, 3772, 1056, 0, 0.001584, FALSE, 'provider call failed: connection reset', '2026-05-05 07:58:20'),
  (9, 1, 3, 'req-000009', 200, 2954, 2068, 591, 0.006648, TRUE, NULL, '2026-05-05 10:42:33'),
  (10, 1, 2, 'req-000010', 200, 3127, 960, 674, 0.005484, FALSE, NULL, '2026-05-05 14:30:42'),
  (11, 1, 3, 'req-000011', 200, 149, 355, 139, 0.001367, FALSE, NULL, '2026-05-05 16:23:27'),
  (12, 3, 9, 'req-000012', 502, 1156, 1732, 0, 0.002598, FALSE, 'provider call failed: connection reset', '2026-05-05 19:19:52'),
  (13, 1, 1, 'req-000013', 200, 390, 1548, 810, 0.007182, FALSE, NULL, '2026-05-05 22:52:08'),
  (14, 1, 3, 'req-000014', 200, 3843, 1359, 156, 0.002974, FALSE, NULL, '2026-05-06 00:59:34'),
  (15, 2, 5, 'req-000015', 200, 4023, 1003, 656, 0.005441, TRUE, NULL, '2026-05-06 02:54:29'),
  (16, 3, 9, 'req-000016', 502, 3100, 825, 0, 0.001238, FALSE, 'provider call failed: connection reset', '2026-05-06 04:17:03'),
  (17, 3, 10, 'req-000017', 200, 1157, 60, 325, 0.002040, FALSE, NULL, '2026-05-06 06:31:01'),
  (18, 3, 8, 'req-000018', 200, 1738, 2067, 627, 0.006863, FALSE, NULL, '2026-05-06 10:49:28'),
  (19, 1, 3, 'req-000019', 200, 4063, 1160, 743, 0.006198, TRUE, NULL, '2026-05-06 14:10:15'),
  (20, 2, 6, 'req-000020', 429, 1311, 2287, 0, 0.003430, FALSE, 'rate limited by the provider', '2026-05-06 14:29:28'),
  (21, 1, 3, 'req-000021', 200, 219, 1461, 16, 0.002288, FALSE, NULL, '2026-05-06 18:13:55'),
  (22, 1, 1, 'req-000022', 200, 3010, 996, 674, 0.005538, FALSE, NULL, '2026-05-06 19:58:42'),
  (23, 1, 2, 'req-000023', 200, 3582, 1661, 534, 0.005696, TRUE, NULL, '2026-05-06 21:14:00'),
  (24, 1, 4, 'req-000024', 200, 1262, 2313, 818, 0.008377, TRUE, NULL, '2026-05-06 22:35:44'),
  (25, 2, 6, 'req-000025', 200, 1177, 538, 131, 0.001593, FALSE, NULL, '2026-05-06 23:20:39');

-- 200 in all: each of these requests came in a burst of eight.
INSERT INTO gateway_logs (id, project_id, endpoint_id, request_id, status, latency_ms, prompt_tokens, completion_tokens, cost, cached, error, created_at)
WITH RECURSIVE bursts (n) AS (
  SELECT 1
  UNION ALL
  SELECT n + 1 FROM bursts WHERE n < 7
)
SELECT id + 25 * n, project_id, endpoint_id, request_id || '-' || n, status, latency_ms + 13 * n, prompt_tokens + 7 * n,
  completion_tokens, ROUND(cost + 0.000010 * n, 6), cached, error, created_at
FROM gateway_logs CROSS JOIN bursts;

COMMIT;
