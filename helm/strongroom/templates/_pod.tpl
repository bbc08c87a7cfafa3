{{/*
Common parts of all pods: the restricted Pod Security Standard, which no value can weaken, and scheduling.
*/}}
{{- define "strongroom.podSecurity" -}}
automountServiceAccountToken: false
# Variables such as STRONGROOM_VAULT_PORT would mix with the programs' own.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- range $key, $value := .Values.podSecurityContext }}
  {{- if not (kindIs "invalid" $value) }}
  {{ $key }}: {{ $value }}
  {{- end }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "strongroom.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop:
      - ALL
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "strongroom.podTemplateMetadata" -}}
{{- $values := index .root.Values .component }}
{{- $checksum := dict "checksum/config" (include "strongroom.config" . | sha256sum) }}
{{- $annotations := mergeOverwrite (dict) .root.Values.commonAnnotations $values.podAnnotations $checksum -}}
labels:
  {{- $selector := include "strongroom.selector" . | fromYaml }}
  {{- mergeOverwrite (dict) .root.Values.commonLabels $values.podLabels $selector | toYaml | nindent 2 }}
annotations:
  {{- toYaml $annotations | nindent 2 }}
{{- end }}

{{- define "strongroom.placement" -}}
{{- $values := index .root.Values .component }}
{{- $selector := include "strongroom.selector" . | fromYaml -}}
topologySpreadConstraints:
  {{- range $values.topologySpreadConstraints }}
  - {{- mergeOverwrite (dict "labelSelector" (dict "matchLabels" $selector)) . | toYaml | nindent 4 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- toYaml $selector | nindent 8 }}
    # Per revision, so that during a rollout old pods do not push new ones together.
    matchLabelKeys:
      - pod-template-hash
  {{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "strongroom.probes" -}}
{{- $probes := (index .root.Values .component).probes -}}
startupProbe:
  httpGet:
    path: /livez
    port: admin
  {{- toYaml $probes.startup | nindent 2 }}
livenessProbe:
  httpGet:
    path: /livez
    port: admin
  {{- toYaml $probes.liveness | nindent 2 }}
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  {{- toYaml $probes.readiness | nindent 2 }}
{{- end }}

{{/* The kubelet counts the sleep as part of the grace period. */}}
{{- define "strongroom.gracePeriod" -}}
{{- $values := index .root.Values .component }}
{{- $sleeps := include "strongroom.canOverlap" . }}
{{- add $values.terminationGracePeriodSeconds (ternary $values.preStopSleepSeconds 0 (ne $sleeps "")) }}
{{- end }}

{{- define "strongroom.lifecycle" -}}
{{- $values := index .root.Values .component }}
{{- if and (include "strongroom.canOverlap" .) $values.preStopSleepSeconds }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ $values.preStopSleepSeconds }}
{{- end }}
{{- end }}

{{/* Whether another pod can serve while one stops: not with SQLite, which only one process may open. */}}
{{- define "strongroom.canOverlap" -}}
{{- if not (include "strongroom.database.isEmbedded" .) }}yes{{ end }}
{{- end }}

{{- define "strongroom.extraVolumes" -}}
{{- $values := index .root.Values .component }}
{{- range $values.extraSecretMounts }}
- name: {{ .name }}
  secret:
    secretName: {{ .secretName }}
    defaultMode: 0440
    {{- with .items }}
    items:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- with $values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "strongroom.extraMounts" -}}
{{- $values := index .root.Values .component }}
{{- range $values.extraSecretMounts }}
- name: {{ .name }}
  mountPath: {{ .mountPath }}
  readOnly: true
{{- end }}
{{- with $values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
