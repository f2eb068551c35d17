{{- define "finops.name" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "finops.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "finops.labels" -}}
{{ include "finops.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* A value as quoted text. Numbers come as floats, and a large one would be written as 1.6777216e+07. */}}
{{- define "finops.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{- . | int64 | toString | quote -}}
{{- else -}}
{{- . | toString | quote -}}
{{- end -}}
{{- end -}}

{{/* Settings as variables: a.b_c is FINOPS_A_B_C. */}}
{{- define "finops.variables" -}}
{{- range $key, $value := . }}
FINOPS_{{ $key | replace "." "_" | upper }}: {{ include "finops.text" $value }}
{{- end }}
{{- end -}}

{{/* The pods of a role: (dict "root" $ "role" name "values" values). */}}
{{- define "finops.pod" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "finops.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
  annotations:
    # Changed settings start new pods.
    checksum/config: {{ include (print $root.Template.BasePath "/config.yaml") $root | sha256sum }}
spec:
  serviceAccountName: {{ include "finops.name" $root }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .role }}
      image: "{{ $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}"
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [{{ .role }}, run]
      env:
        - { name: FINOPS_TELEMETRY_SERVICE_NAME, value: finops-{{ .role }} }
        {{- range $key, $value := .values.config }}
        - { name: FINOPS_{{ $key | replace "." "_" | upper }}, value: {{ include "finops.text" $value }} }
        {{- end }}
      envFrom:
        - configMapRef: { name: {{ include "finops.name" $root }} }
        {{- if $root.Values.secrets }}
        - secretRef: { name: {{ include "finops.name" $root }} }
        {{- end }}
        {{- with $root.Values.existingSecret }}
        - secretRef: { name: {{ . }} }
        {{- end }}
      ports:
        - { name: http, containerPort: 9464 }
      startupProbe:
        httpGet: { path: /live, port: http }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /live, port: http }
        periodSeconds: 20
        timeoutSeconds: 5
      readinessProbe:
        httpGet: { path: /ready, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
      resources: {{- toYaml .values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: data, mountPath: /data }
        - { name: tmp, mountPath: /tmp }
{{- end -}}
