{{/* Combinations that would start, and then lose or hide something; or not start, and say so only in the pod's log. */}}
{{- define "spanloom.validate" -}}
{{- $bound := dig "service" "memory" "limit_mib" 0 .Values.config | default 0 | int }}
{{- $limit := dig "limits" "memory" "" .Values.resources | default "" | toString }}
{{- if and $bound $limit }}
{{- $most := include "spanloom.mebibytes" $limit | int }}
{{- if gt $bound (div (mul $most 9) 10 | int) }}
{{- fail (printf "config.service.memory.limit_mib is %d: it must stay under nine tenths of resources.limits.memory (%s), or the pod is killed before the collector refuses" $bound $limit) }}
{{- end }}
{{- end }}
{{- if and .Values.networkPolicy.enabled .Values.serviceMonitor.enabled (not .Values.networkPolicy.adminFrom) }}
{{- fail "serviceMonitor.enabled: networkPolicy.adminFrom must name Prometheus, or it cannot scrape" }}
{{- end }}
{{- if hasKey (.Values.config.service | default dict) "pipelines" | not }}
{{- fail "config.service.pipelines is missing" }}
{{- end }}
{{- include "spanloom.validateResources" . }}
{{- include "spanloom.validateReferences" . }}
{{- include "spanloom.validateSecrets" (dict "value" .Values.config "path" "config") }}
{{- end }}

{{/* Kubernetes refuses limits below requests only when the pod is made, where nobody looks. */}}
{{- define "spanloom.validateResources" -}}
{{- range $resource, $scale := dict "memory" "spanloom.mebibytes" "cpu" "spanloom.millicores" }}
{{- $request := dig "requests" $resource "" ($.Values.resources | default dict) | default "" | toString }}
{{- $limit := dig "limits" $resource "" ($.Values.resources | default dict) | default "" | toString }}
{{- if and $request $limit }}
{{- if lt (include $scale $limit | int) (include $scale $request | int) }}
{{- fail (printf "resources.limits.%s (%s) is below resources.requests.%s (%s)" $resource $limit $resource $request) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Every id a pipeline or service.extensions names must be configured. */}}
{{- define "spanloom.validateReferences" -}}
{{- $config := .Values.config }}
{{- $service := $config.service | default dict }}
{{- range $name, $pipeline := $service.pipelines }}
{{- range $kind := list "receivers" "processors" "exporters" }}
{{- $known := index $config $kind | default dict }}
{{- $connectors := ternary dict ($config.connectors | default dict) (eq $kind "processors") }}
{{- range $id := dig $kind list ($pipeline | default dict) }}
{{- if not (or (hasKey $known $id) (hasKey $connectors $id)) }}
{{- fail (printf "config.service.pipelines.%s names %q, which config.%s does not have (it has %s)" $name $id $kind (keys $known | sortAlpha | join ", " | default "none")) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $id := $service.extensions }}
{{- if not (hasKey ($config.extensions | default dict) $id) }}
{{- fail (printf "config.service.extensions names %q, which config.extensions does not have" $id) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
The configuration becomes a ConfigMap, which everybody in the namespace may read: credentials come by reference.
Takes a dict: value, and path to say where it stands. Keys are those that the collector itself hides
(collector/config/secrets.py); names of files are no secrets.
*/}}
{{- define "spanloom.validateSecrets" -}}
{{- $secret := "(?i)pass(word|wd|phrase)?$|secret|token$|credential|authorization|api[_-]?key|access[_-]?key|private[_-]?key|key_pem$|cookie|dsn$|(^|[_-])salt$|hmac|connection_string|hash_key$" }}
{{- if kindIs "map" .value }}
{{- $path := .path }}
{{- range $key, $value := .value }}
{{- include "spanloom.validateSecrets" (dict "value" $value "path" (printf "%s.%s" $path $key)) }}
{{- end }}
{{- else if kindIs "slice" .value }}
{{- $path := .path }}
{{- range $position, $value := .value }}
{{- include "spanloom.validateSecrets" (dict "value" $value "path" (printf "%s.%d" $path $position)) }}
{{- end }}
{{- else if and (kindIs "string" .value) .value }}
{{- $key := splitList "." .path | last }}
{{- $byName := or (regexMatch $secret $key) (regexMatch "[.]langfuse[.]keys[.]" .path) }}
{{- if and $byName (not (regexMatch "(_file|_path)$" $key)) (not (regexMatch "[$][{](env|file):" .value)) }}
{{- fail (printf "%s holds a credential in plain text: put it in a Secret, name that in extraEnv or extraEnvFrom, and write ${env:NAME} here" .path) }}
{{- end }}
{{- if regexMatch "://[^/@ ]*:[^/@ ]+@" (regexReplaceAll "[$][{][^}]*[}]" .value "") }}
{{- fail (printf "%s holds a password in a URL: put it in a Secret and write ${env:NAME} here" .path) }}
{{- end }}
{{- end }}
{{- end }}
