// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"

	"github.com/stoa-project/stoa/authz/rbac"
)

// question is what stoa auth explain is asked.
type question struct {
	user, namespace, subresource, path string
	groups                             []string
	everywhere                         bool

	verb, resource, name string
}

// parse reads the arguments.
func (q *question) parse(arguments []string) error {
	switch {
	case q.user == "" && len(q.groups) > 0:
		return errors.New("--as-group needs --as")
	case q.path != "" && len(arguments) != 1:
		return errors.New("VERB alone must follow --non-resource")
	case q.path != "" && !strings.HasPrefix(q.path, "/"):
		return errors.New("--non-resource must begin with a slash")
	case q.path != "" && (q.namespace != "" || q.everywhere || q.subresource != ""):
		return errors.New("--namespace, --all-namespaces and --subresource are for resources")
	case q.path == "" && len(arguments) != 2:
		return errors.New("VERB and RESOURCE must follow, such as: get pods")
	case q.namespace != "" && q.everywhere:
		return errors.New("--namespace and --all-namespaces exclude each other")
	}
	q.verb = arguments[0]
	if q.path == "" {
		q.resource, q.name, _ = strings.Cut(arguments[1], "/")
	}
	return nil
}

// answer is what stoa auth explain says. Its JSON is for programs.
type answer struct {
	Allowed bool    `json:"allowed"`
	Request request `json:"request"`
	// Allowing are the grants that allow the request, in the order in which the server
	// asks them; Missing are the others that the user has, the nearest first.
	Allowing []grant `json:"allowing"`
	Missing  []grant `json:"missing"`
	Server   verdict `json:"server"`
	// Notes are about the question.
	Notes []string `json:"notes,omitempty"`
}

// request is what would be done, and by whom.
type request struct {
	User        string   `json:"user"`
	Groups      []string `json:"groups"`
	Verb        string   `json:"verb"`
	Group       string   `json:"group,omitempty"`
	Resource    string   `json:"resource,omitempty"`
	Subresource string   `json:"subresource,omitempty"`
	Namespace   string   `json:"namespace,omitempty"`
	Name        string   `json:"name,omitempty"`
	Path        string   `json:"path,omitempty"`
}

// grant is a role that the user has.
type grant struct {
	Binding   string `json:"binding"`
	Namespace string `json:"namespace,omitempty"`
	Role      string `json:"role"`
	Subject   string `json:"subject"`
	// Text has all of these, in the words of the server.
	Text string             `json:"text"`
	Rule *rbacv1.PolicyRule `json:"rule,omitempty"`
	// Lacks are the parts of the request that the rule does not allow.
	Lacks []rbac.Part `json:"lacks,omitempty"`
	// From are the roles that brought the rule into an aggregated one.
	From  []rbac.Source `json:"from,omitempty"`
	Error string        `json:"error,omitempty"`
}

