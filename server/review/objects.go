// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package review

import (
	"bytes"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/resource"
)

// object reads an object of a review as plugins want it; nil for none. Of most kinds it
// matters only that there is one.
func object(kind schema.GroupVersionKind, content []byte) (runtime.Object, error) {
	if len(content) == 0 || bytes.Equal(content, []byte("null")) {
		return nil, nil
	}
	read := func(into any) error {
		if err := utiljson.Unmarshal(content, into); err != nil {
			return fmt.Errorf("object of kind %s: %w", kind.Kind, err)
		}
		return nil
	}
	switch kind {
	case corev1.SchemeGroupVersion.WithKind("Pod"):
		out := &corev1.Pod{}
		return (*core.Pod)(out), read(out)
	case corev1.SchemeGroupVersion.WithKind("Service"):
		out := &corev1.Service{}
		return (*core.Service)(out), read(out)
	case corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"):
		out := &corev1.PersistentVolumeClaim{}
		return (*core.PersistentVolumeClaim)(out), read(out)
	case resourcev1.SchemeGroupVersion.WithKind("ResourceClaim"):
		out := &resourcev1.ResourceClaim{}
		return (*resource.ResourceClaim)(out), read(out)
	default:
		out := &metav1.PartialObjectMetadata{}
		return out, read(out)
	}
}
