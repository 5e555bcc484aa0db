// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateNode judges a new node, with its status: a kubelet registers with both.
func ValidateNode(node *corev1.Node) field.ErrorList {
	meta := field.NewPath("metadata")
	errs := validateAvoidPods(node.Annotations, meta.Child("annotations"))
	// Upstream says metadata for what is in spec and status, here and below.
	errs = append(errs, validateTaints(node.Spec.Taints, meta.Child("taints"))...)
	errs = append(errs, validateNodeResources(&node.Status)...)
	errs = append(errs, validateDeclaredFeatures(node.Status.DeclaredFeatures, field.NewPath("status", "declaredFeatures"))...)
	if swap := node.Status.NodeInfo.Swap; swap != nil && swap.Capacity != nil && *swap.Capacity <= 0 {
		errs = append(errs, field.Invalid(meta.Child("nodeSwapStatus", "capacity"), *swap.Capacity, "must be greater than zero"))
	}
	return append(errs, validatePodCIDRs(node.Spec.PodCIDRs, field.NewPath("spec", "podCIDRs"))...)
}

// ValidateNodeUpdate judges a changed node.
func ValidateNodeUpdate(node, old *corev1.Node) field.ErrorList {
	return append(ValidateNode(node), validateNodeChange(node, old)...)
}

// ValidateNodeStatus judges a change through /status, which keeps spec.
func ValidateNodeStatus(node, old *corev1.Node) field.ErrorList {
	path := field.NewPath("status")
	errs := validateAvoidPods(node.Annotations, field.NewPath("metadata", "annotations"))
	errs = append(errs, validateNodeResources(&node.Status)...)
	errs = append(errs, validateDeclaredFeatures(node.Status.DeclaredFeatures, path.Child("declaredFeatures"))...)
	errs = append(errs, validateNodeConfigStatus(node.Status.Config, path.Child("config"))...)
	return append(errs, validateNodeChange(node, old)...)
}

// validateNodeChange judges what may not change, and the addresses.
func validateNodeChange(node, old *corev1.Node) field.ErrorList {
	var errs field.ErrorList
	for i, address := range node.Status.Addresses {
		if slices.Contains(node.Status.Addresses[:i], address) {
			errs = append(errs, field.Duplicate(field.NewPath("status", "addresses").Index(i), address))
		}
	}
	spec := field.NewPath("spec")
	if len(old.Spec.PodCIDRs) > 0 {
		fixed := field.Forbidden(spec.Child("podCIDRs"), `node updates may not change podCIDR except from "" to valid`)
		if len(old.Spec.PodCIDRs) != len(node.Spec.PodCIDRs) {
			errs = append(errs, fixed)
		} else {
			for i, value := range old.Spec.PodCIDRs {
				if value != node.Spec.PodCIDRs[i] {
					errs = append(errs, fixed)
				}
			}
		}
	}
	if old.Spec.ProviderID != "" && node.Spec.ProviderID != old.Spec.ProviderID {
		what := "field cannot be modified once set"
		if node.Spec.ProviderID == "" {
			what = "field cannot be cleared once set"
		}
		// The tag of the served type says so too, but in a form that is not enforced.
		errs = append(errs, field.Invalid(spec.Child("providerID"), nil, what).WithOrigin("update").MarkCoveredByDeclarative().MarkAlpha())
	}
	if node.Spec.DoNotUseExternalID != old.Spec.DoNotUseExternalID {
		errs = append(errs, field.Forbidden(spec.Child("externalID"), "may not be updated"))
	}
	return errs
}

func validateNodeResources(status *corev1.NodeStatus) field.ErrorList {
	errs := validateQuantities(status.Capacity, field.NewPath("status", "capacity"))
	return append(errs, validateQuantities(status.Allocatable, field.NewPath("status", "allocatable"))...)
}

// validateQuantities judges quantities whose names are free, and are part of the path.
func validateQuantities(list corev1.ResourceList, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(list)) {
		errs = append(errs, ValidateResourceQuantityValue(name, list[name], path.Child(string(name)))...)
	}
	return errs
}

// validatePodCIDRs demands at most one range of each IP family.
func validatePodCIDRs(cidrs []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, cidr := range cidrs {
		errs = append(errs, utilvalidation.IsValidCIDRForLegacyField(path.Index(i), cidr, false, nil)...)
	}
	if len(cidrs) < 2 {
		return errs
	}
	dual, err := netutils.IsDualStackCIDRStrings(cidrs)
	if err != nil {
		errs = append(errs, field.InternalError(path, fmt.Errorf("invalid PodCIDRs. failed to check with dual stack with error:%w", err)))
	}
	if !dual || len(cidrs) > 2 {
		errs = append(errs, field.Invalid(path, cidrs, "may specify no more than one CIDR for each IP family"))
	}
	return errs
}

