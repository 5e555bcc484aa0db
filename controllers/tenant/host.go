// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apiquota "k8s.io/apiserver/pkg/quota/v1"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// lookAgain is how often the controller looks whether a host asks about what tenants
	// limit, and lookSoon the same while something is missing.
	lookAgain, lookSoon = time.Minute, 10 * time.Second
	// everything is the only key of the queue for that.
	everything = "host"
)

// host is what the controller knows of a host that asks by webhooks about what is written
// to it.
type host struct {
	server work.Server
	look   *work.Queue

	lock sync.Mutex
	// known says that the controller has looked.
	known bool
	// wrong is why it does not ask; empty: it does.
	wrong string
	// missing are the kinds that tenants limit and that the server may not count, and why.
	missing map[schema.GroupResource]string
	// kept says that machines are kept for a tenant, and others must stay away.
	kept bool
}

func newHost(server work.Server, look func(context.Context, string) error) *host {
	return &host{server: server, look: work.NewQueue(Name+"-host", look)}
}

// placed says whether a tenant says where its pods run.
func placed(t *tenancyv1.Tenant) bool {
	return len(t.Spec.Placement.NodeSelector)+len(t.Spec.Placement.Tolerations) > 0
}

// limits says whether a tenant limits what is written in its namespaces.
func limits(t *tenancyv1.Tenant) bool { return placed(t) || len(t.Spec.Quota.Hard) > 0 }

// limitsOf is the value of the label by which the host goes in the namespaces of a tenant;
// empty: none.
func (c *controller) limitsOf(t *tenancyv1.Tenant) (string, error) {
	if placed(t) {
		return "", nil
	}
	all, err := c.tenants.List(labels.Everything())
	if err != nil {
		return "", err
	}
	if len(t.Spec.Quota.Hard) > 0 || keepsMachines(all) {
		return tenancy.LimitsWithoutPlacement, nil
	}
	return tenancy.LimitsNone, nil
}

// keepsMachines says whether machines are kept for some tenant, from which the pods of the
// others must stay away.
func keepsMachines(all []*tenancyv1.Tenant) bool {
	return slices.ContainsFunc(all, func(t *tenancyv1.Tenant) bool { return len(t.Spec.Placement.Tolerations) > 0 })
}

// syncHost has the host ask about what tenants limit, and tells those of them that do
// if it does not.
func (c *controller) syncHost(ctx context.Context, _ string) error {
	all, err := c.tenants.List(labels.Everything())
	if err != nil {
		return err
	}
	limiting := slices.DeleteFunc(slices.Clone(all), func(t *tenancyv1.Tenant) bool { return !limits(t) })
	rules, missing, err := c.host.rules(ctx, limiting)
	if err != nil {
		return err
	}
	wrong, err := c.host.ask(ctx, rules)
	if err != nil {
		return err
	}
	kept := keepsMachines(all)
	c.host.lock.Lock()
	changed, moved := !c.host.known || c.host.wrong != wrong || !maps.Equal(c.host.missing, missing), c.host.kept != kept
	c.host.known, c.host.wrong, c.host.missing, c.host.kept = true, wrong, missing, kept
	c.host.lock.Unlock()
	if moved { // the others have to be kept away, or need not be any more
		for _, t := range all {
			for _, namespace := range c.of(t.Name) {
				c.within.Add(namespace.Name)
			}
		}
	}
	for _, t := range limiting {
		if changed {
			c.ofTenants.Add(t.Name)
		}
	}
	switch {
	case len(limiting) == 0:
	case wrong != "" || len(missing) > 0:
		c.host.look.AddAfter(everything, lookSoon)
	default:
		c.host.look.AddAfter(everything, lookAgain)
	}
	return nil
}

// rules say what the host has to ask about. missing is why the server cannot count some
// of it, about which it is not asked.
func (h *host) rules(ctx context.Context, tenants []*tenancyv1.Tenant) (rules []admissionregistrationv1.RuleWithOperations, missing map[schema.GroupResource]string, err error) {
	hard := corev1.ResourceList{}
	for _, t := range tenants {
		maps.Copy(hard, t.Spec.Quota.Hard)
	}
	if slices.ContainsFunc(tenants, placed) {
		rules = append(rules, rule(core.Resource("pods"), "v1", "", admissionregistrationv1.Create, admissionregistrationv1.Update))
	}
	if len(hard) == 0 {
		return rules, nil, nil
	}
	served, err := h.server.Catalog.Get(ctx)
	if err != nil {
		return nil, nil, err
	}
	missing = map[schema.GroupResource]string{}
	for _, resource := range h.limited(ctx, hard) {
		found, ok := served.Resource(resource)
		if !ok || !found.Namespaced {
			continue
		}
		lacks, err := h.server.Lacks(ctx, resource)
		if err != nil {
			return nil, nil, err
		}
		if len(lacks) > 0 {
			missing[resource] = "the server may not " + strings.Join(lacks, ", ")
			continue
		}
		switch resource {
		case core.Resource("pods"): // an update cannot change what a pod asks for, but for its size
			rules = append(rules, rule(resource, found.Version, "", admissionregistrationv1.Create), rule(resource, found.Version, "resize", admissionregistrationv1.Update))
		case core.Resource("services"), core.Resource("persistentvolumeclaims"):
			rules = append(rules, rule(resource, found.Version, "", admissionregistrationv1.Create, admissionregistrationv1.Update))
		default:
			rules = append(rules, rule(resource, found.Version, "", admissionregistrationv1.Create))
		}
	}
	return rules, missing, nil
}

