{{/* A command of the test. */}}
{{- define "strongroom.test.step" -}}
{{- $tls := .root.Values.tls -}}
- name: {{ .name }}
  image: {{ include "strongroom.image" . }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command:
    - /strongroom
  args:
    {{- toYaml .args | nindent 4 }}
  env:
    - name: POD_UID
      valueFrom:
        fieldRef:
          fieldPath: metadata.uid
    - name: STRONGROOM_VAULT_URL
      value: {{ include "strongroom.url" (dict "root" .root "component" "vault") }}
    - name: STRONGROOM_BACKUP_URL
      value: {{ include "strongroom.url" (dict "root" .root "component" "backup") }}
    - name: STRONGROOM_TOKEN_FILE
      value: /etc/strongroom/tokens/admin.token
    {{- if eq $tls.mode "none" }}
    - name: STRONGROOM_PLAINTEXT
      value: "true"
    {{- else if not $tls.ca.system }}
    - name: STRONGROOM_CA_FILE
      value: /etc/strongroom/ca/ca.crt
    {{- end }}
    {{- if include "strongroom.tls.hasClientCA" .root }}
    - name: STRONGROOM_CERT_FILE
      value: /etc/strongroom/tls/tls.crt
    - name: STRONGROOM_KEY_FILE
      value: /etc/strongroom/tls/tls.key
    {{- end }}
  {{- include "strongroom.containerSecurity" .root | nindent 2 }}
  resources:
    {{- toYaml .root.Values.test.resources | nindent 4 }}
  volumeMounts:
    - name: tokens
      mountPath: /etc/strongroom/tokens
      readOnly: true
    - name: pod
      mountPath: /etc/strongroom/pod
      readOnly: true
    - name: archive
      mountPath: /archive
    {{- if include "strongroom.tls.hasClientCA" .root }}
    - name: tls
      mountPath: /etc/strongroom/tls
      readOnly: true
    {{- end }}
    {{- if and (ne $tls.mode "none") (not $tls.ca.system) }}
    - name: ca
      mountPath: /etc/strongroom/ca
      readOnly: true
    {{- end }}
{{- end }}
