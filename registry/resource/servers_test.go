// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package resource_test

import (
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// Servers that are made from the same groups ask their own namespaces who may use
// devices that others use, also while one of them starts.
func TestServersFromTheSameGroups(t *testing.T) {
	t.Parallel()
	groups := server.DefaultGroups()
	start := func(label string) kubernetes.Interface {
		client := kubernetes.NewForConfigOrDie(stoatest.Start(t, stoatest.WithOptions(func(o *server.Options) { o.Groups = groups })).Config())
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "devices", Labels: map[string]string{"resource.kubernetes.io/admin-access": label}}}
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		return client
	}
	check := func(what string, client kubernetes.Interface, want string) {
		requests := resourcev1.DeviceClaim{Requests: []resourcev1.DeviceRequest{{
			Name: "a", Exactly: &resourcev1.ExactDeviceRequest{DeviceClassName: "gpu", AdminAccess: new(true)},
		}}}
		dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
		_, claim := client.ResourceV1().ResourceClaims("devices").Create(t.Context(), &resourcev1.ResourceClaim{
			ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: resourcev1.ResourceClaimSpec{Devices: requests},
		}, dry)
		_, template := client.ResourceV1().ResourceClaimTemplates("devices").Create(t.Context(), &resourcev1.ResourceClaimTemplate{
			ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: resourcev1.ResourceClaimTemplateSpec{Spec: resourcev1.ResourceClaimSpec{Devices: requests}},
		}, dry)
		for kind, err := range map[string]error{"ResourceClaim": claim, "ResourceClaimTemplate": template} {
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), kind+`.resource.k8s.io "a" is invalid: spec.`)
			}
			if got != want {
				t.Errorf("%s, %s: got %q, want %q", what, kind, got, want)
			}
		}
	}
	first := start("true")
	started := make(chan struct{})
	var checks sync.WaitGroup
	checks.Go(func() {
		for more := true; more && !t.Failed(); {
			check("first, while the second starts", first, "")
			select {
			case <-started:
				more = false
			default:
			}
		}
	})
	second := start("false")
	close(started)
	checks.Wait()
	check("first", first, "")
	check("second", second, "devices.requests[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace")
}
