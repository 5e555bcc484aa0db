// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

// RestAnnotation holds, as JSON and in the words of v1, what an object of this
// version has no field for.
const RestAnnotation = tenancy.RestAnnotation

// tenantRest is what v1alpha1 cannot say about a tenant. It is written in the
// released types of v1 and not in those of the hub, which may change.
//
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type tenantRest struct {
	// Spec holds only the fields that hiddenSpec keeps.
	Spec   tenancyv1.TenantSpec `json:"spec,omitzero"`
	Owners []ownerRest          `json:"owners,omitempty"`
}

// hiddenSpec returns the part of a spec for which v1alpha1 has no field.
func hiddenSpec(spec tenancyv1.TenantSpec) tenancyv1.TenantSpec {
	spec.NamespaceDefaults.NetworkIsolation = ""
	return tenancyv1.TenantSpec{
		Namespaces: tenancyv1.TenantNamespaces{
			Labels:      spec.Namespaces.Labels,
			Annotations: spec.Namespaces.Annotations,
		},
		NamespaceDefaults: spec.NamespaceDefaults,
		Placement:         spec.Placement,
	}
}

func (r tenantRest) check() error {
	if !apiequality.Semantic.DeepEqual(r.Spec, hiddenSpec(r.Spec)) {
		return errors.New("must not hold what has a field")
	}
	for _, owner := range r.Owners {
		if err := owner.check(); err != nil {
			return err
		}
	}
	return nil
}

// ownerRest is an owner whose text in this version is not exact. It counts as
// long as the text stands unchanged at its place in spec.owners.
//
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type ownerRest struct {
	Index   int            `json:"index"`
	Text    string         `json:"text"`
	Subject rbacv1.Subject `json:"subject"`
}

// check keeps a user from hiding one owner behind the text of another.
func (o ownerRest) check() error {
	if !inexactSubject(o.Subject) || formatSubject(o.Subject) != o.Text {
		return errors.New("must not hold a subject that its text expresses")
	}
	return nil
}

// grantRest is what v1alpha1 cannot say about a grant.
//
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type grantRest struct {
	Subject *ownerRest `json:"subject,omitempty"`
}

func (r grantRest) check() error {
	if r.Subject == nil {
		return nil
	}
	return r.Subject.check()
}

// rest is what one kind puts into the annotation.
type rest interface{ check() error }

// writeRest puts rest into the annotation, unless there is none. The
// annotations may belong to another object too and are replaced, not changed.
func writeRest[T rest](meta *metav1.ObjectMeta, value T) error {
	if apiequality.Semantic.DeepEqual(value, *new(T)) {
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	annotations := maps.Clone(meta.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[RestAnnotation] = string(text)
	meta.Annotations = annotations
	return nil
}

// readRest takes rest out of the annotation. What it cannot read stays there,
// and the validation of the hub refuses the object: an error of conversion
// would reach the user as an internal one.
func readRest[T rest](meta *metav1.ObjectMeta) T {
	text, ok := meta.Annotations[RestAnnotation]
	if !ok {
		return *new(T)
	}
	value, err := decodeRest[T](text)
	if err != nil {
		return *new(T)
	}
	annotations := maps.Clone(meta.Annotations)
	delete(annotations, RestAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	meta.Annotations = annotations
	return value
}

// decodeRest is strict: what it did not know would be lost.
func decodeRest[T rest](text string) (T, error) {
	var value *T
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		return *new(T), err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || value == nil {
		return *new(T), errors.New("must be one object")
	}
	return *value, (*value).check()
}
