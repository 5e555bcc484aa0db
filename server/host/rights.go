// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stoa-project/stoa/apis/tenancy"
)

const (
	// checkTimeout is how long the cluster has to answer a question about health.
	checkTimeout = 2 * time.Second
	// reviewers is how many such questions are asked at once.
	reviewers = 4
	// checkInterval is how long the answer is good that no right is missing.
	checkInterval = 5 * time.Second
)

// Right is something that the server must be allowed to do in the cluster.
type Right struct {
	Verb, Group, Resource, Namespace, Name string
}

// String is as kubectl auth can-i wants it.
func (r Right) String() string {
	out := r.Verb + " " + r.Resource
	if r.Group != "" {
		out += "." + r.Group
	}
	if r.Name != "" {
		out += "/" + r.Name
	}
	if r.Namespace != "" {
		out += " in " + r.Namespace
	}
	return out
}

// Attributes are those of a review.
func (r Right) Attributes() *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{Verb: r.Verb, Group: r.Group, Version: "v1", Resource: r.Resource, Namespace: r.Namespace, Name: r.Name}
}

// ClusterRules are what the server does with the cluster's objects, in all namespaces:
// namespaces are those of projects, and what tenants and grants say becomes objects in
// them. What tenants limit it counts; of other kinds than these only if it is given the
// right. To bind roles that the server does not hold itself needs the verbs bind and
// escalate. There is none of them for bindings in the whole cluster, which it only reads.
func ClusterRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"limitranges", "resourcequotas"}, Verbs: []string{"list", "watch", "create", "patch", "delete"}},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: []string{"list", "watch", "create", "patch", "delete"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, Verbs: []string{"get", "list", "watch", "create", "update", "delete", "bind", "escalate"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"list", "watch", "bind"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterrolebindings"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"persistentvolumeclaims", "services"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"resource.k8s.io"}, Resources: []string{"deviceclasses"}, Verbs: []string{"list"}},
		{APIGroups: []string{"resource.k8s.io"}, Resources: []string{"resourceclaims"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{tenancy.GroupName}, Resources: []string{"grants"}, Verbs: []string{"list", "watch"}},
	}
}

// WebhookRules are what the server does with the webhooks by which the cluster asks it.
func WebhookRules() []rbacv1.PolicyRule {
	rule := func(resource string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{resource}, ResourceNames: []string{tenancy.Webhooks}, Verbs: verbs}
	}
	return []rbacv1.PolicyRule{rule("mutatingwebhookconfigurations", "get"), rule("validatingwebhookconfigurations", "get", "patch")}
}

// Place is where a server is in the cluster.
type Place struct {
	// Namespace has its leases.
	Namespace string
	// Secret keeps its authority, if it has a name.
	Secret ObjectName
	// APIServices register it.
	APIServices []string
}

// Rights are those that a server needs.
func (p Place) Rights() []Right {
	out := []Right{
		{Verb: "create", Group: "authentication.k8s.io", Resource: "tokenreviews"},
		{Verb: "create", Group: "authorization.k8s.io", Resource: "subjectaccessreviews"},
		{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: trustName},
		{Verb: "list", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: trustName},
		{Verb: "watch", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: trustName},
	}
	for _, rule := range append(ClusterRules(), WebhookRules()...) {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				out = append(out, Right{Verb: verb, Group: rule.APIGroups[0], Resource: resource, Name: strings.Join(rule.ResourceNames, "")})
			}
		}
	}
	for _, verb := range []string{"create", "get", "update"} {
		out = append(out, Right{Verb: verb, Group: "coordination.k8s.io", Resource: "leases", Namespace: p.Namespace})
	}
	for _, name := range p.APIServices {
		for _, verb := range []string{"get", "patch"} {
			out = append(out, Right{Verb: verb, Group: "apiregistration.k8s.io", Resource: "apiservices", Name: name})
		}
	}
	if p.Secret.Name != "" {
		for _, verb := range []string{"get", "update"} {
			out = append(out, Right{Verb: verb, Resource: "secrets", Namespace: p.Secret.Namespace, Name: p.Secret.Name})
		}
	}
	return out
}

// Check is one of what /readyz tells of the cluster.
type Check struct {
	Name  string
	Check func(context.Context) error
}

// Checks tell what the server needs of the cluster and has not got. /readyz shows names
// alone, so that there is one for each kind of object.
func (h *Host) Checks(rights []Right) []Check {
	out := []Check{
		{"host", h.answers},
		{"host-authentication", func(context.Context) error { return h.trust.check() }},
	}
	named := map[string]bool{}
	for _, right := range rights {
		resource := right.Resource
		if named[resource] {
			continue
		}
		named[resource] = true
		out = append(out, Check{"host-" + resource, func(ctx context.Context) error {
			missing, err := h.rights.get(func() ([]Right, error) { return h.missing(ctx, rights) })
			if err != nil {
				return err
			}
			var texts []string
			for _, right := range missing {
				if right.Resource == resource {
					texts = append(texts, right.String())
				}
			}
			if texts != nil {
				return errors.New("the host cluster does not allow this server to " + strings.Join(texts, ", "))
			}
			return nil
		}})
	}
	return out
}

// answers asks for nothing but an answer.
func (h *Host) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := h.Client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error(); err != nil {
		return fmt.Errorf("the host cluster at %s does not answer: %w", h.Config.Host, err)
	}
	return nil
}

// Lacks returns in words the rights that the server needs to count the objects of a
// resource, and does not have.
func (h *Host) Lacks(ctx context.Context, resource schema.GroupResource) ([]string, error) {
	var out []string
	missing, err := h.missing(ctx, []Right{
		{Verb: "list", Group: resource.Group, Resource: resource.Resource}, {Verb: "watch", Group: resource.Group, Resource: resource.Resource},
	})
	for _, right := range missing {
		out = append(out, right.String())
	}
	return out, err
}

// missing are the rights that the server does not have.
func (h *Host) missing(ctx context.Context, rights []Right) ([]Right, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	allowed := make([]bool, len(rights))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reviewers)
	for i, right := range rights {
		group.Go(func() error {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: right.Attributes()}}
			answer, err := h.Client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("ask the host cluster what this server may do: %w", err)
			}
			allowed[i] = answer.Status.Allowed
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []Right
	for i, right := range rights {
		if !allowed[i] {
			out = append(out, right)
		}
	}
	return out, nil
}

// recent keeps an answer for a while: anybody may ask for health, and must not have the
// cluster asked as often.
type recent struct {
	mu      sync.Mutex
	until   time.Time
	missing []Right
	err     error
}

func (r *recent) get(ask func() ([]Right, error)) ([]Right, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().Before(r.until) {
		return r.missing, r.err
	}
	r.missing, r.err = ask()
	r.until = time.Now()
	if r.err == nil && r.missing == nil {
		r.until = r.until.Add(checkInterval) // what is wrong may be put right at any moment
	} else {
		r.until = r.until.Add(time.Second)
	}
	return r.missing, r.err
}
