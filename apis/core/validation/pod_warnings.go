// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// WarningsForPod returns the warnings for a new pod.
func WarningsForPod(pod *corev1.Pod) []string {
	var w warnings
	if texts := validation.IsDNS1123Label(pod.Name); len(texts) > 0 {
		w.addf(field.NewPath("metadata", "name"), "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: %v", texts)
	}
	w.addPod(nil, &pod.Spec, &pod.ObjectMeta)
	return w
}

// WarningsForPodTemplate returns the warnings for a template; what it was before
// does not matter.
func WarningsForPodTemplate(path *field.Path, template *corev1.PodTemplateSpec) []string {
	if template == nil {
		return nil
	}
	var w warnings
	w.addPod(path, &template.Spec, &template.ObjectMeta)
	return w
}

// WarningsForPodOwner returns the warnings for the name of an object with whose name
// those of its pods begin.
func WarningsForPodOwner(name string) []string {
	var w warnings
	if texts := validation.IsDNS1123Label(name); len(texts) > 0 {
		w.addf(field.NewPath("metadata", "name"), "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: %v", texts)
	}
	return w
}

type warnings []string

func (w *warnings) addf(path *field.Path, format string, args ...any) {
	*w = append(*w, path.String()+": "+fmt.Sprintf(format, args...))
}

func (w *warnings) addPod(path *field.Path, spec *corev1.PodSpec, meta *metav1.ObjectMeta) {
	isTemplate := path != nil
	at, annotations := path.Child("spec"), path.Child("metadata", "annotations")
	w.addScheduling(at, spec)
	for _, old := range []struct{ key, text string }{
		{"scheduler.alpha.kubernetes.io/critical-pod", `non-functional in v1.16+; use the "priorityClassName" field instead`},
		{"security.alpha.kubernetes.io/sysctls", `non-functional in v1.11+; use the "sysctls" field instead`},
		{"security.alpha.kubernetes.io/unsafe-sysctls", `non-functional in v1.11+; use the "sysctls" field instead`},
	} {
		if _, ok := meta.Annotations[old.key]; ok {
			w.addf(annotations.Key(old.key), "%s", old.text)
		}
	}
	w.addVolumes(at.Child("volumes"), spec.Volumes)
	w.addReferences(at, spec)
	w.addFractions(at.Child("overhead"), spec.Overhead)
	sc := ptr.Deref(spec.SecurityContext, corev1.PodSecurityContext{})
	if _, ok := meta.Annotations[seccompPod]; ok && sc.SeccompProfile == nil {
		w.addf(annotations.Key(seccompPod), "%s", seccompGone)
	}
	VisitContainers(spec, at, func(c *corev1.Container, path *field.Path) {
		own := ptr.Deref(c.SecurityContext, corev1.SecurityContext{})
		if _, ok := meta.Annotations[seccompContainer+c.Name]; ok && own.SeccompProfile == nil {
			w.addf(annotations.Key(seccompContainer+c.Name), "%s", seccompGone)
		}
		// Of a pod, the annotation becomes the field, with a warning, before this.
		if _, ok := meta.Annotations[appArmor+c.Name]; ok && isTemplate && sc.AppArmorProfile == nil && own.AppArmorProfile == nil {
			w.addf(annotations.Key(appArmor+c.Name), "%s", AppArmorDeprecated)
		}
		w.addFractions(path.Child("resources", "limits"), c.Resources.Limits)
		w.addFractions(path.Child("resources", "requests"), c.Resources.Requests)
		w.addEnv(path.Child("env"), c.Env)
	})
	w.addPorts(at, spec)
	if ptr.Deref(spec.TerminationGracePeriodSeconds, 0) < 0 {
		w.addf(at.Child("terminationGracePeriodSeconds"), "must be >= 0; negative values are invalid and will be treated as 1")
	}
}

const (
	seccompGone = `non-functional in v1.27+; use the "seccompProfile" field instead`
	// AppArmorDeprecated is what a client is told of the annotation.
	AppArmorDeprecated = `deprecated since v1.30; use the "appArmorProfile" field instead`
	matchesNothing     = "a null labelSelector results in matching no pod"
)

// NodeLabelDeprecation says, of the labels of nodes that have a new name, since when
// and what it is.
func NodeLabelDeprecation(label string) (string, bool) {
	for _, old := range []struct{ label, since, name string }{
		{"beta.kubernetes.io/arch", "v1.14", corev1.LabelArchStable},
		{"beta.kubernetes.io/os", "v1.14", corev1.LabelOSStable},
		{corev1.LabelFailureDomainBetaRegion, "v1.17", corev1.LabelTopologyRegion},
		{corev1.LabelFailureDomainBetaZone, "v1.17", corev1.LabelTopologyZone},
		{corev1.LabelInstanceType, "v1.17", corev1.LabelInstanceTypeStable},
	} {
		if label == old.label {
			return fmt.Sprintf("deprecated since %s; use %q instead", old.since, old.name), true
		}
	}
	return "", false
}

// WarningsForNodeSelectorTerm returns the warnings for a term of a node affinity; of
// values that no label has, only where they are no error.
func WarningsForNodeSelectorTerm(term corev1.NodeSelectorTerm, path *field.Path, preference bool) []string {
	var w warnings
	for i, expression := range term.MatchExpressions {
		path := path.Child("matchExpressions").Index(i)
		if text, old := NodeLabelDeprecation(expression.Key); old {
			w.addf(path.Child("key"), "%s is %s", expression.Key, text)
		}
		for j, value := range expression.Values {
			for _, text := range validation.IsValidLabelValue(value) {
				if preference {
					w.addf(path.Child("values").Index(j), "%s is invalid, %s", value, text)
				}
			}
		}
	}
	return w
}

