{{/*
Values as TOML. Helm's own toToml writes integers in a values file as floats (3600.0), because Helm parses YAML numbers as
floats. JSON has only one kind of number, and its strings, numbers and booleans are valid TOML.
*/}}

{{/* A value: JSON, except for tables, U+007F, which TOML requires to be escaped, and U+0085, which YAML treats as a line break.
Keys without a value are left out. */}}
{{- define "strongroom.toml.value" -}}
{{- if kindIs "map" . }}
{{- $pairs := list }}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{- $pairs = append $pairs (printf "%s = %s" (include "strongroom.toml.key" $key) (include "strongroom.toml.value" $value)) }}
{{- end }}
{{- end }}
{{- printf "{ %s }" (join ", " $pairs) }}
{{- else if kindIs "slice" . }}
{{- $elements := list }}
{{- range . }}
{{- $elements = append $elements (include "strongroom.toml.value" .) }}
{{- end }}
{{- printf "[%s]" (join ", " $elements) }}
{{- else }}
{{- toRawJson . | replace "\x7f" "\\u007f" | replace "\u0085" "\\u0085" }}
{{- end }}
{{- end }}

{{- define "strongroom.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toRawJson . }}{{ end }}
{{- end }}

{{/* A table, or one element of an array of tables, with its "head". */}}
{{- define "strongroom.toml.table" -}}
{{ .head }}
{{- range $key, $value := .values }}
{{- if not (kindIs "invalid" $value) }}
{{ include "strongroom.toml.key" $key }} = {{ include "strongroom.toml.value" $value }}
{{- end }}
{{- end }}
{{ end }}
