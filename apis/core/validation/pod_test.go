// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func validPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: namespaced(),
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "c", Image: "i", ImagePullPolicy: "Always", TerminationMessagePolicy: "File",
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{"cpu": resource.MustParse("1")},
					Limits:   corev1.ResourceList{"cpu": resource.MustParse("2")},
				},
			}},
			RestartPolicy: "Always", DNSPolicy: "Default", TerminationGracePeriodSeconds: new(int64(30)),
			SecurityContext: &corev1.PodSecurityContext{},
		},
		Status: corev1.PodStatus{QOSClass: "Burstable"},
	}
}

func TestValidatePod(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*corev1.Pod)
		want   []string
	}{
		{"valid", func(*corev1.Pod) {}, nil},
		{"mirror without node", func(p *corev1.Pod) { p.Annotations = map[string]string{"kubernetes.io/config.mirror": "x"} },
			[]string{`metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set`}},
		{"ephemeral containers", func(p *corev1.Pod) {
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{TargetContainerName: "d", EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "e", Image: "i", ImagePullPolicy: "Always", TerminationMessagePolicy: "File", Lifecycle: &corev1.Lifecycle{}}}}
		}, []string{
			`spec.ephemeralContainers[0].targetContainerName: Not found: "d"`,
			`spec.ephemeralContainers[0].lifecycle: Forbidden: cannot be set for an Ephemeral Container`,
			`spec.ephemeralContainers: Forbidden: cannot be set on create`}},
		{"users that are not the node's", func(p *corev1.Pod) { p.Spec.HostUsers, p.Spec.HostNetwork = new(false), true },
			[]string{"spec.hostNetwork: Forbidden: when `hostUsers` is false"}},
		{"AppArmor", func(p *corev1.Pod) {
			p.Annotations = map[string]string{"container.apparmor.security.beta.kubernetes.io/c": "localhost/a"}
			p.Spec.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: "Localhost", LocalhostProfile: new("b")}
		}, []string{"spec.containers[0].securityContext.appArmorProfile.localhostProfile: Forbidden: apparmor profile in annotation and field must match"}},
		{"pages", func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits["hugepages-2Mi"] = resource.MustParse("3Mi")
			p.Spec.Containers[0].Resources.Requests["hugepages-2Mi"] = resource.MustParse("3Mi")
		}, []string{
			`spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
			`spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`}},
		{"key selected twice", func(p *corev1.Pod) {
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: "z", WhenUnsatisfiable: "DoNotSchedule", MatchLabelKeys: []string{"a"},
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}, MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "a", Operator: "In", Values: []string{"b"}}}},
			}}
		}, []string{`spec.topologySpreadConstraints[0][0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			pod := validPod()
			tc.change(pod)
			fielderrorstest.Compare(t, tc.want, ValidatePod(pod))
		})
	}
}

func TestValidatePodUpdate(t *testing.T) {
	t.Parallel()
	gated := func(p *corev1.Pod) {
		p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "g"}}
		p.Spec.NodeSelector = map[string]string{"a": "b"}
	}
	for _, tc := range []struct {
		name           string
		before, change func(*corev1.Pod)
		want           string // how the first error begins
	}{
		{"image", nil, func(p *corev1.Pod) { p.Spec.Containers[0].Image = "j" }, ""},
		{"padded image", nil, func(p *corev1.Pod) { p.Spec.Containers[0].Image = "j " }, `spec.containers[0].image: Invalid value: "j "`},
		{"other field", nil, func(p *corev1.Pod) { p.Spec.Hostname = "h" }, "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"},
		{"containers", nil, func(p *corev1.Pod) { p.Spec.InitContainers = p.Spec.Containers },
			"spec.initContainers[0].name: Duplicate value"},
		{"deadline", nil, func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(5)) }, ""},
		{"later deadline", func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(5)) },
			func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(6)) }, "spec.activeDeadlineSeconds: Invalid value: 6: must be less"},
		{"added toleration", nil, func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Operator: "Exists"}} }, ""},
		{"lost toleration", func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Operator: "Exists"}} },
			func(p *corev1.Pod) { p.Spec.Tolerations = nil }, "spec.tolerations: Forbidden: existing toleration"},
		{"negative period", func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = new(int64(-1)) },
			func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = new(int64(1)) }, ""},
		{"selector of a gated pod", gated, func(p *corev1.Pod) { p.Spec.NodeSelector["c"] = "d" }, ""},
		{"selector it had", gated, func(p *corev1.Pod) { p.Spec.NodeSelector["a"] = "d" }, "spec.nodeSelector: Invalid value"},
		{"gate added", gated, func(p *corev1.Pod) {
			p.Spec.SchedulingGates = append(p.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: "h"})
		}, "spec.schedulingGates[1].name: Forbidden: only deletion is allowed"},
		{"selector of a free pod", nil, func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"c": "d"} }, "spec: Forbidden"},
		{"broken before the rule", func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.PodDeletionCost: "+1"} },
			func(p *corev1.Pod) { p.Labels = map[string]string{"a": "b"} }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			old := validPod()
			if tc.before != nil {
				tc.before(old)
			}
			pod := old.DeepCopy()
			tc.change(pod)
			errs := ValidatePodUpdate(pod, old)
			if got := errs.ToAggregate(); (tc.want == "") != (got == nil) || got != nil && !strings.HasPrefix(errs[0].Error(), tc.want) {
				t.Errorf("got %v, want %q", got, tc.want)
			}
		})
	}
}

