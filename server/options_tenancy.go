// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/validate/content"
)

// TenancyOptions are about tenants and projects.
type TenancyOptions struct {
	// OwnerRole is the cluster role that who creates a project gets in it.
	OwnerRole string
}

func newTenancyOptions() *TenancyOptions { return &TenancyOptions{OwnerRole: "admin"} }

const flagOwnerRole = "project-owner-role"

// AddFlags adds the flags of tenancy.
func (o *TenancyOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.OwnerRole, flagOwnerRole, o.OwnerRole, "ClusterRole that the creator of a project is bound to in its namespace.")
}

// Validate reports everything that is wrong with the options.
func (o *TenancyOptions) Validate() []error {
	if o.OwnerRole == "" {
		return []error{fmt.Errorf("--%s must not be empty", flagOwnerRole)}
	}
	if problems := content.IsPathSegmentName(o.OwnerRole); len(problems) > 0 {
		return []error{fmt.Errorf("--%s %q: %s", flagOwnerRole, o.OwnerRole, strings.Join(problems, ", "))}
	}
	return nil
}
