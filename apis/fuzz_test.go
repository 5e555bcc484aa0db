// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package apis_test

import (
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/randfill"

	"github.com/stoa-project/stoa/apis/core"
)

// fuzzFuncs make objects that conversion does not change.
func fuzzFuncs(serializer.CodecFactory) []any {
	return []any{
		// What is written as stringData is read as data.
		func(obj *core.Secret, c randfill.Continue) {
			c.FillNoCustom(obj)
			obj.StringData = nil
		},
	}
}
