// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/leaderelection"

	"github.com/stoa-project/stoa/controllers/election"
)

// Options say which controllers run, and in which of several servers.
type Options struct {
	// Names has "foo" and "-foo" for a controller that runs or does not, and "*" or
	// "-*" for those that are not named.
	Names []string
	// LeaderElect has them run in one of the servers on an etcd. Nil: if it is not the
	// server's own, which can have one server alone.
	LeaderElect *bool
	// Times are those of the election.
	Times election.Times
}

// NewOptions returns the options with which all run.
func NewOptions() *Options {
	return &Options{
		Names: []string{"*"},
		Times: election.Times{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second},
	}
}

// AddFlags adds kube-controller-manager's flags.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.Var(optional{&o.LeaderElect}, "leader-elect",
		"Run controllers in one of the servers on an etcd, and in another one when that is gone. If not set, with --etcd-servers.")
	flags.Lookup("leader-elect").NoOptDefVal = "true"
	flags.DurationVar(&o.Times.LeaseDuration, "leader-elect-lease-duration", o.Times.LeaseDuration,
		"How long a server waits for a leader that does not renew its lease before it takes over.")
	flags.DurationVar(&o.Times.RenewDeadline, "leader-elect-renew-deadline", o.Times.RenewDeadline,
		"How long a leader tries to renew its lease before its controllers stop. Must be less than the lease duration.")
	flags.DurationVar(&o.Times.RetryPeriod, "leader-elect-retry-period", o.Times.RetryPeriod,
		"How often a leader renews its lease, and other servers look at it.")
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
	// What the elector would refuse, by the names of flags.
	if o.Times.RenewDeadline < time.Second {
		errs = append(errs, errors.New("--leader-elect-renew-deadline must be at least 1s"))
	}
	if o.Times.RetryPeriod <= 0 {
		errs = append(errs, errors.New("--leader-elect-retry-period must be positive"))
	}
	if o.Times.LeaseDuration.Truncate(time.Second) < o.Times.RenewDeadline+o.Times.RetryPeriod { // a lease has seconds
		errs = append(errs, errors.New("--leader-elect-lease-duration must be at least --leader-elect-renew-deadline and --leader-elect-retry-period together: a leader must stop before another one begins"))
	}
	if float64(o.Times.RenewDeadline) <= leaderelection.JitterFactor*float64(o.Times.RetryPeriod) {
		errs = append(errs, fmt.Errorf("--leader-elect-renew-deadline must be more than %.1f times --leader-elect-retry-period", leaderelection.JitterFactor))
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

// optional is a flag that is true, false or not set.
type optional struct{ value **bool }

// Set implements pflag.Value.
func (o optional) Set(text string) error {
	value, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("must be true or false")
	}
	*o.value = &value
	return nil
}

// String implements pflag.Value.
func (o optional) String() string {
	if o.value == nil || *o.value == nil {
		return ""
	}
	return strconv.FormatBool(**o.value)
}

// Type implements pflag.Value.
func (optional) Type() string { return "bool" }
