// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	_ "embed"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

//go:embed roles.txt
var rolesText string

const aggregateTo = rbacv1.GroupName + "/aggregate-to-"

// access are the default roles and bindings.
type access struct {
	clusterRoles        []*rbacv1.ClusterRole
	clusterRoleBindings []*rbacv1.ClusterRoleBinding
	roles               []*rbacv1.Role
	roleBindings        []*rbacv1.RoleBinding
	// rules are those of the role that was read last.
	rules *[]rbacv1.PolicyRule
}

// readAccess reads the table of roles.txt, whose head explains it.
func readAccess(text string) (*access, error) {
	a := &access{}
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		read := a.readObject
		if strings.HasPrefix(line, "\t") {
			read = a.readRule
		}
		if err := read(words); err != nil {
			return nil, fmt.Errorf("line %d of the table of roles: %w", i+1, err)
		}
	}
	return a, nil
}

func (a *access) readRule(words []string) error {
	if a.rules == nil {
		return fmt.Errorf("a rule must follow a role")
	}
	lists := make([][]string, len(words))
	for i, word := range words {
		lists[i] = strings.Split(strings.ReplaceAll(word, "\"\"", ""), ",")
	}
	rule := rbacv1.PolicyRule{Verbs: lists[0]}
	switch len(lists) {
	case 2:
		rule.NonResourceURLs = lists[1]
	case 4:
		rule.ResourceNames = lists[3]
		fallthrough
	case 3:
		rule.APIGroups, rule.Resources = lists[1], lists[2]
	default:
		return fmt.Errorf("a rule must have two, three or four words, not %d", len(words))
	}
	*a.rules = append(*a.rules, rule)
	return nil
}

func (a *access) readObject(words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("%q must have a name", words[0])
	}
	kind, options := words[0], words[2:]
	meta := defaultMeta(words[1])
	a.rules = nil
	switch kind {
	case "controller":
		role := "system:controller:" + meta.Name
		a.clusterRoleBindings = append(a.clusterRoleBindings, &rbacv1.ClusterRoleBinding{
			ObjectMeta: defaultMeta(role), RoleRef: ref("ClusterRole", role), Subjects: []rbacv1.Subject{account(metav1.NamespaceSystem, meta.Name)},
		})
		meta.Name = role
		return a.addClusterRole(meta, options)
	case "clusterrole":
		return a.addClusterRole(meta, options)
	case "role":
		role := &rbacv1.Role{ObjectMeta: meta}
		a.roles, a.rules = append(a.roles, role), &role.Rules
		return nil
	case "clusterrolebinding":
		role, subjects, err := readBinding("ClusterRole", meta.Name, options)
		a.clusterRoleBindings = append(a.clusterRoleBindings, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: role, Subjects: subjects})
		return err
	case "rolebinding":
		role, subjects, err := readBinding("Role", meta.Name, options)
		a.roleBindings = append(a.roleBindings, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: role, Subjects: subjects})
		return err
	}
	return fmt.Errorf("%q is no kind", kind)
}

func (a *access) addClusterRole(meta metav1.ObjectMeta, options []string) error {
	role := &rbacv1.ClusterRole{ObjectMeta: meta}
	for _, option := range options {
		switch name, value, _ := strings.Cut(option, "="); name {
		case "part-of":
			role.Labels[aggregateTo+value] = "true"
		case "sum-of":
			role.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
				{MatchLabels: map[string]string{aggregateTo + value: "true"}},
			}}
		default:
			return fmt.Errorf("%q is no option of a cluster role", option)
		}
	}
	a.clusterRoles, a.rules = append(a.clusterRoles, role), &role.Rules
	return nil
}

// defaultMeta is the metadata of a default object: what starts may update.
func defaultMeta(name string) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{
		Name:        name,
		Labels:      map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"},
		Annotations: map[string]string{rbacv1.AutoUpdateAnnotationKey: "true"},
	}
	if namespace, name, ok := strings.Cut(name, "/"); ok {
		meta.Namespace, meta.Name = namespace, name
	}
	return meta
}

func ref(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

func account(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

func readBinding(kind, name string, options []string) (rbacv1.RoleRef, []rbacv1.Subject, error) {
	role := ref(kind, name)
	var subjects []rbacv1.Subject
	for _, option := range options {
		switch what, value, _ := strings.Cut(option, "="); what {
		case "role":
			role.Name = value
		case "user":
			subjects = append(subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: value})
		case "group":
			subjects = append(subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: value})
		case "account":
			namespace, name, _ := strings.Cut(value, "/")
			subjects = append(subjects, account(namespace, name))
		default:
			return role, nil, fmt.Errorf("%q is no option of a binding", option)
		}
	}
	return role, subjects, nil
}
