// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"fmt"
	"time"

	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// annotation is what a write to a grant has in the audit log.
const annotation = "grant." + tenancy.GroupName + "/what"

// tell writes into the audit log what a grant grants.
func tell(a admission.Attributes) error {
	obj := a.GetObject()
	if a.GetOperation() == admission.Delete {
		obj = a.GetOldObject()
	}
	g, ok := obj.(*tenancy.Grant)
	if !ok || g == nil {
		return nil
	}
	role := fmt.Sprintf("%d rules", len(g.Spec.Rules))
	if ref := g.Spec.RoleRef; ref != nil {
		role = ref.Kind + " " + ref.Name
	}
	end, by := "it is deleted", "nobody"
	switch {
	case g.Status.ExpiresAt != nil:
		end = g.Status.ExpiresAt.UTC().Format(time.RFC3339)
	case g.Spec.ExpiresAt != nil:
		end = g.Spec.ExpiresAt.UTC().Format(time.RFC3339)
	case g.Spec.Duration != nil:
		end = g.Spec.Duration.Duration.String() + " after activation"
	}
	if g.Status.GrantedBy != nil {
		by = g.Status.GrantedBy.Username
	}
	return a.AddAnnotation(annotation, fmt.Sprintf("%s: %s to %s %s by %s until %s", g.Status.Phase, role, g.Spec.Subject.Kind, g.Spec.Subject.Name, by, end))
}
