// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"reflect"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/hubtext"
)

// showHubValues makes errors print structs of the Kubernetes API the way clients
// of kube-apiserver know them: there validation sees types without JSON tags, so
// that fields appear under their Go names and even when they are empty.
func showHubValues(errs field.ErrorList) {
	for _, e := range errs {
		if e.BadValue != nil && hubtext.Concerns(reflect.TypeOf(e.BadValue)) {
			e.BadValue = hubtext.Of(e.BadValue)
		}
	}
}
