// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/apiserver/pkg/quota/v1/generic"
)

// Lister returns what lists the objects of a resource in a namespace.
type Lister func(schema.GroupVersionResource) generic.ListFuncByNamespace

// Evaluators returns the evaluators of kinds of which more is limited than the number,
// or that have a short name in quotas. list may be nil where nothing is counted.
func Evaluators(devices *Devices, list Lister) []quota.Evaluator {
	if list == nil {
		list = func(schema.GroupVersionResource) generic.ListFuncByNamespace { return nil }
	}
	in := func(resource string) generic.ListFuncByNamespace {
		return list(corev1.SchemeGroupVersion.WithResource(resource))
	}
	out := []quota.Evaluator{
		pods(in("pods")),
		services(in("services")),
		volumeClaims(in("persistentvolumeclaims")),
		resourceClaims(devices, list(resourcev1.SchemeGroupVersion.WithResource("resourceclaims"))),
	}
	for _, short := range []corev1.ResourceName{
		corev1.ResourceConfigMaps, corev1.ResourceQuotas, corev1.ResourceReplicationControllers, corev1.ResourceSecrets,
	} {
		out = append(out, generic.NewObjectCountEvaluator(schema.GroupResource{Resource: string(short)}, in(string(short)), short))
	}
	return out
}

// Limiting returns the evaluators of the kinds of which something is limited by these
// names. list may be nil where nothing is counted, and devices where nobody has any.
func Limiting(names []corev1.ResourceName, devices *Devices, list Lister) []quota.Evaluator {
	if list == nil {
		list = func(schema.GroupVersionResource) generic.ListFuncByNamespace { return nil }
	}
	ignored := Ignored()
	var out []quota.Evaluator
	for _, e := range Evaluators(devices, list) {
		if len(e.MatchingResources(names)) > 0 {
			out = append(out, e)
		}
		ignored[e.GroupResource()] = struct{}{}
	}
	for _, name := range names {
		text, ok := strings.CutPrefix(string(name), "count/")
		if !ok {
			continue
		}
		resource := schema.ParseGroupResource(text)
		if _, done := ignored[resource]; !done {
			// Which version does not matter to list, which is asked for the resource alone.
			out = append(out, generic.NewObjectCountEvaluator(resource, list(resource.WithVersion("")), ""))
		}
	}
	return out
}

// Ignored are resources that no quota counts: those that are not stored, and events.
func Ignored() map[schema.GroupResource]struct{} {
	out := map[schema.GroupResource]struct{}{}
	for group, resources := range map[string][]string{
		"":                      {"bindings", "componentstatuses", "events"},
		"events.k8s.io":         {"events"},
		"authentication.k8s.io": {"tokenreviews", "selfsubjectreviews"},
		"authorization.k8s.io":  {"subjectaccessreviews", "selfsubjectaccessreviews", "localsubjectaccessreviews", "selfsubjectrulesreviews"},
	} {
		for _, resource := range resources {
			out[schema.GroupResource{Group: group, Resource: resource}] = struct{}{}
		}
	}
	return out
}

// evaluator is an evaluator made of functions.
type evaluator struct {
	resource schema.GroupResource
	// handles says whether a request may change what is used.
	handles func(admission.Attributes) bool
	// limits says whether a name in a quota is one of what the kind uses.
	limits func(corev1.ResourceName) bool
	// inScope is nil if the kind has no scopes.
	inScope generic.MatchesScopeFunc
	// demands is nil if an object need not say what it uses.
	demands func([]corev1.ResourceName, runtime.Object) error
	usage   generic.UsageFunc
	list    generic.ListFuncByNamespace
}

var _ quota.Evaluator = (*evaluator)(nil)

// GroupResource implements quota.Evaluator.
func (e *evaluator) GroupResource() schema.GroupResource { return e.resource }

// Handles implements quota.Evaluator.
func (e *evaluator) Handles(a admission.Attributes) bool { return e.handles(a) }

// Constraints implements quota.Evaluator.
func (e *evaluator) Constraints(required []corev1.ResourceName, obj runtime.Object) error {
	if e.demands == nil {
		return nil
	}
	return e.demands(required, obj)
}

// Usage implements quota.Evaluator.
func (e *evaluator) Usage(obj runtime.Object) (corev1.ResourceList, error) { return e.usage(obj) }

