// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	typedcoordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/tenancy"
)

const (
	// promisesLease is the lease that holds promises, in promisesAnnotation.
	promisesLease      = "stoa-projects-being-made"
	promisesAnnotation = tenancy.GroupName + "/projects-being-made"
	// idAnnotation of a namespace names the promise that it was made for.
	idAnnotation = tenancy.GroupName + "/project-id"
)

// Promises are the projects that servers are making behind a host: a namespace there, and
// then the binding of the owner. If a server crashes between the two, another one, or the
// same one later, keeps the promise.
//
// A namespace cannot say so itself: whoever may write one could have himself made the
// owner. So promises are in a lease in the namespace of the servers, where nobody else
// writes, and name a namespace by an ID that nobody knows before it is made.
type Promises struct {
	leases typedcoordinationv1.LeaseInterface
	turn   chan struct{} // holds a token while this server writes
}

// promise is one of them.
type promise struct {
	Project string `json:"project"`
	Owner   string `json:"owner"`
	Role    string `json:"role"`
	// Until is when the request is over that makes the namespace.
	Until metav1.Time `json:"until"`
}

// NewPromises returns those in a namespace of a host.
func NewPromises(leases typedcoordinationv1.LeaseInterface) *Promises {
	return &Promises{leases: leases, turn: make(chan struct{}, 1)}
}

// make writes down that a namespace, which it marks, is to be somebody's project, and
// returns what is called when that is done, or will not be.
func (p *Promises) make(ctx context.Context, namespace *corev1.Namespace, owner, role string) (kept func(), err error) {
	id := string(uuid.NewUUID())
	metav1.SetMetaDataAnnotation(&namespace.ObjectMeta, idAnnotation, id)
	made := promise{Project: namespace.Name, Owner: owner, Role: role, Until: metav1.NewTime(time.Now().Add(slotLifetime))}
	if err := p.write(ctx, func(all map[string]promise) { all[id] = made }); err != nil {
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		if err := p.write(ctx, func(all map[string]promise) { delete(all, id) }); err != nil {
			klog.FromContext(ctx).Error(err, "Could not write down that a project is made, which is looked at again", "namespace", made.Project)
		}
	}, nil
}

// write changes what is written down.
func (p *Promises) write(ctx context.Context, change func(map[string]promise)) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		lease, all, err := p.read(ctx)
		if err != nil {
			return err
		}
		before := maps.Clone(all)
		change(all)
		if maps.Equal(before, all) {
			return nil
		}
		text, err := json.Marshal(all)
		if err != nil {
			return fmt.Errorf("annotation %s: %w", promisesAnnotation, err)
		}
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, promisesAnnotation, string(text))
		if lease.ResourceVersion != "" {
			_, err = p.leases.Update(ctx, lease, metav1.UpdateOptions{})
			return err
		}
		if _, err = p.leases.Create(ctx, lease, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
			err = apierrors.NewConflict(coordinationv1.Resource("leases"), promisesLease, err)
		}
		return err
	})
}

// read returns the lease, which may not be there yet, and what is in it.
func (p *Promises) read(ctx context.Context) (*coordinationv1.Lease, map[string]promise, error) {
	lease, err := p.leases.Get(ctx, promisesLease, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: promisesLease}}, map[string]promise{}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	all := map[string]promise{}
	if text := lease.Annotations[promisesAnnotation]; text != "" {
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			return nil, nil, fmt.Errorf("annotation %s of lease %s: %w", promisesAnnotation, promisesLease, err)
		}
	}
	return lease, all, nil
}

// Keep gives their owners the projects that were promised to them, and forgets promises
// that cannot be kept any more: the namespace was never made, or is gone.
func (p *Promises) Keep(ctx context.Context, client kubernetes.Interface) error {
	_, all, err := p.read(ctx)
	if err != nil {
		return err
	}
	var errs []error
	var done []string
	for id, one := range all {
		settled, err := one.keep(ctx, client, id)
		if err != nil {
			errs = append(errs, fmt.Errorf("give %q the project %q: %w", one.Owner, one.Project, err))
		} else if settled {
			done = append(done, id)
		}
	}
	if len(done) > 0 {
		errs = append(errs, p.write(ctx, func(all map[string]promise) {
			for _, id := range done {
				delete(all, id)
			}
		}))
	}
	return errors.Join(errs...)
}

// keep says whether nothing is left to be done for a promise.
func (p promise) keep(ctx context.Context, client kubernetes.Interface, id string) (settled bool, err error) {
	namespace, err := client.CoreV1().Namespaces().Get(ctx, p.Project, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || err == nil && namespace.Annotations[idAnnotation] != id:
		return time.Now().After(p.Until.Time), nil // it may be on its way
	case err != nil:
		return false, err
	}
	_, err = client.RbacV1().RoleBindings(p.Project).Create(ctx, OwnerBinding(p.Project, p.Owner, p.Role), metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return true, nil
	case err == nil:
		klog.FromContext(ctx).Info("Gave somebody the project that a server had not come to the end of", "project", p.Project, "user", p.Owner, "role", p.Role)
	}
	return err == nil, err
}
