// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/conversion"

	"github.com/stoa-project/stoa/apis/tenancy"
)

const (
	userPrefix           = "user:"
	groupPrefix          = "group:"
	serviceAccountPrefix = "serviceaccount:"
)

// Convert_string_To_v1_Subject reads "user:alice" and its like. A string that
// says nothing of the kind becomes a tenancy.UnreadSubject, so that validation
// can show it to the user.
func Convert_string_To_v1_Subject(in *string, out *rbacv1.Subject, _ conversion.Scope) error {
	*out = parseSubject(*in)
	return nil
}

// Convert_v1_Subject_To_string writes a subject as "user:alice" and its like.
func Convert_v1_Subject_To_string(in *rbacv1.Subject, out *string, _ conversion.Scope) error {
	*out = formatSubject(*in)
	return nil
}

func parseSubject(text string) rbacv1.Subject {
	if name, ok := strings.CutPrefix(text, userPrefix); ok && name != "" {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
	}
	if name, ok := strings.CutPrefix(text, groupPrefix); ok && name != "" {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
	}
	if full, ok := strings.CutPrefix(text, serviceAccountPrefix); ok {
		namespace, name, _ := strings.Cut(full, ":")
		if namespace != "" && name != "" {
			return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
		}
	}
	return tenancy.UnreadSubject(text)
}

// formatSubject is the inverse of parseSubject for every valid subject. Others
// get a text that comes as near as possible; see inexactSubject.
func formatSubject(subject rbacv1.Subject) string {
	if text, ok := tenancy.UnreadSubjectText(subject); ok {
		return text
	}
	switch subject.Kind {
	case rbacv1.UserKind:
		return userPrefix + subject.Name
	case rbacv1.GroupKind:
		return groupPrefix + subject.Name
	case rbacv1.ServiceAccountKind:
		return serviceAccountPrefix + subject.Namespace + ":" + subject.Name
	default:
		return strings.ToLower(subject.Kind) + ":" + subject.Name
	}
}

// inexactSubject says that the text of a subject does not give it back. No
// valid subject is of that kind; conversion keeps them all the same, because it
// also sees objects that were not validated yet.
func inexactSubject(subject rbacv1.Subject) bool {
	return parseSubject(formatSubject(subject)) != subject
}
