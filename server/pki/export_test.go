// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import "context"

// RenewOnce is one round of RenewLoop.
func (c *CA) RenewOnce(ctx context.Context) (map[string]*Pair, error) {
	renewed, _, err := c.renew(ctx)
	return renewed, err
}
