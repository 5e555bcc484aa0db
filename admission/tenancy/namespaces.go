// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/util/retry"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/registry/tenancy/members"
)

// shown is how many namespaces a warning names.
const shown = 10

// Key is what the charges of a tenant are under.
func Key(tenant string) string { return "tenants/" + tenant }

// namespace keeps the rules for a write to a namespace itself.
func (p *plugin) namespace(ctx context.Context, a admission.Attributes) error {
	if !p.WaitForReady() {
		return admission.NewForbidden(a, fmt.Errorf("not yet ready to handle request"))
	}
	before, wasOf := labelOf(a.GetOldObject())
	after, isOf := labelOf(a.GetObject())
	if a.GetOperation() == admission.Delete {
		after, isOf = before, wasOf
	}
	if !wasOf && !isOf {
		return nil
	}
	if wasOf && isOf && before == after {
		tenant, err := p.tenants.Get(ctx, before)
		if err != nil || tenant == nil {
			return err
		}
		return p.active(ctx, a, tenant)
	}
	if wasOf {
		if err := p.leave(ctx, a, before); err != nil {
			return err
		}
	}
	if isOf {
		return p.join(ctx, a, after)
	}
	return nil
}

func labelOf(obj any) (tenant string, has bool) {
	namespace, ok := obj.(*core.Namespace)
	if !ok || namespace == nil {
		return "", false
	}
	tenant, has = namespace.Labels[tenancy.TenantLabel]
	return tenant, has
}

// leave says whether the user may take a namespace from a tenant.
func (p *plugin) leave(ctx context.Context, a admission.Attributes, name string) error {
	tenant, err := p.tenants.Client.TenancyV1().Tenants().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil // nobody is asked
	}
	if err != nil {
		return err
	}
	return p.mayUse(ctx, a, tenant)
}

// contention is how a namespace is counted that others are counted with on another server.
func contention() wait.Backoff {
	return wait.Backoff{Duration: 2 * time.Millisecond, Factor: 1.5, Jitter: 1, Steps: 16}
}

// join says whether the user may give a namespace to a tenant, and counts it. The write
// holds for the version that was read: of two servers that count at once, one tries again.
func (p *plugin) join(ctx context.Context, a admission.Attributes, name string) error {
	unlock, err := p.counting.Lock(ctx, name) // of all requests at once, all but one would try again
	if err != nil {
		return err
	}
	defer unlock()
	if !a.IsDryRun() { // before the tenant is read: whoever deletes it later waits for this
		p.charges.Add(ctx, Key(name))
	}
	api := p.tenants.Client.TenancyV1().Tenants()
	return retry.RetryOnConflict(contention(), func() error {
		tenant, err := api.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return p.missing(ctx, a, name)
		}
		if err != nil {
			return err
		}
		if err := p.mayUse(ctx, a, tenant); err != nil {
			return err
		}
		switch limit, count := tenant.Spec.Namespaces.Limit, tenant.Status.Namespaces.Count; {
		case tenant.DeletionTimestamp != nil:
			return admission.NewForbidden(a, fmt.Errorf("tenant %q is being deleted", name))
		case limit == nil:
			return nil
		case count >= *limit:
			return admission.NewForbidden(a, fmt.Errorf("tenant %q has %d namespaces, of %d that it may have", name, count, *limit))
		case a.IsDryRun():
			return nil
		}
		tenant.Status.Namespaces.Count++
		_, err = api.UpdateStatus(ctx, tenant, metav1.UpdateOptions{})
		return err
	})
}

// mayUse says whether the user owns a tenant that is not suspended, or was given the verb.
func (p *plugin) mayUse(ctx context.Context, a admission.Attributes, tenant *tenancyv1.Tenant) error {
	owns := slices.ContainsFunc(tenant.Spec.Owners, func(s rbacv1.Subject) bool { return is(a.GetUserInfo(), s) })
	if owns && !tenant.Spec.Suspended || members.MayUse(ctx, p.authorizer, a.GetUserInfo(), tenant.Name) {
		return nil
	}
	if owns {
		return suspended(a, tenant)
	}
	return admission.NewForbidden(a, notOwned(a, tenant.Name))
}

// missing is the answer for a tenant that is not there. Only who may use any of that name
// is told so.
func (p *plugin) missing(ctx context.Context, a admission.Attributes, tenant string) error {
	if members.MayUse(ctx, p.authorizer, a.GetUserInfo(), tenant) {
		return admission.NewForbidden(a, fmt.Errorf("metadata.labels[%s]: there is no tenant %q", tenancy.TenantLabel, tenant))
	}
	return admission.NewForbidden(a, notOwned(a, tenant))
}

// notOwned is the same for a tenant of others and for none.
func notOwned(a admission.Attributes, tenant string) error {
	return fmt.Errorf("metadata.labels[%s]: user %q does not own tenant %q", tenancy.TenantLabel, a.GetUserInfo().GetName(), tenant)
}

// is says whether a user is a subject, or belongs to it.
func is(who user.Info, s rbacv1.Subject) bool {
	switch s.Kind {
	case rbacv1.UserKind:
		return who.GetName() == s.Name
	case rbacv1.GroupKind:
		return slices.Contains(who.GetGroups(), s.Name)
	case rbacv1.ServiceAccountKind:
		return who.GetName() == serviceaccount.MakeUsername(s.Namespace, s.Name)
	default:
		return false
	}
}

// active refuses a write in a namespace of a suspended tenant, but for those of the
// system, which keeps running what runs, and of administrators.
func (p *plugin) active(ctx context.Context, a admission.Attributes, tenant *tenancyv1.Tenant) error {
	if !tenant.Spec.Suspended || a.GetResource().Group == "authorization.k8s.io" || system(a.GetUserInfo()) || members.MayUse(ctx, p.authorizer, a.GetUserInfo(), tenant.Name) {
		return nil
	}
	return suspended(a, tenant)
}

func suspended(a admission.Attributes, tenant *tenancyv1.Tenant) error {
	return admission.NewForbidden(a, fmt.Errorf("tenant %q is suspended: nothing can be changed in its namespaces", tenant.Name))
}

// warn tells who deletes a tenant that has namespaces why it stays: clients wait for the
// end, and would not say for what.
func warn(ctx context.Context, a admission.Attributes) {
	tenant, ok := a.GetOldObject().(*tenancy.Tenant)
	if a.GetOperation() != admission.Delete || a.GetSubresource() != "" || !ok || tenant == nil || len(tenant.Status.Namespaces.Names) == 0 {
		return
	}
	names := tenant.Status.Namespaces.Names
	list := strings.Join(names[:min(len(names), shown)], ", ")
	if len(names) > shown {
		list += ", and others"
	}
	warning.AddWarning(ctx, "", fmt.Sprintf("tenant %q is gone when its namespaces are deleted: %s", tenant.Name, list))
}

// system says whether a user is a part of the system. Accounts of other namespaces than
// its own are not.
func system(who user.Info) bool {
	name := who.GetName()
	if namespace, _, err := serviceaccount.SplitUsername(name); err == nil {
		return namespace == metav1.NamespaceSystem
	}
	return strings.HasPrefix(name, "system:") && name != user.Anonymous
}
