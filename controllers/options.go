// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Options say which controllers run.
type Options struct {
	// Names has "foo" and "-foo" for a controller that runs or does not, and "*" or
	// "-*" for those that are not named.
	Names []string
}

// NewOptions returns the options with which all run.
func NewOptions() *Options { return &Options{Names: []string{"*"}} }

// AddFlags adds kube-controller-manager's flag.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.Names, "controllers", o.Names, fmt.Sprintf(
		"A list of controllers to enable. '*' enables all controllers, 'foo' enables the controller named 'foo', '-foo' disables the controller named 'foo', '-*' disables all that are not named.\nAll controllers: %s",
		strings.Join(names(), ", ")))
}

// Validate reports names that no controller has.
func (o *Options) Validate() []error {
	known := names()
	var errs []error
	for _, name := range o.Names {
		if plain := strings.TrimPrefix(name, "-"); plain != "*" && !slices.Contains(known, plain) {
			errs = append(errs, fmt.Errorf("--controllers: %q is not in the list of known controllers", plain))
		}
	}
	return errs
}

// Enabled says whether a controller runs. Of names that contradict each other the
// first holds.
func (o *Options) Enabled(name string) bool {
	for _, candidate := range []string{name, "*"} {
		for _, given := range o.Names {
			if given == candidate {
				return true
			}
			if given == "-"+candidate {
				return false
			}
		}
	}
	return false
}

func names() []string {
	var out []string
	for _, c := range Table() {
		out = append(out, c.Name)
	}
	return out
}
