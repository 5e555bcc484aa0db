// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Plant is something that grows.
type Plant struct {
	metav1.TypeMeta `json:",inline"`

	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the gardener wants.
	// +required
	Spec PlantSpec `json:"spec"`

	// status is how the plant is. Written by the system, read-only.
	// +optional
	Status PlantStatus `json:"status,omitempty,omitzero"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// PlantList is a list of plants.
type PlantList struct {
	metav1.TypeMeta `json:",inline"`

	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// items is the list of plants.
	Items []Plant `json:"items"`
}

// PlantSpec is what the gardener wants.
type PlantSpec struct {
	// species is the name in Latin.
	// +required
	Species string `json:"species"`

	// waterEveryDays is how many days the plant can do without water. Defaults to 3.
	// +optional
	WaterEveryDays int32 `json:"waterEveryDays,omitempty"`

	// tags are words to find the plant by.
	// +optional
	// +listType=set
	Tags []string `json:"tags,omitempty"`
}

// PlantStatus is how the plant is.
type PlantStatus struct {
	// lastWatered is when it last had water.
	// +optional
	LastWatered *metav1.Time `json:"lastWatered,omitempty"`
}
