// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"slices"
	"strconv"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/policy"
	policyv1beta1 "github.com/stoa-project/stoa/apis/policy/v1beta1"
	"github.com/stoa-project/stoa/apis/policy/validation"
	"github.com/stoa-project/stoa/generated/openapi/removed"
	"github.com/stoa-project/stoa/registry/kind"
)

// WithSecurityPolicies returns the group policy with the kind PodSecurityPolicy, which
// Kubernetes removed in 1.25, and its version. Without it the types are in no scheme.
func WithSecurityPolicies(group kind.Group) kind.Group {
	v1beta1 := schema.GroupVersion{Group: group.Name, Version: "v1beta1"}
	install := group.Install
	group.Install = func(scheme *runtime.Scheme) {
		install(scheme)
		kind.Install[policy.PodSecurityPolicy, policy.PodSecurityPolicyList, policyv1beta1.PodSecurityPolicy, policyv1beta1.PodSecurityPolicyList](scheme, v1beta1)
		scheme.AddTypeDefaultingFunc(&policyv1beta1.PodSecurityPolicy{}, func(obj any) {
			if spec := &obj.(*policyv1beta1.PodSecurityPolicy).Spec; spec.AllowPrivilegeEscalation == nil {
				spec.AllowPrivilegeEscalation = new(true)
			}
		})
		utilruntime.Must(scheme.SetVersionPriority(policyv1.SchemeGroupVersion, v1beta1))
	}
	group.OpenAPI = removed.GetOpenAPIDefinitions
	group.Resources = append(slices.Clone(group.Resources), kind.Resource{Kind: podSecurityPolicies(), Versions: []string{v1beta1.Version}})
	return group
}

func podSecurityPolicies() kind.Kind {
	type psp = policy.PodSecurityPolicy
	validate := func(_ context.Context, obj *psp) field.ErrorList {
		return validation.ValidatePodSecurityPolicy((*policyv1beta1.PodSecurityPolicy)(obj))
	}
	return kind.New(kind.Definition[psp]{
		Kind: "PodSecurityPolicy", Plural: "podsecuritypolicies", ShortNames: []string{"psp"}, ClusterScoped: true,
		// The folder of the group that had the kind first.
		Prefix:   "podsecuritypolicy",
		Strategy: kind.Strategy[psp]{Validate: validate},
		Columns: []kind.Column[psp]{
			kind.Name[psp](),
			{Name: "Priv", Description: "Whether containers may be privileged.", Value: func(p *psp) any { return strconv.FormatBool(p.Spec.Privileged) }},
			{Name: "Caps", Description: "Capabilities that containers may ask for.", Value: func(p *psp) any { return sorted(p.Spec.AllowedCapabilities) }},
			{Name: "SELinux", Description: "The rule for labels of SELinux.", Value: func(p *psp) any { return string(p.Spec.SELinux.Rule) }},
			{Name: "RunAsUser", Description: "The rule for users.", Value: func(p *psp) any { return string(p.Spec.RunAsUser.Rule) }},
			{Name: "FsGroup", Description: "The rule for groups that own volumes.", Value: func(p *psp) any { return string(p.Spec.FSGroup.Rule) }},
			{Name: "SupGroup", Description: "The rule for further groups.", Value: func(p *psp) any { return string(p.Spec.SupplementalGroups.Rule) }},
			{Name: "ReadOnlyRootFs", Description: "Whether the root file system must be read-only.", Value: func(p *psp) any { return p.Spec.ReadOnlyRootFilesystem }},
			{Name: "Volumes", Description: "Kinds of volumes that pods may have.", Value: func(p *psp) any { return sorted(p.Spec.Volumes) }},
		},
		UnconditionalUpdate: true, // as in Kubernetes
	})
}

// sorted is a list as one cell.
func sorted[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = string(item)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}
