// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package trustbundle is the controller that publishes by which certificates to know the
// server, as a cluster trust bundle of the signer kubernetes.io/kube-apiserver-serving,
// which pods can mount. The signer has no other bundle.
package trustbundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/certificates"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "kube-apiserver-serving-clustertrustbundle-publisher-controller"
	// queueName is that of the queue in metrics, which is upstream's.
	queueName = "ca_cert_publisher_cluster_trust_bundles"

	signer   = "kubernetes.io/kube-apiserver-serving"
	selector = "spec.signerName=" + signer
)

// syncs are for all servers of a process, which have one registry of metrics.
var syncs = sync.OnceValue(func() work.Syncs { //nolint:gochecknoglobals // like the registry
	return work.NewSyncs("clustertrustbundle_publisher",
		"Number of syncs that occurred in cluster trust bundle publisher.", "The time it took to sync a cluster trust bundle.")
})

type controller struct {
	server  work.Server
	bundle  string // the name of the one that is right
	queue   *work.Queue
	repairs work.Repairs
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		if len(server.RootCA) == 0 {
			return
		}
		hash := sha256.Sum256(server.RootCA)
		c := &controller{
			server: server, bundle: fmt.Sprintf("%s:%x", strings.ReplaceAll(signer, "/", ":"), hash[:12]), repairs: work.Repairs{Controller: Name},
		}
		c.queue = work.NewQueue(queueName, c.sync)
		repair := func() { c.queue.AddAfter(c.bundle, c.repairs.Wait(ctx, c.bundle)) }
		var following sync.WaitGroup
		following.Go(func() {
			server.Follow(ctx, work.Watch{
				Resource: certificatesv1.SchemeGroupVersion.WithResource("clustertrustbundles"), Fields: selector,
				Seen: func(obj metav1.Object) {
					if !c.right(obj) {
						repair()
					}
				},
				Gone: func(obj metav1.Object) {
					if obj.GetName() == c.bundle {
						repair()
					}
				},
				Listed: func([]metav1.Object) { c.queue.Add(c.bundle) },
			})
		})
		c.queue.Run(ctx)
		following.Wait()
	}
}

func (c *controller) right(obj metav1.Object) bool {
	bundle, ok := work.Object(obj).(*certificates.ClusterTrustBundle)
	return ok && bundle.Name == c.bundle && bundle.Spec.TrustBundle == string(c.server.RootCA)
}

// sync publishes the bundle, and deletes the others of the signer when it is there.
func (c *controller) sync(ctx context.Context, _ string) (err error) {
	begin := time.Now()
	defer func() { syncs().Observe(begin, err) }()
	bundles := c.server.Client.CertificatesV1().ClusterTrustBundles()
	list, err := bundles.List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return err
	}
	if err := c.publish(ctx, list.Items); err != nil {
		return err
	}
	var errs []error
	for i := range list.Items {
		if other := &list.Items[i]; other.Name != c.bundle {
			err := bundles.Delete(ctx, other.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(other.UID))})
			if err != nil && !apierrors.IsNotFound(err) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// publish makes the bundle, or puts it right.
func (c *controller) publish(ctx context.Context, have []certificatesv1.ClusterTrustBundle) error {
	bundles := c.server.Client.CertificatesV1().ClusterTrustBundles()
	for i := range have {
		bundle := &have[i]
		switch {
		case bundle.Name != c.bundle:
		case bundle.Spec.TrustBundle == string(c.server.RootCA):
			return nil
		default:
			bundle.Spec.TrustBundle = string(c.server.RootCA)
			_, err := bundles.Update(ctx, bundle, metav1.UpdateOptions{})
			return err
		}
	}
	_, err := bundles.Create(ctx, &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: c.bundle},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: string(c.server.RootCA)},
	}, metav1.CreateOptions{})
	return err
}
