// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
)

// roles has the role reader in the namespace shop and the cluster roles viewer and all.
// Jane may read pods in shop and nothing elsewhere; nobody knows all that lost may do. The
// owl holds what it does in the night for a time.
type roles struct{}

func rule(verbs []string, group, resource string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: verbs, APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names}
}

func (roles) HasSynced() bool { return true }

func (roles) Rules(ref rbacv1.RoleRef, namespace string) ([]rbacv1.PolicyRule, error) {
	switch ref.Kind + " " + ref.Name + " " + namespace {
	case "Role reader shop", "ClusterRole viewer shop", "ClusterRole viewer ":
		return []rbacv1.PolicyRule{rule([]string{"get", "list"}, "", "pods")}, nil
	case "ClusterRole all shop":
		return []rbacv1.PolicyRule{rule([]string{"*"}, "*", "*")}, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Group: rbacv1.GroupName, Resource: "roles"}, ref.Name)
}

func (roles) Held(who user.Info, namespace string) ([]kind.Held, error) {
	pods := []kind.Held{{Rules: []rbacv1.PolicyRule{rule([]string{"get", "list", "watch"}, "", "pods")}}}
	until := func(hour int, rules ...rbacv1.PolicyRule) kind.Held { return kind.Held{Rules: rules, Until: at(hour)} }
	switch {
	case namespace != "shop":
		return nil, nil
	case who.GetName() == "owl" && len(who.GetGroups()) > 0:
		return []kind.Held{
			until(12, rule([]string{"get", "list"}, "", "pods")), until(14, rule([]string{"list"}, "", "pods")),
			until(13, rule([]string{"get"}, "", "pods")), until(12, rule([]string{"bind"}, "*", "clusterroles"), rule([]string{"escalate"}, "*", "roles")),
		}, nil
	case who.GetName() == "jane":
		return pods, nil
	case who.GetName() == "lost":
		return pods, errors.New("a role is not there")
	}
	return nil, nil
}

// at is an hour of a day.
func at(hour int) time.Time { return time.Date(2030, 1, 2, hour, 0, 0, 0, time.UTC) }

// verbs are what some may do besides.
func verbs(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	allowed := map[string]bool{
		"binder bind rbac.authorization.k8s.io clusterroles all shop":     true,
		"binder bind rbac.authorization.k8s.io clusterroles missing shop": true,
		"climber escalate rbac.authorization.k8s.io roles editor shop":    true,
		"climber escalate rbac.authorization.k8s.io clusterroles editor ": true,
		"owl bind rbac.authorization.k8s.io clusterroles all shop":        true,
		"owl escalate rbac.authorization.k8s.io roles  shop":              true,
		"doubted bind rbac.authorization.k8s.io clusterroles all shop":    false,
		"doubted escalate rbac.authorization.k8s.io roles editor shop":    false,
		"shopkeeper bind rbac.authorization.k8s.io roles reader shop":     true,
		"shopkeeper escalate rbac.authorization.k8s.io roles  shop":       true,
	}
	key := a.GetUser().GetName() + " " + a.GetVerb() + " " + a.GetAPIGroup() + " " + a.GetResource() + " " + a.GetName() + " " + a.GetNamespace()
	switch may, known := allowed[key]; {
	case may && a.IsResourceRequest():
		return authorizer.DecisionAllow, "", nil
	case known:
		return authorizer.DecisionNoOpinion, "", errors.New("who decides is away")
	}
	return authorizer.DecisionNoOpinion, "", nil
}

func guard() escalation.Guard {
	return escalation.Guard{Authorizer: authorizer.AuthorizerFunc(verbs), Roles: roles{}}
}

func as(name string, groups ...string) user.Info {
	return &user.DefaultInfo{Name: name, Groups: groups}
}

func check(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	if more := (escalation.Error{}); err != nil && errors.As(err, &more) == apierrors.IsNotFound(err) {
		t.Errorf("%T is not one of both", err)
	}
}

const held = ` is attempting to grant RBAC permissions not currently held:` + "\n"

