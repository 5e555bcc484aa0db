// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/apitesting/roundtrip"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/randfill"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
)

const fuzzRounds = 300

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	Install(scheme)
	return scheme
}

// fuzzFuncs makes objects as they are after defaulting; everything else is left
// to chance, also what validation would refuse.
func fuzzFuncs(_ serializer.CodecFactory) []any {
	return []any{
		func(obj *tenancy.TenantStatus, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.Phase = tenancy.TenantActive
		},
		func(obj *tenancy.GrantStatus, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.Phase = tenancy.GrantPending
		},
		func(obj *tenancy.NamespaceDefaults, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.NetworkIsolation = tenancy.NetworkIsolationTenant
		},
		func(obj *rbacv1.RoleRef, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.APIGroup = rbacv1.GroupName
		},
		func(obj *rbacv1.Subject, c randfill.Continue) {
			subjects := []rbacv1.Subject{
				{APIGroup: rbacv1.GroupName, Kind: "User", Name: "system:admin"},
				{APIGroup: rbacv1.GroupName, Kind: "Group", Name: c.String(0)},
				{Kind: "ServiceAccount", Namespace: "ns", Name: "builder"},
				{Kind: "ServiceAccount", Name: c.String(0)},
				{APIGroup: "other.example.com", Kind: "User", Name: "alice"},
				{APIGroup: rbacv1.GroupName, Kind: "User", Name: "alice", Namespace: c.String(0)},
				tenancy.UnreadSubject(c.String(0)),
				tenancy.UnreadSubject("user:alice"),
			}
			*obj = subjects[c.Intn(len(subjects)+1)%len(subjects)]
			if c.Intn(10) == 0 {
				c.FillNoCustom(obj)
				obj.Kind = "Robot"
			}
		},
	}
}

func TestRoundTripThroughEveryVersion(t *testing.T) {
	t.Parallel()
	roundtrip.RoundTripTestForAPIGroup(t, Install, fuzzFuncs)
}

func TestRoundTripThroughUnstructured(t *testing.T) {
	t.Parallel()
	scheme := newScheme()
	skipped := sets.New[schema.GroupVersionKind]()
	for gvk := range scheme.AllKnownTypes() {
		if !scheme.Recognizes(tenancy.SchemeGroupVersion.WithKind(gvk.Kind)) {
			skipped.Insert(gvk)
		}
	}
	roundtrip.RoundtripToUnstructured(t, scheme, fuzzFuncs, skipped, nil)
}

// One version after the other: what v1 can say survives v1alpha1.
func TestRoundTripAcrossVersions(t *testing.T) {
	t.Parallel()
	scheme := newScheme()
	for kind, empty := range map[string]func() runtime.Object{
		"Tenant":     func() runtime.Object { return &tenancy.Tenant{} },
		"TenantList": func() runtime.Object { return &tenancy.TenantList{} },
		"Grant":      func() runtime.Object { return &tenancy.Grant{} },
		"GrantList":  func() runtime.Object { return &tenancy.GrantList{} },
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			filler := fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, fuzzFuncs),
				rand.NewSource(1), serializer.NewCodecFactory(scheme))
			for range fuzzRounds {
				hub := empty()
				filler.Fill(hub)
				kept := hub.DeepCopyObject()
				through := hub
				for _, version := range []string{"v1", runtime.APIVersionInternal, "v1alpha1", runtime.APIVersionInternal} {
					through = convert(t, scheme, through, version)
				}
				if !apiequality.Semantic.DeepEqual(kept, through) {
					t.Fatalf("changed on the way (-before +after):\n%s", cmp.Diff(kept, through))
				}
				if !apiequality.Semantic.DeepEqual(kept, hub) {
					t.Fatalf("conversion changed its input (-before +after):\n%s", cmp.Diff(kept, hub))
				}
			}
		})
	}
}

// The other way round: an object of v1alpha1 as a user writes it.
func TestRoundTripOfV1alpha1(t *testing.T) {
	t.Parallel()
	scheme := newScheme()
	filler := fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, fuzzFuncs),
		rand.NewSource(2), serializer.NewCodecFactory(scheme))
	for range fuzzRounds {
		before := &tenancyv1alpha1.Tenant{}
		filler.Fill(before)
		after := convert(t, scheme, convert(t, scheme, before.DeepCopy(), runtime.APIVersionInternal), "v1alpha1")
		after.GetObjectKind().SetGroupVersionKind(before.GroupVersionKind())
		if !apiequality.Semantic.DeepEqual(before, after) {
			t.Fatalf("changed on the way (-before +after):\n%s", cmp.Diff(before, after))
		}
	}
}

func convert(t *testing.T, scheme *runtime.Scheme, obj runtime.Object, version string) runtime.Object {
	t.Helper()
	out, err := scheme.ConvertToVersion(obj, schema.GroupVersion{Group: tenancy.GroupName, Version: version})
	if err != nil {
		t.Fatalf("convert to %s: %v", version, err)
	}
	if version == runtime.APIVersionInternal {
		out.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	return out
}

func TestVersions(t *testing.T) {
	t.Parallel()
	want := []schema.GroupVersion{
		{Group: "tenancy.stoa.dev", Version: "v1"},
		{Group: "tenancy.stoa.dev", Version: "v1alpha1"},
	}
	if diff := cmp.Diff(want, newScheme().PrioritizedVersionsForGroup("tenancy.stoa.dev")); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	for _, version := range want {
		if !newScheme().Recognizes(version.WithKind("Tenant")) {
			t.Errorf("%s has no Tenant", version)
		}
	}
}
