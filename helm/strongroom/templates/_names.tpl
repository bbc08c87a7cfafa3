{{/*
Names, labels and images of all objects. Each helper of a component takes (dict "root" $ "component" "vault").
Helm limits release names to 53 characters; with the longest suffix a name stays within the 63 of a DNS label.
*/}}
{{- define "strongroom.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 45 | trimSuffix "-" }}
{{- end }}

{{- define "strongroom.fullname" -}}
{{- $name := include "strongroom.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 45 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "strongroom.componentName" -}}
{{- printf "%s-%s" (include "strongroom.fullname" .root) .component }}
{{- end }}

{{/* Never changed: a Deployment's selector is immutable. */}}
{{- define "strongroom.selector" -}}
app.kubernetes.io/name: {{ include "strongroom.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* "labels", if given, are for this object alone. */}}
{{- define "strongroom.labels" -}}
{{- $own := include "strongroom.selector" . | fromYaml }}
{{- $chart := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63)
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" "strongroom" }}
{{- mergeOverwrite (dict) .root.Values.commonLabels (default dict .labels) $chart $own | toYaml }}
{{- end }}

{{/* "annotations", if given, are for this object alone. Without any annotation there is no output. */}}
{{- define "strongroom.annotations" -}}
{{- with mergeOverwrite (dict) .root.Values.commonAnnotations (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The head of an object: its metadata without the key `metadata`. */}}
{{- define "strongroom.metadata" -}}
name: {{ default (include "strongroom.componentName" .) .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "strongroom.labels" . | nindent 2 }}
{{- include "strongroom.annotations" . }}
{{- end }}

{{- define "strongroom.serviceAccountName" -}}
{{- $account := (index .root.Values .component).serviceAccount }}
{{- if $account.name }}
{{- $account.name }}
{{- else if $account.create }}
{{- include "strongroom.componentName" . }}
{{- else }}
{{- "default" }}
{{- end }}
{{- end }}

{{/* A digest takes precedence over a tag. */}}
{{- define "strongroom.image" -}}
{{- $image := (index .root.Values .component).image }}
{{- $name := $image.repository }}
{{- with .root.Values.image.registry }}
{{- $name = printf "%s/%s" (trimSuffix "/" .) $name }}
{{- end }}
{{- if $image.digest }}
{{- printf "%s@%s" $name $image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{/* The URL at which clients in the cluster reach a service. */}}
{{- define "strongroom.url" -}}
{{- $scheme := ternary "http" "https" (eq .root.Values.tls.mode "none") }}
{{- $port := ternary 7601 7602 (eq .component "vault") }}
{{- printf "%s://%s.%s.svc:%d" $scheme (include "strongroom.componentName" .) .root.Release.Namespace $port }}
{{- end }}
