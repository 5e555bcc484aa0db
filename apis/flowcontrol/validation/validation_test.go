// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func TestLibraryIsValid(t *testing.T) {
	t.Parallel()
	for _, obj := range append(bootstrap.MandatoryFlowSchemas, bootstrap.SuggestedFlowSchemas...) {
		fielderrorstest.Compare(t, nil, ValidateFlowSchema(obj))
	}
	for _, obj := range append(bootstrap.MandatoryPriorityLevelConfigurations, bootstrap.SuggestedPriorityLevelConfigurations...) {
		fielderrorstest.Compare(t, nil, ValidatePriorityLevelConfiguration(obj))
	}
}

func TestFixedObjects(t *testing.T) {
	t.Parallel()
	exempt := bootstrap.MandatoryPriorityLevelConfigurationExempt.DeepCopy()
	exempt.Spec.Exempt.NominalConcurrencyShares = new(int32(5))
	fielderrorstest.Compare(t, nil, ValidatePriorityLevelConfiguration(exempt))
	for _, schema := range bootstrap.MandatoryFlowSchemas {
		changed := schema.DeepCopy()
		changed.Spec.PriorityLevelConfiguration.Name = "other"
		if errs := ValidateFlowSchema(changed); len(errs) != 1 || errs[0].Detail != "spec of '"+schema.Name+"' must equal the fixed value" {
			t.Errorf("%s: %v", schema.Name, errs)
		}
	}
}

func TestValidateSubject(t *testing.T) {
	t.Parallel()
	user := &flowcontrolv1.UserSubject{Name: "u"}
	for _, tc := range []struct {
		name    string
		subject flowcontrolv1.Subject
		want    []string
	}{
		{"user", flowcontrolv1.Subject{Kind: "User", User: user}, nil},
		{"any account", flowcontrolv1.Subject{Kind: "ServiceAccount", ServiceAccount: &flowcontrolv1.ServiceAccountSubject{Namespace: "a", Name: "*"}}, nil},
		{"another member", flowcontrolv1.Subject{Kind: "Group", User: user}, []string{
			"s.user: Forbidden: user is forbidden when subject kind is not 'User'",
			"s.group: Required value: group is required when subject kind is 'Group'"}},
		{"empty members", flowcontrolv1.Subject{Kind: "ServiceAccount", ServiceAccount: &flowcontrolv1.ServiceAccountSubject{}}, []string{
			"s.serviceAccount.name: Required value", "s.serviceAccount.namespace: Required value: must specify namespace for service account"}},
		{"kind", flowcontrolv1.Subject{Kind: "Other", User: user}, []string{
			`s.kind: Unsupported value: "Other": supported values: "Group", "ServiceAccount", "User"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fielderrorstest.Compare(t, tc.want, validateSubject(&tc.subject, field.NewPath("s")))
		})
	}
}

func TestValidateRules(t *testing.T) {
	t.Parallel()
	fielderrorstest.Compare(t, []string{
		`r.verbs: Unsupported value: ["get","see"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"`,
		`r.nonResourceURLs[0]: Invalid value: "a": must start with slash`,
		`r.nonResourceURLs[1]: Invalid value: "/a//b": must not contain double slash`,
		`r.nonResourceURLs[2]: Invalid value: "/a*": wildcard can only do suffix matching`,
	}, validateNonResourceRule(&flowcontrolv1.NonResourcePolicyRule{
		Verbs: []string{"get", "see"}, NonResourceURLs: []string{"a", "/a//b", "/a*", "/", "/a/*"}}, field.NewPath("r")))
	fielderrorstest.Compare(t, nil, validateResourceRule(&flowcontrolv1.ResourcePolicyRule{
		Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}, ClusterScope: true}, field.NewPath("r")))
	fielderrorstest.Compare(t, []string{
		"r.apiGroups: Invalid value: [\"*\",\"apps\"]: if '*' is present, must not specify other api groups",
		"r.namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace",
	}, validateResourceRule(&flowcontrolv1.ResourcePolicyRule{
		Verbs: []string{"*"}, APIGroups: []string{"*", "apps"}, Resources: []string{"*"}}, field.NewPath("r")))
}

func TestValidateQueuing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		queues, hand, length int32
		want                 []string
	}{
		{64, 8, 50, nil},
		{0, 0, 0, []string{"q.queueLengthLimit: Invalid value: 0: must be positive", "q.queues: Invalid value: 0: must be positive", "q.handSize: Invalid value: 0: must be positive"}},
		{4, 5, 1, []string{"q.handSize: Invalid value: 5: should not be greater than queues (4)"}},
		{512, 8, 1, []string{"q.handSize: Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be greater than 60"}},
		{10_000_001, 1, 1, []string{"q.queues: Invalid value: 10000001: must not be greater than 10000000"}},
	} {
		fielderrorstest.Compare(t, tc.want, validateQueuing(&flowcontrolv1.QueuingConfiguration{Queues: tc.queues, HandSize: tc.hand, QueueLengthLimit: tc.length}, field.NewPath("q")))
	}
}