func TestValidatePodResize(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*corev1.Pod)
		want   []string
	}{
		{"processors", func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Limits["cpu"] = resource.MustParse("3") }, nil},
		{"limit lost", func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Limits = nil },
			[]string{"spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"}},
		{"class", func(p *corev1.Pod) {
			r := corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi")}
			p.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: r, Limits: r}
		}, []string{`spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing`}},
		{"something else", func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests["ephemeral-storage"] = resource.MustParse("1Gi")
		}, []string{"spec: Forbidden: only cpu and memory resources are mutable"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			pod := validPod()
			tc.change(pod)
			fielderrorstest.Compare(t, tc.want, ValidatePodResize(pod, validPod()))
		})
	}
}

func TestValidatePodStatusUpdate(t *testing.T) {
	t.Parallel()
	ended := corev1.ContainerStatus{Name: "c", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}}
	old := validPod()
	old.Spec.RestartPolicy = "Never"
	old.Status.ContainerStatuses = []corev1.ContainerStatus{ended}
	pod := old.DeepCopy()
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	fielderrorstest.Compare(t, []string{"status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"}, ValidatePodStatusUpdate(pod, old))
	old.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{
		Action: "Restart", ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: "In", Values: []int32{3}},
	}}
	fielderrorstest.Compare(t, nil, ValidatePodStatusUpdate(pod, old))
}

// A field of a feature that is off stays where it was before, and nowhere else.
func TestDropDisabledPodFields(t *testing.T) {
	t.Parallel()
	with := func() *corev1.PodSpec {
		return &corev1.PodSpec{
			SchedulingGroup: &corev1.PodSchedulingGroup{},
			Containers:      []corev1.Container{{Lifecycle: &corev1.Lifecycle{StopSignal: new(corev1.Signal("SIGHUP"))}}},
			Volumes:         []corev1.Volume{{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{DefaultUser: new(int64(1))}}}},
		}
	}
	spec := with()
	DropDisabledPodFields(spec, nil)
	want := &corev1.PodSpec{
		Containers: []corev1.Container{{}},
		Volumes:    []corev1.Volume{{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}}},
	}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	spec = with()
	DropDisabledPodFields(spec, with())
	if diff := cmp.Diff(with(), spec); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
}

func TestWarningsForPod(t *testing.T) {
	t.Parallel()
	pod := validPod()
	pod.Name = "a.b"
	pod.Spec.NodeSelector = map[string]string{"beta.kubernetes.io/os": "linux"}
	pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "A", Value: "$(A)2"}, {Name: "A", Value: "3"}}
	pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 1, Protocol: "TCP"}, {ContainerPort: 1, Protocol: "TCP", HostPort: 2}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: "m"}, Items: []corev1.KeyToPath{{Path: "a"}, {Path: "a/b"}}}}}}
	want := []string{
		`spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply`,
		`spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]`,
		`spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead`,
		`volume "v" (ConfigMap "m"): overlapping paths: "a/b" with "a"`,
	}
	got := WarningsForPod(pod)
	if !strings.HasPrefix(got[0], "metadata.name: this is used in the Pod's hostname") {
		t.Errorf("the name is not warned of: %q", got)
	}
	got = got[1:]
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	var none *field.Path
	if got := WarningsForPodTemplate(none, nil); got != nil {
		t.Errorf("warns of no template: %v", got)
	}
}
