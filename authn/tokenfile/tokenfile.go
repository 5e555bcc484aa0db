// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tokenfile

import (
	"fmt"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/token/tokenfile"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authn/userfile"
)

// New reads a file. warnings are what whoever runs the server should know, though
// the file is good: kube-apiserver takes it too.
func New(path string) (_ authenticator.Token, warnings []string, err error) {
	data, err := userfile.Read(path)
	if err != nil {
		return nil, nil, err
	}
	entries, err := userfile.Parse(path, data)
	if err != nil {
		return nil, nil, err
	}
	if mode, exposed := userfile.Exposed(path); exposed {
		warnings = append(warnings, fmt.Sprintf("others than its owner may read or change it (mode %04o)", mode))
	}
	tokens, lines := map[string]*user.DefaultInfo{}, map[string]int{}
	for _, e := range entries {
		if e.Secret == "" {
			warnings = append(warnings, fmt.Sprintf("line %d has an empty token, and lets nobody in", e.Line))
			continue
		}
		if before := lines[e.Secret]; before > 0 {
			warnings = append(warnings, fmt.Sprintf("line %d has the token of line %d, which lets nobody in any more", e.Line, before))
		}
		tokens[e.Secret], lines[e.Secret] = &e.User, e.Line
	}
	return tokenfile.New(tokens), warnings, nil
}
