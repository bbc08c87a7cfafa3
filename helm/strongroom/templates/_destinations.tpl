{{/*
Where backups are stored. A destination names Secrets and volume claims; the configuration names the files and directories
that these become. Volumes are named after the destination's index in the list, because its name might not be a valid volume name.
*/}}

{{/* The [[destinations]] of the configuration, each as one line of JSON. */}}
{{- define "strongroom.destinations.config" -}}
{{- range .Values.backup.destinations }}
{{- $config := omit . "credentials" "ca" "existingClaim" }}
{{- if .existingClaim }}
{{- $_ := set $config "url" (printf "file://%s" (include "strongroom.destinations.folder" .)) }}
{{- end }}
{{- with .credentials }}
{{- $_ := set $config "credentials_file" (printf "/etc/strongroom/destinations/%s/credentials/credentials" $config.name) }}
{{- end }}
{{- with .ca }}
{{- $_ := set $config "ca_file" (printf "/etc/strongroom/destinations/%s/ca/ca.crt" $config.name) }}
{{- end }}
{{- include "strongroom.toml.table" (dict "head" "\n[[destinations]]" "values" $config) }}
{{- end }}
{{- end }}

{{- define "strongroom.destinations.folder" -}}
/var/lib/strongroom/destinations/{{ .name }}
{{- end }}

{{- define "strongroom.destinations.mounts" -}}
{{- range $at, $destination := .Values.backup.destinations }}
{{- if .existingClaim }}
- name: destination-{{ $at }}
  mountPath: {{ include "strongroom.destinations.folder" . }}
{{- end }}
{{- if .credentials }}
- name: destination-{{ $at }}-credentials
  mountPath: /etc/strongroom/destinations/{{ .name }}/credentials
  readOnly: true
{{- end }}
{{- if .ca }}
- name: destination-{{ $at }}-ca
  mountPath: /etc/strongroom/destinations/{{ .name }}/ca
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "strongroom.destinations.volumes" -}}
{{- range $at, $destination := .Values.backup.destinations }}
{{- with .existingClaim }}
- name: destination-{{ $at }}
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- with .credentials }}
- name: destination-{{ $at }}-credentials
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ default "credentials" .key }}
        path: credentials
{{- end }}
{{- with .ca }}
{{ $from := merge (dict) . (dict "existingSecret" "" "existingConfigMap" "" "key" "ca.crt") }}
{{- include "strongroom.tls.authorities" (dict "name" (printf "destination-%d-ca" $at) "from" $from "secret" "") }}
{{- end }}
{{- end }}
{{- end }}

{{/* The ports of S3 services, without duplicates; empty if there are none. */}}
{{- define "strongroom.destinations.ports" -}}
{{- $ports := list }}
{{- range .Values.backup.destinations }}
{{- if hasPrefix "s3:" (default "" .url) }}
{{- $endpoint := default "https://" .endpoint }}
{{- $port := regexFind ":[0-9]+/?$" $endpoint | trimPrefix ":" | trimSuffix "/" }}
{{- $ports = append $ports (default (ternary "80" "443" (hasPrefix "http://" $endpoint)) $port | int) }}
{{- end }}
{{- end }}
{{- range uniq $ports }}
- port: {{ . }}
{{- end }}
{{- end }}
