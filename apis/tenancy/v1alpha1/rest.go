// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

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
	NamespaceLabels      map[string]string           `json:"namespaceLabels,omitempty"`
	NamespaceAnnotations map[string]string           `json:"namespaceAnnotations,omitempty"`
	NamespaceDefaults    tenancyv1.NamespaceDefaults `json:"namespaceDefaults,omitzero"`
	Placement            tenancyv1.Placement         `json:"placement,omitzero"`
	Owners               []ownerRest                 `json:"owners,omitempty"`
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

// grantRest is what v1alpha1 cannot say about a grant.
//
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type grantRest struct {
	Subject *ownerRest `json:"subject,omitempty"`
}

// writeRest puts rest into the annotation, unless there is none. The
// annotations may belong to another object too and are replaced, not changed.
func writeRest[T any](meta *metav1.ObjectMeta, rest T) error {
	if apiequality.Semantic.DeepEqual(rest, *new(T)) {
		return nil
	}
	text, err := json.Marshal(rest)
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
func readRest[T any](meta *metav1.ObjectMeta) T {
	text, ok := meta.Annotations[RestAnnotation]
	if !ok {
		return *new(T)
	}
	rest, err := decodeRest[T](text)
	if err != nil {
		return *new(T)
	}
	annotations := maps.Clone(meta.Annotations)
	delete(annotations, RestAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	meta.Annotations = annotations
	return rest
}

// decodeRest is strict: a field it does not know would be lost.
func decodeRest[T any](text string) (T, error) {
	var rest *T
	decoder := json.NewDecoder(bytes.NewBufferString(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rest); err != nil {
		return *new(T), err
	}
	if rest == nil {
		return *new(T), errors.New("must be an object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return *new(T), errors.New("must be one object")
	}
	return ptr.Deref(rest, *new(T)), nil
}
