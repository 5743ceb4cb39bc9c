{{/* Labels of everything in this chart. */}}
{{- define "shop.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* What selects the pods; it never changes. */}}
{{- define "shop.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What a size means. */}}
{{- define "shop.sizes" -}}
small: { replicas: 1, handlingSeconds: 60, cpu: 50m, memory: 128Mi }
large: { replicas: 3, handlingSeconds: 300, cpu: 500m, memory: 512Mi }
{{- end }}
