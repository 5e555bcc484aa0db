// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/apimachinery/pkg/types"
)

// payload is what a token says.
type payload struct {
	Issuer    string           `json:"iss,omitempty"`
	Subject   string           `json:"sub,omitempty"`
	Audience  audience         `json:"aud,omitempty"`
	Expiry    *jwt.NumericDate `json:"exp,omitempty"`
	NotBefore *jwt.NumericDate `json:"nbf,omitempty"`
	IssuedAt  *jwt.NumericDate `json:"iat,omitempty"`
	ID        string           `json:"jti,omitempty"`

	// Kubernetes is in bound tokens, the others are in those of secrets.
	Kubernetes  *bound    `json:"kubernetes.io,omitempty"`
	Namespace   string    `json:"kubernetes.io/serviceaccount/namespace,omitempty"`
	SecretName  string    `json:"kubernetes.io/serviceaccount/secret.name,omitempty"`
	AccountName string    `json:"kubernetes.io/serviceaccount/service-account.name,omitempty"`
	AccountUID  types.UID `json:"kubernetes.io/serviceaccount/service-account.uid,omitempty"`
}

// bound is what a token is bound to.
type bound struct {
	Namespace string           `json:"namespace,omitempty"`
	Node      *object          `json:"node,omitempty"`
	Pod       *object          `json:"pod,omitempty"`
	Secret    *object          `json:"secret,omitempty"`
	Account   object           `json:"serviceaccount"`
	WarnAfter *jwt.NumericDate `json:"warnafter,omitempty"`
}

type object struct {
	Name string    `json:"name,omitempty"`
	UID  types.UID `json:"uid,omitempty"`
}

// audience is written as a list, also if it is of one, and read in either form.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(text []byte) error { return (*jwt.Audience)(a).UnmarshalJSON(text) }
