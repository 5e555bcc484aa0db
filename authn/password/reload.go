// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package password

import (
	"context"

	"github.com/stoa-project/stoa/authn/userfile"
	"github.com/stoa-project/stoa/reload"
)

// Run takes the users of the file when it changes, until ctx ends. It is called once.
// A file that cannot be read, or has a mistake, is reported once and changes nothing.
func (a *Authenticator) Run(ctx context.Context) {
	file := reload.File{
		Flag: "--basic-auth-file", Path: a.path, Read: userfile.Read,
		Use: func(ctx context.Context, content []byte) error {
			users, err := parse(a.path, content, a.options)
			if err == nil {
				a.use(ctx, users)
			}
			return err
		},
	}
	file.Follow(ctx, a.digest)
}
