// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import rbacv1 "k8s.io/api/rbac/v1"

// A version that writes subjects as strings can carry a string that names no
// subject. Conversion must not fail on it, and must not lose it: it becomes a
// subject that validation knows and reports together with the string.
const (
	unreadSubjectGroup = "unread." + GroupName
	unreadSubjectKind  = "Unread"
)

// UnreadSubject keeps a text that names no subject.
func UnreadSubject(text string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: unreadSubjectGroup, Kind: unreadSubjectKind, Name: text}
}

// UnreadSubjectText returns the text of an unread subject, and whether it is one.
func UnreadSubjectText(subject rbacv1.Subject) (string, bool) {
	return subject.Name, subject == UnreadSubject(subject.Name)
}
