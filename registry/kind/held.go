// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Held is what somebody holds by one role.
type Held struct {
	Rules []rbacv1.PolicyRule
	// Until is when it is over; zero: when somebody takes it away.
	Until time.Time
}

// Lasts says whether it is held until a time; zero: for ever.
func (h Held) Lasts(until time.Time) bool {
	return h.Until.IsZero() || !until.IsZero() && !h.Until.Before(until)
}

// RulesOf returns the rules of all that is held.
func RulesOf(held []Held) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, h := range held {
		out = append(out, h.Rules...)
	}
	return out
}