func (w *warnings) addScheduling(path *field.Path, spec *corev1.PodSpec) {
	for _, key := range slices.Sorted(maps.Keys(spec.NodeSelector)) {
		if text, old := NodeLabelDeprecation(key); old {
			w.addf(path.Child("nodeSelector").Key(key), "%s", text)
		}
	}
	for i, c := range spec.TopologySpreadConstraints {
		path := path.Child("topologySpreadConstraints").Index(i)
		if text, old := NodeLabelDeprecation(c.TopologyKey); old {
			w.addf(path.Child("topologyKey"), "%s is %s", c.TopologyKey, text)
		}
		if c.LabelSelector == nil {
			w.addf(path.Child("labelSelector"), matchesNothing)
		}
	}
	if spec.Affinity == nil {
		return
	}
	path = path.Child("affinity")
	if a := spec.Affinity.NodeAffinity; a != nil {
		if a.RequiredDuringSchedulingIgnoredDuringExecution != nil {
			for i, term := range a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
				*w = append(*w, WarningsForNodeSelectorTerm(term, path.Child("nodeAffinity", required, "nodeSelectorTerms").Index(i), false)...)
			}
		}
		for i, term := range a.PreferredDuringSchedulingIgnoredDuringExecution {
			*w = append(*w, WarningsForNodeSelectorTerm(term.Preference, path.Child("nodeAffinity", preferred).Index(i).Child("preference"), true)...)
		}
	}
	terms := func(path *field.Path, terms []corev1.PodAffinityTerm, weighted []corev1.WeightedPodAffinityTerm) {
		for i := range terms {
			if terms[i].LabelSelector == nil {
				w.addf(path.Child(required).Index(i).Child("labelSelector"), matchesNothing)
			}
		}
		for i := range weighted {
			if weighted[i].PodAffinityTerm.LabelSelector == nil {
				w.addf(path.Child(preferred).Index(i).Child("podAffinityTerm", "labelSelector"), matchesNothing)
			}
		}
	}
	if a := spec.Affinity.PodAffinity; a != nil {
		terms(path.Child("podAffinity"), a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := spec.Affinity.PodAntiAffinity; a != nil {
		terms(path.Child("podAntiAffinity"), a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (w *warnings) addReferences(path *field.Path, spec *corev1.PodSpec) {
	aliases, secrets := sets.Set[string]{}, sets.Set[string]{}
	for i, alias := range spec.HostAliases {
		path := path.Child("hostAliases").Index(i).Child("ip")
		if aliases.Has(alias.IP) {
			w.addf(path, "duplicate ip %q", alias.IP)
		}
		aliases.Insert(alias.IP)
		*w = append(*w, validation.GetWarningsForIP(path, alias.IP)...)
	}
	for i, secret := range spec.ImagePullSecrets {
		path := path.Child("imagePullSecrets").Index(i).Child("name")
		if secrets.Has(secret.Name) {
			w.addf(path, "duplicate name %q", secret.Name)
		}
		secrets.Insert(secret.Name)
		if secret.Name == "" {
			w.addf(path, "invalid empty name %q", secret.Name)
		}
	}
	if spec.DNSConfig != nil {
		for i, server := range spec.DNSConfig.Nameservers {
			*w = append(*w, validation.GetWarningsForIP(path.Child("dnsConfig", "nameservers").Index(i), server)...)
		}
	}
}

// addFractions warns of parts of a byte.
func (w *warnings) addFractions(path *field.Path, list corev1.ResourceList) {
	for _, name := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage, corev1.ResourceStorage} {
		if value, ok := list[name]; ok && value.MilliValue()%1000 != 0 {
			w.addf(path.Key(string(name)), "fractional byte value %q is invalid, must be an integer", value.String())
		}
	}
}

// addEnv warns of a variable that replaces another one of the same name, unless its
// value is made of the other's.
func (w *warnings) addEnv(path *field.Path, env []corev1.EnvVar) {
	seen := sets.Set[string]{}
	for i, v := range env {
		reference := "$(" + v.Name + ")"
		if seen.Has(v.Name) && (v.ValueFrom != nil || v.Value == reference || !strings.Contains(v.Value, reference)) {
			w.addf(path.Index(i), "hides previous definition of %q, which may be dropped when using apply", v.Name)
		}
		seen.Insert(v.Name)
	}
}

// addPorts warns of ports that are defined twice. Those that clash are errors.
func (w *warnings) addPorts(path *field.Path, spec *corev1.PodSpec) {
	type definition struct {
		path *field.Path
		port corev1.ContainerPort
	}
	all := map[string][]definition{}
	VisitContainers(spec, path, func(c *corev1.Container, path *field.Path) {
		for i, port := range c.Ports {
			path := path.Child("ports").Index(i)
			if port.HostIP != "" && port.HostPort == 0 {
				w.addf(path, "hostIP set without hostPort: %+v", port)
			}
			key := fmt.Sprintf("%d/%s", port.ContainerPort, port.Protocol)
			for _, other := range all[key] {
				switch {
				case port.HostIP == other.port.HostIP && port.HostPort == other.port.HostPort:
					w.addf(path, "duplicate port definition with %s", other.path)
				case port.HostPort == 0 || other.port.HostPort == 0:
					w.addf(path, "overlapping port definition with %s", other.path)
				case port.HostPort == other.port.HostPort && (port.HostIP == "" || other.port.HostIP == ""):
					w.addf(path, "dangerously ambiguous port definition with %s", other.path)
				}
			}
			all[key] = append(all[key], definition{path, port})
		}
	})
}
