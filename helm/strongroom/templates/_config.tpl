{{/*
The configuration files of both services. The chart sets paths and addresses: they must agree with the mounts, the ports
and the certificates, so values.schema.json refuses them in `vault.config` and `backup.config`.
*/}}
{{- define "strongroom.config" -}}
{{- if eq .component "vault" }}
{{- include "strongroom.config.vault" .root }}
{{- else }}
{{- include "strongroom.config.backup" .root }}
{{- end }}
{{- include "strongroom.toml.table" (dict "head" "\n[admin]" "values" (include "strongroom.config.admin" . | fromYaml)) }}
{{- include "strongroom.toml.table" (dict "head" "\n[log]" "values" .root.Values.log) }}
{{- include "strongroom.toml.table" (dict "head" "\n[telemetry]" "values" .root.Values.telemetry) }}
{{- end }}

{{/* Probes and scrapers come from other machines. */}}
{{- define "strongroom.config.admin" -}}
listen: {{ printf "%s:%d" .root.Values.bindAddress (ternary 7611 7612 (eq .component "vault")) | quote }}
{{- end }}

{{- define "strongroom.config.vault" -}}
{{- $set := dict
  "listen" (printf "%s:7601" .Values.bindAddress)
  "root_key_file" "/etc/strongroom/root-key/root.key"
  "admin_token_file" "/etc/strongroom/tokens/admin.token"
  "backup_token_file" "/etc/strongroom/tokens/backup.token" }}
{{- $previous := list }}
{{- range $at, $_ := .Values.vault.previousRootKeys }}
{{- $previous = append $previous (printf "/etc/strongroom/previous-root-keys/%d.key" $at) }}
{{- end }}
{{- with $previous }}
{{- $_ := set $set "previous_root_key_files" . }}
{{- end }}
{{- $database := include "strongroom.database.config" (dict "root" . "component" "vault") | fromYaml }}
{{- $values := mergeOverwrite (deepCopy .Values.vault.config) $set $database (include "strongroom.config.tls" . | fromYaml) }}
{{- include "strongroom.toml.table" (dict "head" "[vault]" "values" $values) }}
{{- end }}

{{- define "strongroom.config.backup" -}}
{{- $app := mergeOverwrite (deepCopy .Values.app) (dict "name" (default .Release.Name .Values.app.name)) }}
{{- include "strongroom.toml.table" (dict "head" "[app]" "values" $app) }}
{{- $staging := dict "staging_limit_bytes" (include "strongroom.stagingLimit" . | int64) }}
{{- $set := dict
  "listen" (printf "%s:7602" .Values.bindAddress)
  "token_file" "/etc/strongroom/tokens/backup.token"
  "staging_dir" "/var/lib/strongroom/staging"
  "vault" (include "strongroom.config.target" . | fromYaml) }}
{{- $database := include "strongroom.database.config" (dict "root" . "component" "backup") | fromYaml }}
{{- $values := mergeOverwrite $staging (deepCopy .Values.backup.config) $set $database (include "strongroom.config.tls" . | fromYaml) }}
{{- include "strongroom.toml.table" (dict "head" "\n[backup]" "values" $values) }}
{{- include "strongroom.toml.table" (dict "head" "\n[seal]" "values" .Values.seal) }}
{{- range .Values.sources }}
{{- include "strongroom.toml.table" (dict "head" "\n[[sources]]" "values" .) }}
{{- end }}
{{- include "strongroom.destinations.config" . }}
{{- include "strongroom.drill.config" . }}
{{- end }}

{{/* How the backup service reaches the vault. */}}
{{- define "strongroom.config.target" -}}
url: {{ include "strongroom.url" (dict "root" . "component" "vault") }}
{{- if eq .Values.tls.mode "none" }}
plaintext: true
{{- else }}
{{- if not .Values.tls.ca.system }}
ca_file: /etc/strongroom/ca/ca.crt
{{- end }}
{{- if include "strongroom.tls.hasClientCA" . }}
cert_file: /etc/strongroom/tls/tls.crt
key_file: /etc/strongroom/tls/tls.key
{{- end }}
{{- end }}
{{- end }}

{{/* Settings for a service's own certificate. */}}
{{- define "strongroom.config.tls" -}}
{{- if eq .Values.tls.mode "none" -}}
plaintext: true
{{- else -}}
tls:
  cert_file: /etc/strongroom/tls/tls.crt
  key_file: /etc/strongroom/tls/tls.key
  {{- if include "strongroom.tls.hasClientCA" . }}
  client_ca_file: /etc/strongroom/client-ca/ca.crt
  client_certs: {{ .Values.tls.clientCA.mode }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A sixteenth of the volume stays free: the kubelet evicts a pod whose emptyDir exceeds its limit. */}}
{{- define "strongroom.stagingLimit" -}}
{{- $powers := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- $unit := regexFind "[A-Za-z]+$" .Values.backup.staging.size }}
{{- $bytes := mul (trimSuffix $unit .Values.backup.staging.size | int64) (get $powers $unit) }}
{{- sub $bytes (div $bytes 16) }}
{{- end }}
