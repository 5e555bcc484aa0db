// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package trustbundle_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// published waits until a signer has the bundles, by name.
func published(t *testing.T, client kubernetes.Interface, signer string, want map[string]string) {
	t.Helper()
	diff := ""
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		list, err := client.CertificatesV1().ClusterTrustBundles().List(ctx, metav1.ListOptions{FieldSelector: "spec.signerName=" + signer})
		if err != nil {
			return false, err
		}
		got := map[string]string{}
		for i := range list.Items {
			got[list.Items[i].Name] = list.Items[i].Spec.TrustBundle
		}
		diff = cmp.Diff(want, got)
		return diff == "", nil
	})
	if err != nil {
		t.Fatalf("%v: bundles of %s (-want +got):\n%s", err, signer, diff)
	}
}

// The signer has one bundle, also after somebody changed or deleted it, or made another one.
// Those of other signers are left alone.
func TestController(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server")
	}
	const signer, other = "kubernetes.io/kube-apiserver-serving", "example.com/other"
	config := stoatest.Start(t).Config()
	client := kubernetes.NewForConfigOrDie(config)
	hash := sha256.Sum256(config.CAData)
	name := fmt.Sprintf("kubernetes.io:kube-apiserver-serving:%x", hash[:12])
	want := map[string]string{name: string(config.CAData)}
	published(t, client, signer, want)
	bundles := client.CertificatesV1().ClusterTrustBundles()
	foreign := string(stoatest.Start(t).Config().CAData)
	for made, of := range map[string]string{"kubernetes.io:kube-apiserver-serving:mine": signer, "example.com:other:x": other} {
		_, err := bundles.Create(t.Context(), &certificatesv1.ClusterTrustBundle{
			ObjectMeta: metav1.ObjectMeta{Name: made}, Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: of, TrustBundle: foreign},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	published(t, client, signer, want)
	patch := fmt.Appendf(nil, `{"spec":{"trustBundle":%q}}`, foreign)
	if _, err := bundles.Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	published(t, client, signer, want)
	if err := bundles.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	published(t, client, signer, want)
	published(t, client, other, map[string]string{"example.com:other:x": foreign})
}

// A bundle of what the server had before goes when it has something else.
func TestRenewed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts servers")
	}
	const signer = "kubernetes.io/kube-apiserver-serving"
	dir := t.TempDir()
	server := stoatest.Start(t, stoatest.WithDataDir(dir))
	hash := sha256.Sum256(server.Config().CAData)
	stale := fmt.Sprintf("kubernetes.io:kube-apiserver-serving:%x", hash[:12])
	own := string(server.Config().CAData)
	published(t, kubernetes.NewForConfigOrDie(server.Config()), signer, map[string]string{stale: own})
	server.Stop()
	both := own + string(stoatest.Start(t).Config().CAData)
	hash = sha256.Sum256([]byte(both))
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	server = stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithFlags("--root-ca-file="+file))
	published(t, kubernetes.NewForConfigOrDie(server.Config()), signer, map[string]string{fmt.Sprintf("kubernetes.io:kube-apiserver-serving:%x", hash[:12]): both})
}
