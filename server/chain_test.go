// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/endpoints/discovery"
)

func TestPriorityOf(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	own := []schema.GroupVersion{{Group: "shop.example.com", Version: "v2"}, {Group: "shop.example.com", Version: "v1"}}
	for _, gv := range own {
		metav1.AddToGroupVersion(scheme, gv)
	}
	if err := scheme.SetVersionPriority(own...); err != nil {
		t.Fatal(err)
	}
	for gv, want := range map[schema.GroupVersion]priority{
		{Version: "v1"}:                       {18000, 1},
		{Group: "apps", Version: "v1"}:        {17800, 15},
		{Group: "autoscaling", Version: "v2"}: {17500, 30},
		{Group: "autoscaling", Version: "v1"}: {17500, 15},
		own[0]:                                {15000, 15},
		own[1]:                                {15000, 14},
	} {
		if got := priorityOf(scheme, gv); got != want {
			t.Errorf("%s: %+v, want %+v", gv, got, want)
		}
	}
}

func TestVersionOfPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]schema.GroupVersion{
		"/api/v1": {Version: "v1"}, "/apis/apps/v1": {Group: "apps", Version: "v1"},
		"/api": {}, "/apis": {}, "/apis/apps": {}, "/apis/apps/v1/": {}, "/healthz/etcd": {}, "/livez/ping": {}, "/openapi/v3": {}, "/": {},
	} {
		if got, ok := versionOfPath(path); got != want || ok != (want.Version != "") {
			t.Errorf("%s: %v, %t, want %v", path, got, ok, want)
		}
	}
}

// TestCustomGroupList adds and removes versions of definitions.
func TestCustomGroupList(t *testing.T) {
	t.Parallel()
	manager := discovery.NewRootAPIsHandler(discovery.DefaultAddresses{}, serializer.NewCodecFactory(runtime.NewScheme()))
	list := customGroupList{manager: manager, own: map[string]bool{"own.example.com": true}, versions: map[string]map[string]bool{}}
	add := func(group, version string) {
		list.AddAPIServiceToSync(apiService(schema.GroupVersion{Group: group, Version: version}, priority{}))
	}
	want := func(want string) {
		t.Helper()
		groups, err := manager.Groups(t.Context(), httptest.NewRequest(http.MethodGet, "/apis", http.NoBody))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, g := range groups {
			for _, v := range g.Versions {
				got += v.GroupVersion + " "
			}
			got += "preferred " + g.PreferredVersion.Version + " "
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	add("a.example.com", "v1beta1")
	add("a.example.com", "v1")
	add("own.example.com", "v3")
	want("a.example.com/v1 a.example.com/v1beta1 preferred v1 ")
	list.RemoveAPIServiceToSync("v1.a.example.com")
	list.RemoveAPIServiceToSync("v9.a.example.com")
	want("a.example.com/v1beta1 preferred v1beta1 ")
	list.RemoveAPIServiceToSync("v1beta1.a.example.com")
	want("")
}