func validateTaints(taints []corev1.Taint, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	type identity struct {
		key    string
		effect corev1.TaintEffect
	}
	seen := map[identity]bool{}
	for i := range taints {
		taint, at := &taints[i], path.Index(i)
		errs = append(errs, metav1validation.ValidateLabelName(taint.Key, at.Child("key"))...)
		if msgs := utilvalidation.IsValidLabelValue(taint.Value); len(msgs) > 0 {
			errs = append(errs, field.Invalid(at.Child("value"), taint.Value, strings.Join(msgs, ";")))
		}
		errs = append(errs, ValidateTaintEffect(taint.Effect, at.Child("effect"))...)
		if id := (identity{taint.Key, taint.Effect}); seen[id] {
			twice := field.Duplicate(at, *taint)
			twice.Detail = "taints must be unique by key and effect pair"
			errs = append(errs, twice)
		} else {
			seen[id] = true
		}
	}
	return errs
}

// featureName is the form of a declared feature.
var featureName = regexp.MustCompile(`^[A-Z][a-zA-Z0-9]*(/[a-zA-Z][a-zA-Z0-9]*)*$`)

// validateDeclaredFeatures demands sorted names, so that lists can be compared.
func validateDeclaredFeatures(features []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, name := range features {
		switch {
		case len(name) > utilvalidation.DNS1123SubdomainMaxLength:
			errs = append(errs, field.Invalid(path.Index(i), name, fmt.Sprintf("invalid feature name %q: must be no more than %d characters", name, utilvalidation.DNS1123SubdomainMaxLength)))
		case !featureName.MatchString(name):
			errs = append(errs, field.Invalid(path.Index(i), name, fmt.Sprintf("invalid feature name %q: must start with an UpperCamelCase segment, "+
				"with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes", name)))
		}
		switch {
		case i == 0:
		case features[i-1] == name:
			errs = append(errs, field.Duplicate(path.Index(i), name))
		case features[i-1] > name:
			errs = append(errs, field.Invalid(path.Index(i), name, "list must be sorted alphabetically"))
		}
	}
	return errs
}

// validateNodeConfigStatus judges a field that only nodes of long ago have.
func validateNodeConfigStatus(config *corev1.NodeConfigStatus, path *field.Path) field.ErrorList {
	if config == nil {
		return nil
	}
	var errs field.ErrorList
	for _, part := range []struct {
		name   string
		source *corev1.NodeConfigSource
	}{{"assigned", config.Assigned}, {"active", config.Active}, {"lastKnownGood", config.LastKnownGood}} {
		switch at := path.Child(part.name); {
		case part.source == nil:
		case part.source.ConfigMap == nil:
			errs = append(errs, field.Invalid(at, part.source, "exactly one reference subfield must be non-nil"))
		default:
			errs = append(errs, validateConfigMapSource(part.source.ConfigMap, at.Child("configMap"))...)
		}
	}
	return errs
}

func validateConfigMapSource(source *corev1.ConfigMapNodeConfigSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, f := range []struct {
		name, value string
		wrong       func(string) []string
	}{
		{"uid", string(source.UID), nil},
		{"resourceVersion", source.ResourceVersion, nil},
		{"namespace", source.Namespace, utilvalidation.IsDNS1123Label},
		{"name", source.Name, utilvalidation.IsDNS1123Subdomain},
		{"kubeletConfigKey", source.KubeletConfigKey, utilvalidation.IsConfigMapKey},
	} {
		switch {
		case f.value == "":
			errs = append(errs, field.Required(path.Child(f.name), ""))
		case f.wrong != nil:
			errs = append(errs, fielderrors.Each(path.Child(f.name), f.value, f.wrong(f.value))...)
		}
	}
	return errs
}

// validateAvoidPods judges the annotation that names controllers whose pods the
// node does not want.
func validateAvoidPods(annotations map[string]string, path *field.Path) field.ErrorList {
	raw := annotations[corev1.PreferAvoidPodsAnnotationKey]
	if raw == "" {
		return nil
	}
	var avoid corev1.AvoidPods
	if err := json.Unmarshal([]byte(raw), &avoid); err != nil {
		return field.ErrorList{field.Invalid(path.Child("AvoidPods"), corev1.PreferAvoidPodsAnnotationKey, err.Error())}
	}
	var errs field.ErrorList
	for i, entry := range avoid.PreferAvoidPods {
		signature := path.Child(corev1.PreferAvoidPodsAnnotationKey).Index(i).Child("PodSignature")
		switch controller := entry.PodSignature.PodController; {
		case controller == nil:
			errs = append(errs, field.Required(signature, ""))
		case controller.Controller == nil || !*controller.Controller:
			errs = append(errs, field.Invalid(signature.Child("PodController", "Controller"), controller.Controller, "must point to a controller"))
		}
	}
	return errs
}

// WarningsOnNode names the fields that are set and have no effect any more, and
// ranges in a form that will not be accepted for ever.
func WarningsOnNode(node *corev1.Node) []string {
	var out []string
	if node.Spec.ConfigSource != nil { //nolint:staticcheck // old clients send it
		out = append(out, "spec.configSource: the feature is removed")
	}
	if node.Spec.DoNotUseExternalID != "" {
		out = append(out, "spec.externalID: this field is deprecated, and is unused by Kubernetes")
	}
	for i, cidr := range node.Spec.PodCIDRs {
		out = append(out, utilvalidation.GetWarningsForCIDR(field.NewPath("spec", "podCIDRs").Index(i), cidr)...)
	}
	return out
}