// Who binds a role holds all that is in it, or may bind it.
func TestBind(t *testing.T) {
	t.Parallel()
	ref := func(kind, name string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
	}
	const everything = `{APIGroups:["*"], Resources:["*"], Verbs:["*"]}`
	for name, tc := range map[string]struct {
		who       user.Info
		namespace string
		role      rbacv1.RoleRef
		want      string
	}{
		"held":                     {as("jane"), "shop", ref("Role", "reader"), ""},
		"held, of the cluster":     {as("jane"), "shop", ref("ClusterRole", "viewer"), ""},
		"held elsewhere":           {as("jane", "a"), "", ref("ClusterRole", "viewer"), `user "jane" (groups=["a"])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`},
		"more":                     {as("jane"), "shop", ref("ClusterRole", "all"), `user "jane" (groups=[])` + held + everything},
		"nothing held":             {as("eve"), "shop", ref("Role", "reader"), `user "eve" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`},
		"not all known":            {as("lost"), "shop", ref("Role", "reader"), ""},
		"more, not all known":      {as("lost"), "shop", ref("ClusterRole", "all"), `user "lost" (groups=[])` + held + everything + "; resolution errors: [a role is not there]"},
		"no role":                  {as("jane"), "shop", ref("Role", "missing"), `roles.rbac.authorization.k8s.io "missing" not found`},
		"of another namespace":     {as("jane"), "square", ref("Role", "reader"), `roles.rbac.authorization.k8s.io "reader" not found`},
		"the verb":                 {as("binder"), "shop", ref("ClusterRole", "all"), ""},
		"the verb, no role":        {as("binder"), "shop", ref("ClusterRole", "missing"), ""},
		"the verb elsewhere":       {as("binder"), "", ref("ClusterRole", "viewer"), `user "binder" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`},
		"the verb, of a namespace": {as("shopkeeper"), "shop", ref("Role", "reader"), ""},
		"nobody can tell":          {as("doubted"), "shop", ref("ClusterRole", "all"), `user "doubted" (groups=[])` + held + everything},
		"an administrator":         {as("root", "system:masters"), "shop", ref("ClusterRole", "all"), ""},
		"an administrator's":       {as("root", "system:masters"), "shop", ref("Role", "missing"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, guard().Bind(t.Context(), tc.who, tc.namespace, tc.role), tc.want)
		})
	}
}

// Who writes rules holds them, or may escalate.
func TestWrite(t *testing.T) {
	t.Parallel()
	get, all := []string{"get"}, []string{"*"}
	pods := rule(get, "", "pods")
	for name, tc := range map[string]struct {
		who                       user.Info
		namespace, resource, role string
		rules                     []rbacv1.PolicyRule
		want                      string
	}{
		"none":       {who: as("eve"), namespace: "shop", resource: "roles"},
		"held":       {who: as("jane"), namespace: "shop", resource: "roles", rules: []rbacv1.PolicyRule{pods, rule([]string{"watch"}, "", "pods", "x")}},
		"not here":   {who: as("jane"), resource: "clusterroles", rules: []rbacv1.PolicyRule{pods}, want: `user "jane" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		"other verb": {who: as("jane"), namespace: "shop", resource: "roles", rules: []rbacv1.PolicyRule{rule(all, "", "pods")}, want: `user "jane" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["*"]}`},
		"in order, verbs together": {
			who: as("jane"), namespace: "shop", resource: "roles",
			rules: []rbacv1.PolicyRule{
				rule([]string{"get", "list"}, "", "secrets"), pods, rule([]string{"create"}, "apps", "deployments", "a"),
				{Verbs: get, NonResourceURLs: []string{"/metrics"}},
			},
			want: `user "jane" (groups=[])` + held + `{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}` + "\n" +
				`{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["a"], Verbs:["create"]}` + "\n" + `{NonResourceURLs:["/metrics"], Verbs:["get"]}`,
		},
		"the verb":                {who: as("climber"), namespace: "shop", resource: "roles", role: "editor", rules: []rbacv1.PolicyRule{rule(all, "*", "*")}},
		"the verb, of clusters":   {who: as("climber"), resource: "clusterroles", role: "editor", rules: []rbacv1.PolicyRule{rule(all, "*", "*")}},
		"the verb, other role":    {who: as("climber"), namespace: "shop", resource: "roles", role: "other", rules: []rbacv1.PolicyRule{pods}, want: `user "climber" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		"the verb, other kind":    {who: as("climber"), namespace: "shop", resource: "clusterroles", role: "editor", rules: []rbacv1.PolicyRule{pods}, want: `user "climber" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		"nobody can tell":         {who: as("doubted"), namespace: "shop", resource: "roles", role: "editor", rules: []rbacv1.PolicyRule{pods}, want: `user "doubted" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`},
		"an administrator":        {who: as("root", "system:masters"), namespace: "shop", resource: "roles", rules: []rbacv1.PolicyRule{rule(all, "*", "*")}},
		"said once, though twice": {who: as("eve"), namespace: "shop", resource: "roles", rules: []rbacv1.PolicyRule{{Verbs: get, NonResourceURLs: []string{"/a"}}, {Verbs: get, NonResourceURLs: []string{"/a"}}}, want: `user "eve" (groups=[])` + held + `{NonResourceURLs:["/a"], Verbs:["get"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, guard().Write(t.Context(), tc.who, tc.namespace, tc.resource, tc.role, tc.rules), tc.want)
		})
	}
}

