{{/* The vault's Secrets: only the named key of each, readable by the pod's group alone. */}}
{{- define "strongroom.vault.secretVolumes" -}}
- name: root-key
  secret:
    secretName: {{ .Values.vault.rootKey.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .Values.vault.rootKey.key }}
        path: root.key
{{- with .Values.vault.previousRootKeys }}
- name: previous-root-keys
  projected:
    defaultMode: 0440
    sources:
      {{- range $at, $key := . }}
      - secret:
          name: {{ $key.existingSecret }}
          items:
            - key: {{ default "root.key" $key.key }}
              path: {{ $at }}.key
      {{- end }}
{{- end }}
- name: tokens
  secret:
    secretName: {{ .Values.tokens.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .Values.tokens.adminKey }}
        path: admin.token
      - key: {{ .Values.tokens.backupKey }}
        path: backup.token
{{- end }}