// verdict is what the server says.
type verdict struct {
	Allowed bool   `json:"allowed"`
	Denied  bool   `json:"denied,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Error   string `json:"error,omitempty"`
}

// ask finds the answer. namespace is that of the context.
func (q *question) ask(ctx context.Context, client kubernetes.Interface, namespace string) (*answer, error) {
	a := &answer{Allowing: []grant{}, Missing: []grant{}, Request: request{
		Verb: q.verb, Resource: q.resource, Subresource: q.subresource, Name: q.name, Path: q.path,
	}}
	if err := a.identify(ctx, client, q); err != nil {
		return nil, err
	}
	if q.path == "" {
		if !q.everywhere {
			a.Request.Namespace = cmp.Or(q.namespace, namespace, metav1.NamespaceDefault)
		}
		if err := a.find(client); err != nil {
			return nil, err
		}
	}
	policy, err := readPolicy(ctx, client, a.Request.Namespace)
	if err != nil {
		return nil, err
	}
	known, err := rbac.NewFixed(policy)
	if err != nil {
		return nil, err
	}
	a.judge(known)
	review, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, a.Request.review(), metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	a.Server = verdict{Allowed: review.Status.Allowed, Denied: review.Status.Denied, Reason: review.Status.Reason, Error: review.Status.EvaluationError}
	a.Allowed = a.Server.Allowed
	return a, nil
}

// identify fills in the user, with the groups that he has by himself.
func (a *answer) identify(ctx context.Context, client kubernetes.Interface, q *question) error {
	if q.user == "" {
		review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("ask the server who I am: %w", err)
		}
		a.Request.User, a.Request.Groups = review.Status.UserInfo.Username, review.Status.UserInfo.Groups
		return nil
	}
	groups := slices.Clone(q.groups)
	if namespace, _, err := serviceaccount.SplitUsername(q.user); err == nil && len(groups) == 0 {
		groups = serviceaccount.MakeGroupNames(namespace)
	}
	all := user.AllAuthenticated
	if q.user == user.Anonymous {
		all = user.AllUnauthenticated
	}
	if !slices.Contains(groups, all) {
		groups = append(groups, all)
	}
	a.Request.User, a.Request.Groups = q.user, groups
	return nil
}

// find resolves the name of the resource, as kubectl does.
func (a *answer) find(client kubernetes.Interface) error {
	r := &a.Request
	asked := schema.ParseGroupResource(r.Resource)
	r.Resource, r.Group = asked.Resource, asked.Group
	if r.Resource == "*" {
		return nil
	}
	groups, err := restmapper.GetAPIGroupResources(client.Discovery())
	if err != nil {
		return fmt.Errorf("ask the server for its resources: %w", err)
	}
	mapper := restmapper.NewShortcutExpander(restmapper.NewDiscoveryRESTMapper(groups), client.Discovery(), nil)
	found, err := mapper.ResourceFor(asked.WithVersion(""))
	if err != nil {
		a.Notes = append(a.Notes, fmt.Sprintf("the server has no resource %q", asked.String()))
		return nil
	}
	r.Resource, r.Group = found.Resource, found.Group
	for _, group := range groups {
		for _, resource := range group.VersionedResources[found.Version] {
			if group.Group.Name == found.Group && resource.Name == found.Resource && !resource.Namespaced {
				r.Namespace = ""
			}
		}
	}
	return nil
}

// readPolicy reads what concerns a namespace, and cluster roles alone for none.
func readPolicy(ctx context.Context, client kubernetes.Interface, namespace string) (rbac.Policy, error) {
	access, all := client.RbacV1(), metav1.ListOptions{}
	policy := rbac.Policy{}
	clusterRoles, err := access.ClusterRoles().List(ctx, all)
	if err != nil {
		return policy, fmt.Errorf("read cluster roles: %w", err)
	}
	clusterRoleBindings, err := access.ClusterRoleBindings().List(ctx, all)
	if err != nil {
		return policy, fmt.Errorf("read cluster role bindings: %w", err)
	}
	policy.ClusterRoles, policy.ClusterRoleBindings = pointers(clusterRoles.Items), pointers(clusterRoleBindings.Items)
	if namespace == "" {
		return policy, nil
	}
	roles, err := access.Roles(namespace).List(ctx, all)
	if err != nil {
		return policy, fmt.Errorf("read roles: %w", err)
	}
	roleBindings, err := access.RoleBindings(namespace).List(ctx, all)
	if err != nil {
		return policy, fmt.Errorf("read role bindings: %w", err)
	}
	policy.Roles, policy.RoleBindings = pointers(roles.Items), pointers(roleBindings.Items)
	return policy, nil
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}

// judge sorts the grants of the user by whether they allow the request.
func (a *answer) judge(known *rbac.Authorizer) {
	for _, c := range known.Explain(a.Request.attributes()) {
		g := grant{
			Binding: c.Grant.Name, Namespace: c.Grant.Namespace, Role: c.Grant.Role.Kind + "/" + c.Grant.Role.Name,
			Subject: c.Grant.Subject.Kind + "/" + c.Grant.Subject.Name, Text: c.Grant.String(), Rule: c.Rule, Lacks: c.Misses,
		}
		if c.Err != nil {
			g.Error = c.Err.Error()
		}
		if c.Rule != nil && c.Grant.Role.Kind == "ClusterRole" {
			g.From = known.Sources(c.Grant.Role.Name, c.Rule)
		}
		if c.Allows() {
			a.Allowing = append(a.Allowing, g)
		} else {
			a.Missing = append(a.Missing, g)
		}
	}
}

func (r *request) attributes() authorizer.Attributes {
	return authorizer.AttributesRecord{
		User: &user.DefaultInfo{Name: r.User, Groups: r.Groups}, Verb: r.Verb, Namespace: r.Namespace, APIGroup: r.Group,
		Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, ResourceRequest: r.Path == "", Path: r.Path,
	}
}

func (r *request) review() *authorizationv1.SubjectAccessReview {
	spec := authorizationv1.SubjectAccessReviewSpec{User: r.User, Groups: r.Groups}
	if r.Path != "" {
		spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: r.Path, Verb: r.Verb}
	} else {
		spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Namespace: r.Namespace, Verb: r.Verb, Group: r.Group, Version: "*", Resource: r.Resource, Subresource: r.Subresource, Name: r.Name,
		}
	}
	return &authorizationv1.SubjectAccessReview{Spec: spec}
}