// limited are the kinds of which a quota limits something, in order.
func (h *host) limited(ctx context.Context, hard corev1.ResourceList) []schema.GroupResource {
	var out []schema.GroupResource
	for _, e := range quota.Limiting(apiquota.ResourceNames(hard), &quota.Devices{Client: h.server.Client, Done: ctx.Done()}, nil) {
		out = append(out, e.GroupResource())
	}
	slices.SortFunc(out, func(a, b schema.GroupResource) int { return strings.Compare(a.String(), b.String()) })
	return out
}

func rule(resource schema.GroupResource, version, subresource string, operations ...admissionregistrationv1.OperationType) admissionregistrationv1.RuleWithOperations {
	path := resource.Resource
	if subresource != "" {
		path += "/" + subresource
	}
	return admissionregistrationv1.RuleWithOperations{Operations: operations, Rule: admissionregistrationv1.Rule{
		APIGroups: []string{resource.Group}, APIVersions: []string{version}, Resources: []string{path}, Scope: new(admissionregistrationv1.NamespacedScope),
	}}
}

// ask has the webhook of the host be asked by these rules. wrong is why that cannot be.
func (h *host) ask(ctx context.Context, rules []admissionregistrationv1.RuleWithOperations) (wrong string, err error) {
	const install = ": run stoa install"
	api := h.server.Client.AdmissionregistrationV1()
	_, err = api.MutatingWebhookConfigurations().Get(ctx, tenancy.Webhooks, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "there is no MutatingWebhookConfiguration " + tenancy.Webhooks + install, nil
	}
	if apierrors.IsForbidden(err) { // the roles are older than the server
		return "the server may not get mutatingwebhookconfigurations/" + tenancy.Webhooks + install, nil
	}
	if err != nil {
		return "", err
	}
	known, err := api.ValidatingWebhookConfigurations().Get(ctx, tenancy.Webhooks, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "there is no ValidatingWebhookConfiguration " + tenancy.Webhooks + install, nil
	}
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(known.Webhooks, func(w admissionregistrationv1.ValidatingWebhook) bool { return w.Name == tenancy.LimitsWebhook })
	if i < 0 {
		return "ValidatingWebhookConfiguration " + tenancy.Webhooks + " has no webhook " + tenancy.LimitsWebhook + install, nil
	}
	if apiequality.Semantic.DeepEqual(known.Webhooks[i].Rules, rules) {
		return "", nil
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": admissionregistrationv1.SchemeGroupVersion.String(), "kind": "ValidatingWebhookConfiguration",
		"metadata": map[string]any{"name": tenancy.Webhooks},
		"webhooks": []any{map[string]any{"name": tenancy.LimitsWebhook, "rules": rules}},
	})
	if err != nil {
		return "", err
	}
	_, err = api.ValidatingWebhookConfigurations().Patch(ctx, tenancy.Webhooks, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: manager, Force: new(true)})
	if err != nil {
		return "", fmt.Errorf("have the host ask about what tenants limit: %w", err)
	}
	return "", nil
}

// without says what of a tenant is not in force, and why. known says that this is known.
func (h *host) without(t *tenancyv1.Tenant) (out []string, known bool) {
	h.lock.Lock()
	known, wrong, missing := h.known, h.wrong, h.missing
	h.lock.Unlock()
	if placed(t) && wrong != "" {
		out = append(out, "spec.placement does not hold: "+wrong)
	}
	if len(t.Spec.Quota.Hard) > 0 && wrong != "" {
		out = append(out, "spec.quota does not hold: "+wrong)
	}
	if wrong != "" || len(missing) == 0 {
		return out, known
	}
	for _, name := range slices.Sorted(maps.Keys(t.Spec.Quota.Hard)) {
		for _, e := range quota.Limiting([]corev1.ResourceName{name}, nil, nil) {
			if why, ok := missing[e.GroupResource()]; ok {
				out = append(out, fmt.Sprintf("spec.quota of %s does not hold: %s", name, why))
			}
		}
	}
	return out, known
}
