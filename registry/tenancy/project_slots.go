// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/metadata"
	clientrest "k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	typedtenancyv1 "github.com/stoa-project/stoa/generated/clientset/versioned/typed/tenancy/v1"
	"github.com/stoa-project/stoa/registry/tenancy/journal"
	"github.com/stoa-project/stoa/registry/tenancy/locks"
	"github.com/stoa-project/stoa/registry/tenancy/members"
)

const (
	// slotsAnnotation holds the namespaces that are just being created, and until when
	// they are waited for. It is what several servers agree by.
	slotsAnnotation = tenancy.GroupName + "/reserved-namespaces"
	// slotLifetime is how long a namespace that is being created counts, if the server
	// that creates it does not come back.
	slotLifetime = 2 * time.Minute
)

// tenantSlots gives the namespaces of a tenant out, never more than there may be. In a
// server they are created one after the other; between servers the tenant itself is
// where they are written down before they are created.
//
// It is for namespaces whose creation no admission plugin of this server sees: where one
// does, it counts those of projects with all others.
type tenantSlots struct {
	config *clientrest.Config
	turns  locks.ByName // by tenant
}

// mayJoin says whether a user may create a project of a tenant: he owns it, and it is not
// suspended, or he has the verb for it.
func (r *projectREST) mayJoin(ctx context.Context, who user.Info, tenant, namespace string) error {
	known, err := r.journal.Tenant(ctx, tenant)
	if err != nil {
		return err
	}
	owns := known != nil && known.OwnedBy(journal.NewWho(who))
	switch {
	case owns && !known.Suspended:
		return nil
	case members.MayUse(ctx, r.authorizer, who, tenant):
		if known == nil {
			return notOfTenant(namespace, "there is no tenant %q", tenant)
		}
		return nil
	case owns:
		return notOfTenant(namespace, "the tenant %q is suspended", tenant)
	}
	// Others cannot tell a tenant that is not there from one that is not theirs.
	return notOfTenant(namespace, "user %q does not own the tenant %q", who.GetName(), tenant)
}

func notOfTenant(namespace, format string, args ...any) error {
	return apierrors.NewForbidden(tenancy.Resource(projects), namespace, fmt.Errorf(format, args...))
}

// takeSlot checks that there is room for a namespace of a tenant. What it returns must be
// called when the namespace is created, or is not.
func (r *projectREST) takeSlot(ctx context.Context, tenant, namespace string, dry bool) (func(), error) {
	unlock, err := r.tenants.turns.Lock(ctx, tenant)
	if err != nil {
		return nil, err
	}
	release := unlock
	defer func() {
		if err != nil {
			release()
		}
	}()
	config := clientrest.CopyConfig(r.tenants.config)
	config.ContentType = runtime.ContentTypeJSON // tenants have no other
	client, err := typedtenancyv1.NewForConfig(config)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	limited := false
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		now, err := client.Tenants().Get(ctx, tenant, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if now.DeletionTimestamp != nil {
			return notOfTenant(namespace, "the tenant %q is being deleted", tenant)
		}
		limit := now.Spec.Namespaces.Limit
		if limited = limit != nil; !limited {
			return nil
		}
		// The tenant was read first: whoever reserved before is in it, or has created.
		there, err := r.members(ctx, tenant)
		if err != nil {
			return err
		}
		slots := readSlots(now)
		for name := range slots {
			if _, made := there[name]; made {
				delete(slots, name)
			}
		}
		if len(there)+len(slots) >= int(*limit) {
			return notOfTenant(namespace, "the tenant %q has all the %d namespaces that it may have", tenant, *limit)
		}
		if dry {
			return nil
		}
		slots[namespace] = time.Now().Add(slotLifetime).Unix()
		if err := writeSlots(now, slots); err != nil {
			return err
		}
		_, err = client.Tenants().Update(ctx, now, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	if !limited || dry {
		return release, nil
	}
	return func() {
		defer unlock()
		r.tenants.giveBack(ctx, client, tenant, namespace)
	}, nil
}

// members returns the names of the namespaces of a tenant. A host is asked itself, which
// does not say how far its watches are.
func (r *projectREST) members(ctx context.Context, tenant string) (map[string]struct{}, error) {
	if !r.behind {
		return r.journal.Members(ctx, tenant)
	}
	client, err := metadata.NewForConfig(r.cluster)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	list, err := members.List(ctx, client, tenant)
	if err != nil {
		return nil, ofProject(err, "")
	}
	out := map[string]struct{}{}
	for i := range list {
		out[list[i].Name] = struct{}{}
	}
	return out, nil
}

// giveBack ends what takeSlot wrote down. If that fails, it ends by itself.
func (s *tenantSlots) giveBack(ctx context.Context, client typedtenancyv1.TenancyV1Interface, tenant, namespace string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		now, err := client.Tenants().Get(ctx, tenant, metav1.GetOptions{})
		if err != nil {
			return err
		}
		slots := readSlots(now)
		delete(slots, namespace)
		if err := writeSlots(now, slots); err != nil {
			return err
		}
		_, err = client.Tenants().Update(ctx, now, metav1.UpdateOptions{})
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		klog.FromContext(ctx).Error(err, "Could not take a namespace that was created from those that are being created", "tenant", tenant, "namespace", namespace)
	}
}

// readSlots returns the namespaces that are being created, and until when they count.
func readSlots(tenant *tenancyv1.Tenant) map[string]int64 {
	out := map[string]int64{}
	if err := json.Unmarshal([]byte(tenant.Annotations[slotsAnnotation]), &out); err != nil {
		return map[string]int64{} // none, or not written by a server
	}
	now := time.Now().Unix()
	for name, until := range out {
		if until < now {
			delete(out, name)
		}
	}
	return out
}

func writeSlots(tenant *tenancyv1.Tenant, slots map[string]int64) error {
	if len(slots) == 0 {
		delete(tenant.Annotations, slotsAnnotation)
		return nil
	}
	text, err := json.Marshal(slots)
	if err != nil {
		return fmt.Errorf("annotation %s: %w", slotsAnnotation, err)
	}
	metav1.SetMetaDataAnnotation(&tenant.ObjectMeta, slotsAnnotation, string(text))
	return nil
}
