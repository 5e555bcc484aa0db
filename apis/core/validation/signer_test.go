// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

func TestValidateSignerName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"example.com/a.b":                        nil,
		"":                                       {"s: Required value"},
		"a/b/c":                                  {`s: Invalid value: "a/b/c": must be a fully qualified domain and path of the form 'example.com/signer-name'`},
		"a/b":                                    {`s: Invalid value: "a": should be a domain with at least two segments separated by dots`},
		"a.b/" + strings.Repeat("a.", 200) + "B": {`s: Invalid value: "` + strings.Repeat("a.", 200) + `B": validating label "B": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
	} {
		fielderrorstest.Compare(t, want, ValidateSignerName(name, field.NewPath("s")))
	}
}
