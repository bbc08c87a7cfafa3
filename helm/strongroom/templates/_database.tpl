{{/*
The database of a service: a SQLite file on a volume, which only one process may open, or PostgreSQL with the URL in a Secret.
Each helper takes (dict "root" $ "component" "vault").
*/}}
{{- define "strongroom.database.config" -}}
{{- if include "strongroom.database.isEmbedded" . }}
database_url: sqlite:/var/lib/strongroom/data/{{ .component }}.db
{{- else }}
database_url_file: /etc/strongroom/database/url
{{- end }}
{{- end }}

{{- define "strongroom.database.isEmbedded" -}}
{{- if eq (index .root.Values .component).database.kind "sqlite" }}yes{{ end }}
{{- end }}

{{- define "strongroom.database.strategy" -}}
strategy:
  {{- if include "strongroom.database.isEmbedded" . }}
  # Two processes must not open one SQLite file.
  type: Recreate
  {{- else }}
  type: RollingUpdate
  rollingUpdate:
    maxUnavailable: 0
    maxSurge: 1
  {{- end }}
{{- end }}

{{- define "strongroom.database.mount" -}}
{{- if include "strongroom.database.isEmbedded" . -}}
- name: data
  mountPath: /var/lib/strongroom/data
{{- else -}}
- name: database
  mountPath: /etc/strongroom/database
  readOnly: true
{{- end }}
{{- end }}

{{- define "strongroom.database.volume" -}}
{{- $database := (index .root.Values .component).database }}
{{- if include "strongroom.database.isEmbedded" . -}}
- name: data
  persistentVolumeClaim:
    claimName: {{ default (include "strongroom.componentName" .) $database.sqlite.existingClaim }}
{{- else -}}
- name: database
  secret:
    secretName: {{ $database.postgres.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ $database.postgres.key }}
        path: url
{{- end }}
{{- end }}
