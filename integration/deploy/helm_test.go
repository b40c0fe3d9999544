package deploy

import (
	"path"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// render makes the chart's manifests and notes as `helm install edge` does, with values in YAML.
func render(t *testing.T, values string) (documents [][]byte, notes string, err error) {
	t.Helper()
	chart, err := loader.Load(folder + "/helm/ratelimitd")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	all, err := util.ToRenderValues(chart, given, common.ReleaseOptions{Name: "edge", Namespace: "gateways", IsInstall: true}, nil)
	if err != nil {
		return nil, "", err
	}
	files, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		switch path.Ext(name) {
		case ".yaml":
			for _, one := range strings.Split(text, "\n---\n") {
				documents = append(documents, []byte(one))
			}
		case ".txt":
			notes = text
		}
	}
	slices.SortFunc(documents, slices.Compare)
	return documents, notes, nil
}

func TestHelmChart(t *testing.T) {
	program := daemon(t)
	for name, c := range map[string]struct {
		values     string
		has, lacks []string
	}{
		"as it comes": {"", []string{
			"nats://edge-ratelimitd-0.edge-ratelimitd-peers:6222,nats://edge-ratelimitd-1.edge-ratelimitd-peers:6222,nats://edge-ratelimitd-2.edge-ratelimitd-peers:6222",
			"RATELIMITD_NATS_CLUSTER", "emptyDir",
		}, []string{"grpc", "volumeClaimTemplates"}},
		"one node":         {"replicas: 1", []string{"value: nats://edge-ratelimitd-0.edge-ratelimitd-peers:6222\n"}, []string{"edge-ratelimitd-1"}},
		"an external NATS": {"nats: nats://nats:4222", []string{"RATELIMITD_NATS\n"}, []string{"6222", "ROUTES"}},
		"all of it": {`
replicas: 5
image: {repository: example.org/limits/ratelimitd, tag: "1.2"}
config:
  max_clients: 1000
  limits:
    default: {limit: 10, window: 1}
    login: {limit: 5, window: 1h, algorithm: sliding_window}
envoyRules:
  edge.yaml: |
    domain: edge
    descriptors:
      - key: remote_address
        rate_limit: {unit: minute, requests_per_unit: 100}
persistence: {enabled: true, size: 2Gi, storageClass: fast}
env: [{name: RATELIMITD_MAX_OVERSHOOT, value: "0.05"}]
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{operator: Exists}]
affinity: {nodeAffinity: {}}
podAnnotations: {}
`, []string{"RATELIMITD_ENVOY_CONFIG", "appProtocol: grpc", "storageClassName: fast", "example.org/limits/ratelimitd:1.2", "edge-ratelimitd-4"}, []string{"emptyDir"}},
	} {
		t.Run(name, func(t *testing.T) {
			documents, notes, err := render(t, c.values)
			if err != nil {
				t.Fatal(err)
			}
			judge(t, program, documents)
			text := ""
			for _, d := range documents {
				text += string(d) + "\n"
			}
			for _, want := range c.has {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing", want)
				}
			}
			for _, bad := range c.lacks {
				if strings.Contains(text, bad) {
					t.Errorf("%q is there", bad)
				}
			}
			if !strings.Contains(notes, "service/edge-ratelimitd 8080") {
				t.Errorf("the notes are %q", notes)
			}
		})
	}
}

// A change of settings replaces the pods, one of limits does not: the daemon follows its files.
func TestHelmChartRestartsForSettingsOnly(t *testing.T) {
	sum := func(values string) string {
		documents, _, err := render(t, values)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range documents {
			if _, after, some := strings.Cut(string(d), "checksum/settings: "); some {
				line, _, _ := strings.Cut(after, "\n")
				return line
			}
		}
		t.Fatal("there is no sum")
		return ""
	}
	before := sum("config: {max_clients: 10, limits: {a: {limit: 1, window: 1}}}")
	if got := sum("config: {max_clients: 10, limits: {a: {limit: 2, window: 1}}}"); got != before {
		t.Error("a change of a limit replaces the pods")
	}
	if got := sum("config: {max_clients: 11, limits: {a: {limit: 1, window: 1}}}"); got == before {
		t.Error("a change of a setting does not replace the pods")
	}
}

func TestHelmChartRefusesBadValues(t *testing.T) {
	for _, c := range [][2]string{
		{"replicas: 0", "replicas"},
		{"replicas: three", "replicas"},
		{"replica: 3", "replica"},
		{"image: {repo: a}", "repo"},
		{"secret: \"\"", "secret"},
		{"envoyRules: {a.yaml: {domain: a}}", "envoyRules"},
		{"persistence: {size: 1}", "size"},
	} {
		if _, _, err := render(t, c[0]); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v", c[0], err)
		}
	}
}
