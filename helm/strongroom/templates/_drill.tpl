{{/*
Where drills restore backups: a PostgreSQL server whose URL is in a Secret, a volume for SQLite, or both.
*/}}
{{- define "strongroom.drill.config" -}}
{{- $drill := dict }}
{{- with .Values.backup.drill }}
{{- if .postgres.existingSecret }}
{{- $_ := set $drill "scratch_url_file" "/etc/strongroom/drill/url" }}
{{- with .postgres.template }}
{{- $_ := set $drill "scratch_template" . }}
{{- end }}
{{- end }}
{{- if .sqlite.size }}
{{- $_ := set $drill "scratch_dir" "/var/lib/strongroom/scratch" }}
{{- end }}
{{- end }}
{{- with $drill }}
{{- include "strongroom.toml.table" (dict "head" "\n[drill]" "values" .) }}
{{- end }}
{{- end }}

{{- define "strongroom.drill.mounts" -}}
{{- with .Values.backup.drill }}
{{- if .postgres.existingSecret }}
- name: drill
  mountPath: /etc/strongroom/drill
  readOnly: true
{{- end }}
{{- if .sqlite.size }}
- name: scratch
  mountPath: /var/lib/strongroom/scratch
{{- end }}
{{- end }}
{{- end }}

{{- define "strongroom.drill.volumes" -}}
{{- with .Values.backup.drill }}
{{- if .postgres.existingSecret }}
- name: drill
  secret:
    secretName: {{ .postgres.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .postgres.key }}
        path: url
{{- end }}
{{- if .sqlite.size }}
- name: scratch
  emptyDir:
    sizeLimit: {{ .sqlite.size }}
{{- end }}
{{- end }}
{{- end }}
