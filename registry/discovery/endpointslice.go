// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"github.com/stoa-project/stoa/apis/discovery"
	"github.com/stoa-project/stoa/registry/kind"
)

// EndpointSlices returns the kind EndpointSlice.
func EndpointSlices() kind.Kind {
	return kind.New(kind.Definition[discovery.EndpointSlice]{
		Kind: "EndpointSlice", Plural: "endpointslices",
		UnconditionalUpdate: true, // as in Kubernetes
	})
}
