// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/watch"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"

	"github.com/stoa-project/stoa/registry/kind"
)

// beginnings is the lease that a server writes when it begins to read projects.
const beginnings = "stoa-projects"

// Kind is what kinds may have of the cluster. namespace is where the server has its
// leases.
func (h *Host) Kind(namespace string) *kind.Host {
	config := rest.CopyConfig(h.Config)
	config.Wrap(withAuditID)
	return &kind.Host{Config: config, Namespace: namespace, Begin: func(ctx context.Context) error { return h.begin(ctx, namespace) }}
}

// withAuditID has the cluster's audit log tell for which request another one is sent.
func withAuditID(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if id, ok := audit.AuditIDFrom(r.Context()); ok {
			r = r.Clone(r.Context())
			r.Header.Set(auditinternal.HeaderAuditID, string(id))
		}
		return next.RoundTrip(r)
	})
}

// begin writes a lease, which says when a server began to read projects.
func (h *Host) begin(ctx context.Context, namespace string) error {
	who, err := os.Hostname()
	if err != nil {
		return err
	}
	leases := h.Client.CoordinationV1().Leases(namespace)
	spec := coordinationv1.LeaseSpec{HolderIdentity: new(who + "_" + string(uuid.NewUUID())), RenewTime: new(metav1.NowMicro())}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		known, err := leases.Get(ctx, beginnings, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: beginnings}, Spec: spec}, metav1.CreateOptions{})
			return err
		}
		if err != nil {
			return err
		}
		known.Spec = spec
		_, err = leases.Update(ctx, known, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("write lease %s/%s in the host cluster: %w", namespace, beginnings, err)
	}
	return nil
}

// Source follows a resource of the groups "" or rbac.authorization.k8s.io in the cluster.
func (h *Host) Source(resource schema.GroupVersionResource) (*kind.Source, error) {
	config := rest.CopyConfig(h.Config)
	config.Wrap(h.guard)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	s := source{resource: resource.Resource, client: client.CoreV1().RESTClient(), watches: h.Client.CoreV1().RESTClient()}
	if resource.Group == rbacv1.GroupName {
		s.client, s.watches = client.RbacV1().RESTClient(), h.Client.RbacV1().RESTClient()
	}
	return &kind.Source{Objects: s, Revision: s.known}, nil
}

// source is a resource of the cluster.
type source struct {
	resource        string
	client, watches rest.Interface
}

var _ cache.ListerWatcherWithContext = source{}

// ListWithContext implements cache.ListerWithContext.
func (s source) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	return cache.NewListWatchFromClient(s.client, s.resource, metav1.NamespaceAll, fields.Everything()).ListWithContext(ctx, options)
}

// WatchWithContext implements cache.WatcherWithContext. A cluster that was restored from
// an older state would be silent until it comes to the revision.
func (s source) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	now, err := s.revision(ctx)
	if err != nil {
		return nil, err
	}
	if from, err := strconv.ParseUint(options.ResourceVersion, 10, 64); err == nil && now < from {
		return nil, apierrors.NewResourceExpired(fmt.Sprintf("the host cluster is at resource version %d and was at %d before", now, from))
	}
	return cache.NewListWatchFromClient(s.watches, s.resource, metav1.NamespaceAll, fields.Everything()).WatchWithContext(ctx, options)
}

// known is the current revision, zero if the cluster is away.
func (s source) known(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	revision, err := s.revision(ctx)
	if err != nil && isAway(err) {
		return 0, nil
	}
	return revision, err
}

// revision asks with the smallest list that there is.
func (s source) revision(ctx context.Context) (uint64, error) {
	content, err := s.client.Get().Resource(s.resource).Param("limit", "1").
		SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").Do(ctx).Raw()
	if err != nil {
		return 0, err
	}
	var list metav1.PartialObjectMetadataList
	if err := json.Unmarshal(content, &list); err != nil {
		return 0, fmt.Errorf("list %s of the host cluster: %w", s.resource, err)
	}
	return strconv.ParseUint(list.ResourceVersion, 10, 64)
}
