// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authz/rbac"
)

func (a *answer) printJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(a)
}

// print says yes or no, and why.
func (a *answer) print(out io.Writer) error {
	var text strings.Builder
	word, may := "yes", "may"
	if !a.Allowed {
		word, may = "no", "may not"
	}
	fmt.Fprintf(&text, "%s: user %q %s %s\n", word, a.Request.User, may, a.Request.what())
	fmt.Fprintf(&text, "groups: %s\n", strings.Join(a.Request.Groups, ", "))
	for _, note := range a.Notes {
		fmt.Fprintf(&text, "note: %s\n", note)
	}
	if len(a.Allowing) > 0 {
		text.WriteString("\nAllowed by\n")
		for i := range a.Allowing {
			a.Allowing[i].print(&text, &a.Request)
		}
	}
	if len(a.Allowing) == 0 {
		a.printMissing(&text)
	}
	if remark := a.remark(); remark != "" {
		fmt.Fprintf(&text, "\n%s\n", remark)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// printMissing prints the rules about the same resource or path, and names the bindings
// that have none.
func (a *answer) printMissing(text *strings.Builder) {
	var others []string
	text.WriteString("\nNo rule allows it.\n")
	for i := range a.Missing {
		g := &a.Missing[i]
		if g.Error == "" && (g.Rule == nil || slices.ContainsFunc(g.Lacks, isSubject)) {
			others = append(others, g.Role)
			continue
		}
		g.print(text, &a.Request)
	}
	if len(others) > 0 {
		fmt.Fprintf(text, "Nothing about %s is in the other roles of the user: %s\n", a.Request.subject(), strings.Join(others, ", "))
	}
	if len(a.Missing) == 0 {
		text.WriteString("No binding that holds there names the user or one of the groups.\n")
	}
}

// isSubject says whether a part is what a request is about.
func isSubject(part rbac.Part) bool {
	return part == rbac.PartGroup || part == rbac.PartResource || part == rbac.PartPath
}

// remark says where the server differs from what its roles say.
func (a *answer) remark() string {
	reason := a.Server.Reason
	if reason == "" {
		reason = "it gives no reason"
	}
	allowed := len(a.Allowing) > 0
	switch {
	case a.Server.Allowed && slices.Contains(a.Request.Groups, user.SystemPrivilegedGroup):
		return "Allowed by the server whatever roles say: the group " + user.SystemPrivilegedGroup + " may do everything"
	case a.Server.Allowed && !allowed:
		return "Allowed by the server for another reason: " + reason
	case !a.Server.Allowed && allowed:
		return "The server does not allow it all the same: " + reason
	case a.Server.Reason != "" && !a.Server.Allowed:
		return "The server says: " + a.Server.Reason
	}
	return ""
}

// what describes the request.
func (r *request) what() string {
	if r.Path != "" {
		return r.Verb + " " + r.subject()
	}
	out := r.Verb + " " + r.subject()
	if r.Name != "" {
		out += fmt.Sprintf(" %q", r.Name)
	}
	if r.Namespace != "" {
		return out + fmt.Sprintf(" in namespace %q", r.Namespace)
	}
	return out + " everywhere"
}

// subject is what the request is about, as rules have it.
func (r *request) subject() string {
	if r.Path != "" {
		return fmt.Sprintf("path %q", r.Path)
	}
	resource := strings.TrimSuffix(r.Resource+"/"+r.Subresource, "/")
	return schema.GroupResource{Group: r.Group, Resource: resource}.String()
}

func (g *grant) print(text *strings.Builder, r *request) {
	fmt.Fprintf(text, "  %s\n", g.Text)
	if g.Error != "" {
		fmt.Fprintf(text, "    the role is not known: %s\n", g.Error)
		return
	}
	fmt.Fprintf(text, "    rule: %s\n", describe(g.Rule))
	for _, s := range g.From {
		fmt.Fprintf(text, "    from: ClusterRole %q, by the label %s\n", s.Role, s.Selector)
	}
	if len(g.Lacks) == 0 {
		return
	}
	values := map[rbac.Part]string{
		rbac.PartVerb: r.Verb, rbac.PartGroup: r.Group, rbac.PartName: r.Name, rbac.PartPath: r.Path,
		rbac.PartResource: strings.TrimSuffix(r.Resource+"/"+r.Subresource, "/"),
	}
	lacks := make([]string, len(g.Lacks))
	for i, part := range g.Lacks {
		lacks[i] = fmt.Sprintf("%s %q", part, values[part])
	}
	fmt.Fprintf(text, "    lacks: %s\n", strings.Join(lacks, ", "))
}

// describe prints a rule in one line.
func describe(rule *rbacv1.PolicyRule) string {
	parts := []string{"verbs " + strings.Join(rule.Verbs, ",")}
	if len(rule.Resources) > 0 {
		groups := make([]string, len(rule.APIGroups))
		for i, group := range rule.APIGroups {
			if groups[i] = group; group == "" {
				groups[i] = `""`
			}
		}
		parts = append(parts, "API groups "+strings.Join(groups, ","), "resources "+strings.Join(rule.Resources, ","))
	}
	if len(rule.ResourceNames) > 0 {
		parts = append(parts, "names "+strings.Join(rule.ResourceNames, ","))
	}
	if len(rule.NonResourceURLs) > 0 {
		parts = append(parts, "paths "+strings.Join(rule.NonResourceURLs, ","))
	}
	return strings.Join(parts, "; ")
}