// UsageStats implements quota.Evaluator.
func (e *evaluator) UsageStats(options quota.UsageStatsOptions) (quota.UsageStats, error) {
	return generic.CalculateUsageStats(options, e.list, e.scope(), e.usage)
}

// Matches implements quota.Evaluator.
func (e *evaluator) Matches(q *corev1.ResourceQuota, obj runtime.Object) (bool, error) {
	return generic.Matches(q, obj, e.MatchingResources, e.scope())
}

// MatchingResources implements quota.Evaluator.
func (e *evaluator) MatchingResources(names []corev1.ResourceName) []corev1.ResourceName {
	return slices.DeleteFunc(slices.Clone(names), func(name corev1.ResourceName) bool { return !e.limits(name) })
}

// MatchingScopes implements quota.Evaluator.
func (e *evaluator) MatchingScopes(obj runtime.Object, scopes []corev1.ScopedResourceSelectorRequirement) ([]corev1.ScopedResourceSelectorRequirement, error) {
	var out []corev1.ScopedResourceSelectorRequirement
	for _, scope := range scopes {
		matches, err := e.scope()(scope, obj)
		if err != nil {
			return nil, fmt.Errorf("error on matching scope %v: %w", scope, err)
		}
		if matches {
			out = append(out, scope)
		}
	}
	return out, nil
}

// UncoveredQuotaScopes implements quota.Evaluator.
func (e *evaluator) UncoveredQuotaScopes(limited, matched []corev1.ScopedResourceSelectorRequirement) ([]corev1.ScopedResourceSelectorRequirement, error) {
	return slices.DeleteFunc(slices.Clone(limited), func(l corev1.ScopedResourceSelectorRequirement) bool {
		return slices.ContainsFunc(matched, func(m corev1.ScopedResourceSelectorRequirement) bool { return m.ScopeName == l.ScopeName })
	}), nil
}

func (e *evaluator) scope() generic.MatchesScopeFunc {
	if e.inScope == nil {
		return generic.MatchesNoScopeFunc
	}
	return e.inScope
}

// selects says whether the selector of a scope selects one of the names; none is
// what a selector for those without selects.
func selects(scope corev1.ScopedResourceSelectorRequirement, names ...string) (bool, error) {
	if scope.Operator == corev1.ScopeSelectorOpExists {
		return len(names) > 0, nil
	}
	operator, ok := map[corev1.ScopeSelectorOperator]selection.Operator{
		corev1.ScopeSelectorOpIn:           selection.In,
		corev1.ScopeSelectorOpNotIn:        selection.NotIn,
		corev1.ScopeSelectorOpDoesNotExist: selection.DoesNotExist,
	}[scope.Operator]
	if !ok {
		return false, fmt.Errorf("failed to parse and convert selector: %q is not a valid scope selector operator", scope.Operator)
	}
	requirement, err := labels.NewRequirement(string(scope.ScopeName), operator, scope.Values)
	if err != nil {
		return false, fmt.Errorf("failed to parse and convert selector: %w", err)
	}
	if len(names) == 0 {
		return requirement.Matches(labels.Set{}), nil
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return requirement.Matches(labels.Set{string(scope.ScopeName): name})
	}), nil
}

// number is a quantity of whole things.
func number(n int) resource.Quantity { return *resource.NewQuantity(int64(n), resource.DecimalSI) }

// counted is the name with which a quota limits how many objects there are.
func counted(group, resource string) corev1.ResourceName {
	return generic.ObjectCountQuotaResourceNameFor(schema.GroupResource{Group: group, Resource: resource})
}

// Digest is a text that is another one if an object uses something else, or is in another
// scope; the same for all objects of a kind of which only the number is limited.
func Digest(obj runtime.Object) string {
	var usage corev1.ResourceList
	var scope any
	switch obj := obj.(type) {
	case *corev1.Pod:
		usage, _ = podUsage(obj) // it is a pod
		scope = terminating(obj)
	case *corev1.Service:
		usage = serviceUsage(obj)
	case *corev1.PersistentVolumeClaim:
		usage = volumeClaimUsage(obj)
		scope = sets.List(attributeClasses(obj))
	default:
		return ""
	}
	var out strings.Builder
	fmt.Fprint(&out, scope)
	for _, name := range slices.Sorted(maps.Keys(usage)) {
		quantity := usage[name]
		fmt.Fprintf(&out, " %s=%s", name, &quantity)
	}
	return out.String()
}