// What is passed on is a role, which is bound, or rules, which are written.
func TestPass(t *testing.T) {
	t.Parallel()
	viewer := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "viewer"}
	all := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "all"}
	rules := []rbacv1.PolicyRule{rule([]string{"delete"}, "", "pods")}
	for name, tc := range map[string]struct {
		who   string
		role  *rbacv1.RoleRef
		rules []rbacv1.PolicyRule
		want  string
	}{
		"a role":         {who: "jane", role: &viewer},
		"a role of more": {who: "jane", role: &all, want: `user "jane" (groups=[])` + held + `{APIGroups:["*"], Resources:["*"], Verbs:["*"]}`},
		"may bind":       {who: "binder", role: &all},
		"rules":          {who: "jane", rules: []rbacv1.PolicyRule{rule([]string{"list"}, "", "pods")}},
		"more rules":     {who: "jane", rules: rules, want: `user "jane" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}`},
		"may escalate":   {who: "shopkeeper", rules: rules},
		"may only bind":  {who: "binder", rules: rules, want: `user "binder" (groups=[])` + held + `{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, guard().Pass(t.Context(), as(tc.who), "shop", tc.role, tc.rules), tc.want)
		})
	}
}

// What is held for a time is not given away for longer.
func TestUntil(t *testing.T) {
	t.Parallel()
	ref := func(name string) *rbacv1.RoleRef {
		return &rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
	}
	secrets := []rbacv1.PolicyRule{rule([]string{"get"}, "", "secrets")}
	const until = `user "owl" holds this only until 2030-01-02T13:00:00Z`
	for name, tc := range map[string]struct {
		who   user.Info
		until time.Time
		role  *rbacv1.RoleRef
		rules []rbacv1.PolicyRule
		want  string
	}{
		"for owlr":           {who: as("owl", "night"), role: ref("viewer"), want: until},
		"longer":             {who: as("owl", "night"), until: at(14), role: ref("viewer"), want: until},
		"as long, by two":    {who: as("owl", "night"), until: at(13), role: ref("viewer")},
		"shorter":            {who: as("owl", "night"), until: at(11), role: ref("viewer")},
		"a part of it":       {who: as("owl", "night"), until: at(14), rules: []rbacv1.PolicyRule{rule([]string{"list"}, "", "pods")}},
		"for owlr, as held":  {who: as("jane"), role: ref("viewer")},
		"bind, longer":       {who: as("owl", "night"), until: at(13), role: ref("all"), want: `user "owl" (groups=["night"])` + held + `{APIGroups:["*"], Resources:["*"], Verbs:["*"]}`},
		"bind, as long":      {who: as("owl", "night"), until: at(12), role: ref("all")},
		"bind, by another":   {who: as("owl"), role: ref("all")},
		"escalate, longer":   {who: as("owl", "night"), until: at(13), rules: secrets, want: `user "owl" (groups=["night"])` + held + `{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`},
		"escalate, for owlr": {who: as("owl", "night"), rules: secrets, want: `user "owl" (groups=["night"])` + held + `{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`},
		"escalate, as long":  {who: as("owl", "night"), until: at(12), rules: secrets},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guard := guard()
			guard.Until = tc.until
			check(t, guard.Pass(t.Context(), tc.who, "shop", tc.role, tc.rules), tc.want)
		})
	}
}
