{{/*
Checks that values.schema.json cannot express: a missing Secret, reported with the commands that create it, and values that
contradict each other. Included once, by the configuration.
*/}}
{{- define "strongroom.check" -}}
{{- include "strongroom.check.secrets" . }}
{{- include "strongroom.check.database" . }}
{{- include "strongroom.check.destinations" . }}
{{- include "strongroom.check.tls" . }}
{{- end }}

{{- define "strongroom.check.secrets" -}}
{{- if not .Values.vault.rootKey.existingSecret }}
{{- fail (printf `

vault.rootKey.existingSecret is not set. The chart never creates a root key: whoever holds it can open everything, and without
it nobody can. Create it, and keep a copy apart from the database and from archives:

  strongroom key new-root --out root.key
  kubectl --namespace %s create secret generic strongroom-root-key --from-file=%s=root.key

Then set vault.rootKey.existingSecret=strongroom-root-key.
` .Release.Namespace .Values.vault.rootKey.key) }}
{{- end }}
{{- if not .Values.tokens.existingSecret }}
{{- fail (printf `

tokens.existingSecret is not set. Create the first tokens, which the vault registers when it starts for the first time:

  strongroom token new --out admin.token
  strongroom token new --out backup.token
  kubectl --namespace %s create secret generic strongroom-tokens --from-file=%s=admin.token --from-file=%s=backup.token

Then set tokens.existingSecret=strongroom-tokens.
` .Release.Namespace .Values.tokens.adminKey .Values.tokens.backupKey) }}
{{- end }}
{{- end }}

{{- define "strongroom.check.database" -}}
{{- range $component := list "vault" "backup" }}
{{- with (index $.Values $component) }}
{{- if and .autoscaling.enabled (gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) }}
{{- fail (printf "%s.autoscaling.minReplicas is more than its maxReplicas" $component) }}
{{- end }}
{{- if eq .database.kind "sqlite" }}
{{- if gt (int .replicas) 1 }}
{{- fail (printf "%s.replicas is %d, but one pod alone opens a SQLite database: set %s.database.kind=postgres, or %s.replicas=1" $component (int .replicas) $component $component) }}
{{- end }}
{{- if .autoscaling.enabled }}
{{- fail (printf "%s.autoscaling is enabled, but one pod alone opens a SQLite database: set %s.database.kind=postgres, or disable it" $component $component) }}
{{- end }}
{{- else if not .database.postgres.existingSecret }}
{{- $secret := ternary "strongroom-database" "strongroom-backup-database" (eq $component "vault") }}
{{- fail (printf `

%s.database.postgres.existingSecret is not set. Put the database's URL into a file, and the file into a Secret:

  kubectl --namespace %s create secret generic %s --from-file=%s=database.url

Then set %s.database.postgres.existingSecret=%s.
` $component $.Release.Namespace $secret .database.postgres.key $component $secret) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "strongroom.check.destinations" -}}
{{- $names := list }}
{{- range .Values.backup.destinations }}
{{- if has .name $names }}
{{- fail (printf "two of backup.destinations are called %s: give each its own name" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- if eq (empty .url) (empty .existingClaim) }}
{{- fail (printf "backup.destinations: %s needs either a url or, for a folder on a volume, an existingClaim" .name) }}
{{- end }}
{{- if and .existingClaim (or .credentials .ca) }}
{{- fail (printf "backup.destinations: %s is a folder, which has neither credentials nor ca" .name) }}
{{- end }}
{{- with .ca }}
{{- if eq (empty .existingSecret) (empty .existingConfigMap) }}
{{- fail "backup.destinations: a ca needs either an existingSecret or an existingConfigMap" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "strongroom.check.tls" -}}
{{- with .Values.tls }}
{{- if eq .mode "existingSecret" }}
{{- range $component := list "vault" "backup" }}
{{- if not (index $.Values.tls.existingSecrets $component) }}
{{- fail (printf "tls.mode is existingSecret: set tls.existingSecrets.%s to a Secret of type kubernetes.io/tls" $component) }}
{{- end }}
{{- end }}
{{- else if and (eq .mode "certManager") (not .certManager.issuerRef.name) }}
{{- fail "tls.mode is certManager: set tls.certManager.issuerRef.name to an issuer" }}
{{- end }}
{{- end }}
{{- if and .Values.vault.config.identities (not (include "strongroom.tls.hasClientCA" .)) }}
{{- fail "vault.config.identities need client certificates: set tls.mode, and tls.clientCA to their authorities" }}
{{- end }}
{{- end }}
