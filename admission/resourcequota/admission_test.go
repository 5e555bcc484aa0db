// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resourcequota_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/admission/resourcequota"
	"github.com/stoa-project/stoa/apis/core"
)

func start(t *testing.T, charges *quota.Charges, quotas ...runtime.Object) *admissiontest.Plugin {
	t.Helper()
	return admissiontest.Start(t, func(p *admission.Plugins) { resourcequota.Register(p, charges) }, admissiontest.Plugin{Objects: quotas})
}

// share is a quota that has been counted.
func share(namespace, used string) *corev1.ResourceQuota {
	name := corev1.ResourceName("count/secrets")
	return &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "share", ResourceVersion: "1"},
		Status: corev1.ResourceQuotaStatus{
			Hard: corev1.ResourceList{name: resource.MustParse("1")}, Used: corev1.ResourceList{name: resource.MustParse(used)},
		},
	}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	secrets := admissiontest.Request{Obj: &core.Secret{}, Resource: corev1.SchemeGroupVersion.WithResource("secrets")}
	update := secrets
	update.Old = &core.Secret{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1"}}
	for name, tc := range map[string]struct {
		quota   *corev1.ResourceQuota
		request admissiontest.Request
		want    string
		charged bool
	}{
		"room":               {share("n", "0"), secrets, "", true},
		"none left":          {share("n", "1"), secrets, `secrets "x" is forbidden: exceeded quota: share, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1`, true},
		"an update":          {share("n", "1"), update, "", false},
		"another namespace":  {share("o", "1"), secrets, "", false},
		"what is not stored": {share("n", "1"), admissiontest.Request{Obj: &core.Binding{}, Resource: corev1.SchemeGroupVersion.WithResource("bindings")}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var charges quota.Charges
			request, end := context.WithCancel(t.Context())
			defer end()
			admissiontest.Check(t, start(t, &charges, tc.quota).Do(request, tc.request), tc.want)
			// Until the request is over, its object may be on its way.
			if charged := charges.After(func() {}, "n"); charged != tc.charged {
				t.Errorf("known as charged: %v, want %v", charged, tc.charged)
			}
		})
	}
}

// A crowd waits for its turn, and who cannot wait has not been charged.
func TestCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var charges quota.Charges
		p := start(t, &charges, share("n", "0"))
		stuck := make(chan struct{})
		p.Client().PrependReactor("update", "resourcequotas", func(clienttesting.Action) (bool, runtime.Object, error) {
			<-stuck
			return false, nil, nil
		})
		secrets := admissiontest.Request{Obj: &core.Secret{}, Resource: corev1.SchemeGroupVersion.WithResource("secrets")}
		got := map[string]int{}
		var lock sync.Mutex
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				err := p.Do(ctx, secrets)
				lock.Lock()
				defer lock.Unlock()
				got[fmt.Sprint(err)]++
			})
		}
		all.Wait()
		close(stuck)
		want := map[string]int{
			"Internal error occurred: resource quota evaluation timed out":        50,
			"Timeout: the request was not charged to the resource quotas in time": 10,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

// The configuration of Kubernetes can demand quotas.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	plugins := admission.NewPlugins()
	resourcequota.Register(plugins, &quota.Charges{})
	_, err := plugins.InitPlugin("ResourceQuota", strings.NewReader("{"), admission.PluginInitializers{})
	if err == nil || !strings.Contains(err.Error(), `couldn't init admission plugin "ResourceQuota"`) {
		t.Errorf("error %v", err)
	}
	const demands = `{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "ResourceQuotaConfiguration", "limitedResources": [{"resource": "secrets", "matchContains": ["count/secrets"]}]}`
	if _, err := plugins.InitPlugin("ResourceQuota", strings.NewReader(demands), admission.PluginInitializers{}); err == nil ||
		err.Error() != `failed to initialize admission plugin "ResourceQuota": missing client, lister of quotas or signal that requests are drained` {
		t.Errorf("error %v", err)
	}
}
