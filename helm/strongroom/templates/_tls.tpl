{{/*
Certificates and authorities as volumes. Private keys and authorities are mounted separately, even if they are in one
Secret.
*/}}
{{- define "strongroom.tls.secretName" -}}
{{- if eq .root.Values.tls.mode "certManager" }}
{{- printf "%s-tls" (include "strongroom.componentName" .) }}
{{- else }}
{{- index .root.Values.tls.existingSecrets .component }}
{{- end }}
{{- end }}

{{- define "strongroom.tls.hasClientCA" -}}
{{- with .Values.tls }}
{{- if and (ne .mode "none") (or .clientCA.existingSecret .clientCA.existingConfigMap) }}yes{{ end }}
{{- end }}
{{- end }}

{{/* The certificate of "component", for a service or for the test, and the services' authorities. */}}
{{- define "strongroom.tls.certificateVolume" -}}
- name: tls
  secret:
    secretName: {{ include "strongroom.tls.secretName" . }}
    defaultMode: 0440
    items:
      - key: tls.crt
        path: tls.crt
      - key: tls.key
        path: tls.key
{{- end }}

{{- define "strongroom.tls.caVolume" -}}
{{- $secret := include "strongroom.tls.secretName" (dict "root" . "component" "backup") }}
{{- include "strongroom.tls.authorities" (dict "name" "ca" "from" .Values.tls.ca "secret" $secret) }}
{{- end }}

{{- define "strongroom.tls.clientCAVolume" -}}
{{- include "strongroom.tls.authorities" (dict "name" "client-ca" "from" .Values.tls.clientCA "secret" "") }}
{{- end }}

{{/* Authorities from "from", or those stored with a certificate in "secret". */}}
{{- define "strongroom.tls.authorities" -}}
- name: {{ .name }}
  {{- if .from.existingConfigMap }}
  configMap:
    name: {{ .from.existingConfigMap }}
    defaultMode: 0444
    items:
      - key: {{ .from.key }}
        path: ca.crt
  {{- else }}
  secret:
    secretName: {{ default .secret .from.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ ternary .from.key "ca.crt" (ne .from.existingSecret "") }}
        path: ca.crt
  {{- end }}
{{- end }}
