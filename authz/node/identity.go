// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
)

// userPrefix is what the names of the users of nodes begin with.
const userPrefix = "system:node:"

// Identity returns the node that a user acts for, and whether it acts for one. The name
// is empty if the user's says none.
func Identity(who user.Info) (name string, isNode bool) {
	if who == nil {
		return "", false
	}
	name, found := strings.CutPrefix(who.GetName(), userPrefix)
	if !found || !slices.Contains(who.GetGroups(), user.NodesGroup) {
		return "", false
	}
	return name, true
}
