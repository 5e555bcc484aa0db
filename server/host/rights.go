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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// Rights are those that a server needs that keeps its authority in a secret, if it has
// a name, and that is registered by APIServices.
func Rights(secret ObjectName, apiServices []string) []Right {
	out := []Right{
		{Verb: "create", Group: "authentication.k8s.io", Resource: "tokenreviews"},
		{Verb: "create", Group: "authorization.k8s.io", Resource: "subjectaccessreviews"},
		{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: trustName},
		{Verb: "list", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: trustName},
		{Verb: "watch", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: trustName},
		{Verb: "get", Resource: "namespaces"},
		{Verb: "list", Resource: "namespaces"},
		{Verb: "watch", Resource: "namespaces"},
	}
	for _, name := range apiServices {
		for _, verb := range []string{"get", "patch"} {
			out = append(out, Right{Verb: verb, Group: "apiregistration.k8s.io", Resource: "apiservices", Name: name})
		}
	}
	if secret.Name != "" {
		for _, verb := range []string{"get", "update"} {
			out = append(out, Right{Verb: verb, Resource: "secrets", Namespace: secret.Namespace, Name: secret.Name})
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
