{{- define "plinth.labels" -}}
app.kubernetes.io/name: plinth
app.kubernetes.io/part-of: plinth
{{- end -}}

{{- define "plinth.selector" -}}
app.kubernetes.io/name: plinth
app.kubernetes.io/component: controller
{{- end -}}

{{/* Plurals of every claim kind, as a JSON list. */}}
{{- define "plinth.plurals" -}}
{{- concat (.Files.Get "files/plurals.json" | fromJsonArray) .Values.claimKinds | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* The same as items of a YAML list, with a text before and after each: (list $ before after). */}}
{{- define "plinth.each" -}}
{{- $before := index . 1 -}}
{{- $after := index . 2 -}}
{{- range include "plinth.plurals" (index . 0) | fromJsonArray }}
- {{ printf "%s%s%s" $before . $after }}
{{- end -}}
{{- end -}}
