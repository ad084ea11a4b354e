{{- define "telex.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "telex.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := include "telex.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "telex.selector" -}}
app.kubernetes.io/name: {{ include "telex.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "telex.labels" -}}
{{ include "telex.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The files of secrets.path: the seed's, and those that were listed. */}}
{{- define "telex.secrets" -}}
{{- $section := index .Values "event-exporter" | default dict }}
{{- if and $section.enabled $section.oidcSecretName }}
- secret:
    name: {{ $section.oidcSecretName }}
    items:
      - key: {{ .Values.oidcSecretKey | quote }}
        path: {{ $section.oidcSecretName | quote }}
{{- end }}
{{- range .Values.secrets }}
- secret:
    name: {{ .secretName }}
    items:
      - key: {{ .key | quote }}
        path: {{ .name | quote }}
{{- end }}
{{- end }}

{{/* telex.yaml: what the chart knows, the section as it is, and over both what `config` says. */}}
{{- define "telex.config" -}}
{{- $name := include "telex.fullname" . }}
{{- $service := printf "%s.%s.svc" $name .Release.Namespace }}
{{- $hosts := list $name (printf "%s.%s" $name .Release.Namespace) $service (printf "%s.cluster.local" $service) }}
{{- $config := dict
      "server" (dict "listen" ":8420" "allowed_hosts" $hosts)
      "state" (dict "path" "/var/lib/telex")
      "secrets" (dict "path" "/etc/telex/secrets")
      "shutdown_timeout" "20s"
      "log" (dict "format" "json") }}
{{- $section := index .Values "event-exporter" | default dict }}
{{- if $section.enabled }}
{{- $_ := set $config "event-exporter" $section }}
{{- if not (dig "exporter" "source" dict $section) }}
{{- $_ := set $config "receive" (dict "events" true) }}
{{- end }}
{{- end }}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) }}
{{- end }}
