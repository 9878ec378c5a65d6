{{- define "spanloom.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for "-headless" and the suffixes Kubernetes adds to the names of pods. */}}
{{- define "spanloom.fullname" -}}
{{- $name := include "spanloom.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Never change these: they are immutable on a StatefulSet. */}}
{{- define "spanloom.selectorLabels" -}}
app.kubernetes.io/name: {{ include "spanloom.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "spanloom.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "spanloom.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: collector
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "spanloom.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "spanloom.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "spanloom.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/*
Port of a listener. What listens on loopback is out of reach of the Service and of probes.
Takes a dict: key (where it stands in config) and endpoint.
*/}}
{{- define "spanloom.port" -}}
{{- $endpoint := .endpoint | default "" | toString }}
{{- $host := regexReplaceAll ":[0-9]+$" $endpoint "" }}
{{- $isLoopback := or (hasPrefix "127." $host) (has $host (list "localhost" "::1" "[::1]")) }}
{{- if or (not (regexMatch ":[0-9]+$" $endpoint)) $isLoopback }}
{{- fail (printf "config.%s.endpoint is %q: in a pod it must name a port and an address that others reach, for example \":4317\"" .key $endpoint) }}
{{- end }}
{{- regexFind "[0-9]+$" $endpoint }}
{{- end }}

{{/* The container's ports as YAML: name → number, as config has them. */}}
{{- define "spanloom.ports" -}}
{{- $receivers := .Values.config.receivers | default dict }}
{{- $otlp := $receivers.otlp | default dict }}
{{- range $protocol, $server := $otlp.protocols }}
{{- if has $protocol (list "grpc" "http") }}
{{- $endpoint := ($server | default dict).endpoint }}
{{ $protocol }}: {{ include "spanloom.port" (dict "key" (printf "receivers.otlp.protocols.%s" $protocol) "endpoint" $endpoint) }}
{{- end }}
{{- end }}
admin: {{ include "spanloom.port" (dict "key" "service.admin" "endpoint" (dig "service" "admin" "endpoint" "" .Values.config)) }}
{{- end }}

{{/* Whole seconds of a duration like "1m30s", rounded up. */}}
{{- define "spanloom.seconds" -}}
{{- $factors := dict "d" 86400 "h" 3600 "m" 60 "s" 1 "ms" 0.001 }}
{{- $total := 0.0 }}
{{- $parts := regexFindAll "[0-9.]+(ms|[dhms])" . -1 }}
{{- if ne (join "" $parts) . }}
{{- fail (printf "config.service.shutdown_timeout is %q: write for example 30s or 1m30s" .) }}
{{- end }}
{{- range $parts }}
{{- $unit := regexFind "[a-z]+$" . }}
{{- $total = addf $total (mulf (trimSuffix $unit . | float64) (get $factors $unit)) }}
{{- end }}
{{- ceil $total | int }}
{{- end }}

{{/* Receivers and connections take up to ten seconds to close, exporters up to the timeout. */}}
{{- define "spanloom.gracePeriod" -}}
{{- $timeout := include "spanloom.seconds" (dig "service" "shutdown_timeout" "30s" .Values.config | toString) | int }}
{{- $given := .Values.terminationGracePeriodSeconds }}
{{- if kindIs "invalid" $given }}
{{- add $timeout 30 }}
{{- else if lt (int $given) (add $timeout 10 | int) }}
{{- fail (printf "terminationGracePeriodSeconds is %d: it must be config.service.shutdown_timeout (%ds) and at least 10s more, or the collector is killed while it delivers" (int $given) $timeout) }}
{{- else }}
{{- int $given }}
{{- end }}
{{- end }}

{{/* MiB of a Kubernetes quantity, rounded down. */}}
{{- define "spanloom.mebibytes" -}}
{{- $factors := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- $unit := regexFind "[A-Za-z]*$" . }}
{{- if not (hasKey $factors $unit) }}
{{- fail (printf "resources: memory is %q: write for example 2Gi" .) }}
{{- end }}
{{- divf (mulf (trimSuffix $unit . | float64) (get $factors $unit)) 1048576 | floor | int }}
{{- end }}

{{/* Thousandths of a core of a Kubernetes quantity. */}}
{{- define "spanloom.millicores" -}}
{{- if regexMatch "^[0-9]+m$" . }}
{{- trimSuffix "m" . | int }}
{{- else if regexMatch "^[0-9]*[.]?[0-9]+$" . }}
{{- mulf (float64 .) 1000 | ceil | int }}
{{- else }}
{{- fail (printf "resources: cpu is %q: write for example 500m or 2" .) }}
{{- end }}
{{- end }}
