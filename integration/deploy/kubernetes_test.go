package deploy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// documents are the documents of a file.
func documents(t *testing.T, path string) [][]byte {
	t.Helper()
	var all [][]byte
	for _, text := range bytes.Split(read(t, path), []byte("\n---\n")) {
		all = append(all, text)
	}
	return all
}

// strictly decodes a document into its type, and refuses fields that the type lacks.
func strictly(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
}

// workload is a pod template, and what else a file says of it.
type workload struct {
	name     string
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
}

func TestKubernetesManifests(t *testing.T) {
	program := daemon(t)
	for _, path := range []string{"kubernetes/statefulset.yaml", "kubernetes/daemonset.yaml", "ai-gateway/ratelimit.yaml"} {
		t.Run(path, func(t *testing.T) { judge(t, program, documents(t, path)) })
	}
}

// judge decodes the manifests of one workload strictly into their types, compares what selects with
// what is selected, and lets the daemon judge its settings.
func judge(t *testing.T, program string, documents [][]byte) {
	t.Helper()
	maps := map[string]corev1.ConfigMap{}
	var services []corev1.Service
	var work []workload
	for _, text := range documents {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(text, &kind); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 ConfigMap":
			var c corev1.ConfigMap
			strictly(t, text, &c)
			maps[c.Name] = c
		case "v1 Service":
			var s corev1.Service
			strictly(t, text, &s)
			services = append(services, s)
		case "policy/v1 PodDisruptionBudget":
			strictly(t, text, new(policyv1.PodDisruptionBudget))
		case "apps/v1 StatefulSet":
			var s appsv1.StatefulSet
			strictly(t, text, &s)
			work = append(work, workload{s.Name, s.Spec.Selector, s.Spec.Template})
		case "apps/v1 DaemonSet":
			var d appsv1.DaemonSet
			strictly(t, text, &d)
			work = append(work, workload{d.Name, d.Spec.Selector, d.Spec.Template})
		default:
			t.Errorf("nothing tests a %s of %s", kind.Kind, kind.APIVersion)
		}
	}
	if len(work) != 1 {
		t.Fatalf("%d workloads", len(work))
	}
	w := work[0]
	for k, v := range w.selector.MatchLabels {
		if w.template.Labels[k] != v {
			t.Errorf("%s selects %s=%s, which its pods lack", w.name, k, v)
		}
	}
	for _, s := range services {
		for k, v := range s.Spec.Selector {
			if w.template.Labels[k] != v {
				t.Errorf("service %s selects %s=%s, which no pod has", s.Name, k, v)
			}
		}
	}
	run(t, program, &w, maps)
}

// run lets the daemon judge the arguments and the environment of a pod's container, with the
// files that its volumes bring.
func run(t *testing.T, program string, w *workload, maps map[string]corev1.ConfigMap) {
	t.Helper()
	c := w.template.Spec.Containers[0]
	var moves []string
	for _, m := range c.VolumeMounts {
		files := map[string]string{"cluster-key": strings.Repeat("k", 32)}
		for _, v := range w.template.Spec.Volumes {
			if v.Name == m.Name && v.ConfigMap != nil {
				files = maps[v.ConfigMap.Name].Data
				if len(files) == 0 {
					t.Errorf("volume %s has no files", v.Name)
				}
			}
		}
		moves = append(moves, m.MountPath, place(t, files))
	}
	values := map[string]string{}
	var env []string
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			if e.ValueFrom.FieldRef == nil || e.ValueFrom.FieldRef.FieldPath != "metadata.name" {
				t.Errorf("%s comes from something that the test does not know", e.Name)
			}
			value = w.name + "-0"
		}
		for name, text := range values { // as Kubernetes does, of variables above
			value = strings.ReplaceAll(value, "$("+name+")", text)
		}
		values[e.Name] = value
		env = append(env, e.Name+"="+strings.NewReplacer(moves...).Replace(value))
	}
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = a
		for k := 0; k < len(moves); k += 2 {
			if rest, under := strings.CutPrefix(a, moves[k]); under {
				args[i] = moves[k+1] + rest
			}
		}
	}
	check(t, program, env, args)
}

func TestEnvoyGateway(t *testing.T) {
	var g egv1a1.EnvoyGateway
	strictly(t, read(t, "envoy-gateway/envoy-gateway.yaml"), &g)
	d := g.Provider.Kubernetes.RateLimitDeployment
	if d == nil || d.Container == nil || d.Container.Image == nil || g.RateLimit.Backend.Type != egv1a1.RedisBackendType {
		t.Errorf("got %+v", g)
	}
	var p egv1a1.BackendTrafficPolicy
	strictly(t, read(t, "envoy-gateway/policy.yaml"), &p)
	if p.Spec.RateLimit == nil || len(p.Spec.RateLimit.Global.Rules) != 1 || p.Spec.RateLimit.Global.Rules[0].Limit.Unit != egv1a1.RateLimitUnitMinute {
		t.Errorf("got %+v", p.Spec)
	}
}

// TestAIGatewayValues compares the values with the manifest: the service of that name and
// namespace is there.
func TestAIGatewayValues(t *testing.T) {
	var v struct {
		Controller struct {
			Addr string `json:"quotaRateLimitServiceAddr"`
		} `json:"controller"`
	}
	strictly(t, read(t, "ai-gateway/values.yaml"), &v)
	var s corev1.Service
	strictly(t, documents(t, "ai-gateway/ratelimit.yaml")[0], &s)
	if want := fmt.Sprintf("%s.%s", s.Name, s.Namespace); v.Controller.Addr != want || s.Spec.Ports[0].Port != 8081 {
		t.Errorf("got %q, the service is %q", v.Controller.Addr, want)
	}
}
