// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/util/cert"

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
	// RootCAFile has the certificates by which clients in pods know the server. Empty:
	// those of the server itself.
	RootCAFile string
	// SigningCertFile and SigningKeyFile are the authority that signs what is asked for at
	// the API. They are read for each certificate. Both empty: the server's own, if it has
	// one.
	SigningCertFile, SigningKeyFile string
	// SigningDuration is how long what it signs is valid at most.
	SigningDuration time.Duration
	// CreatorRole is the cluster role that who makes a namespace gets there. Empty: none.
	CreatorRole string
}

// NewOptions returns the options with which all run.
func NewOptions() *Options {
	return &Options{
		Names: []string{"*"}, SigningDuration: 365 * 24 * time.Hour, CreatorRole: "admin",
		Times: election.Times{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: time.Second},
	}
}

// AddFlags adds flags of kube-controller-manager, and the one of a controller that only
// this server has.
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
	flags.StringVar(&o.RootCAFile, "root-ca-file", o.RootCAFile, "If set, this root certificate authority will be published in each namespace and included in service account's token secret. This must be a valid PEM-encoded CA bundle. It is read once. If empty, the certificate by which the server is known is.")
	flags.StringVar(&o.SigningCertFile, "cluster-signing-cert-file", o.SigningCertFile, "Filename containing a PEM-encoded X509 CA certificate used to issue cluster-scoped certificates. If empty, the server's own CA issues them.")
	flags.StringVar(&o.SigningKeyFile, "cluster-signing-key-file", o.SigningKeyFile, "Filename containing a PEM-encoded RSA or ECDSA private key used to sign cluster-scoped certificates.")
	flags.DurationVar(&o.SigningDuration, "cluster-signing-duration", o.SigningDuration, "The max length of duration signed certificates will be given. Individual CSRs may request shorter certs by setting spec.expirationSeconds.")
	flags.StringVar(&o.CreatorRole, "namespace-creator-role", o.CreatorRole, "Cluster role that a user who creates a namespace gets in it, by the admission plugin NamespaceCreator and the controller namespace-creator-controller. If empty, none.")
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
	if _, err := o.RootCA(); err != nil {
		errs = append(errs, err)
	}
	if o.signs() {
		if _, _, err := o.Authority(); err != nil {
			errs = append(errs, err)
		}
	}
	if o.SigningDuration <= 0 {
		errs = append(errs, errors.New("--cluster-signing-duration must be positive"))
	}
	return append(errs, o.validateRole()...)
}

func (o *Options) validateRole() []error {
	if o.CreatorRole == "" {
		return nil
	}
	var errs []error
	for _, message := range content.IsPathSegmentName(o.CreatorRole) {
		errs = append(errs, fmt.Errorf("--namespace-creator-role: %q %s", o.CreatorRole, message))
	}
	return errs
}

// RootCA reads RootCAFile; nil if there is none.
func (o *Options) RootCA() ([]byte, error) {
	if o.RootCAFile == "" {
		return nil, nil
	}
	content, err := os.ReadFile(o.RootCAFile)
	if err != nil {
		return nil, fmt.Errorf("--root-ca-file: %w", err)
	}
	if _, err := cert.ParseCertsPEM(content); err != nil {
		return nil, fmt.Errorf("--root-ca-file: %s: %w", o.RootCAFile, err)
	}
	return content, nil
}

// signs says whether an authority was given.
func (o *Options) signs() bool { return o.SigningCertFile != "" || o.SigningKeyFile != "" }

// Signer returns what signs certificates: the authority that was given, or else own.
func (o *Options) Signer(own func() (*x509.Certificate, crypto.Signer, error)) func() (*x509.Certificate, crypto.Signer, error) {
	if o.signs() {
		return o.Authority
	}
	return own
}

// Authority reads SigningCertFile and SigningKeyFile.
func (o *Options) Authority() (*x509.Certificate, crypto.Signer, error) {
	const flags = "--cluster-signing-cert-file and --cluster-signing-key-file"
	if o.SigningCertFile == "" || o.SigningKeyFile == "" {
		return nil, nil, errors.New(flags + " must be set together")
	}
	pair, err := tls.LoadX509KeyPair(o.SigningCertFile, o.SigningKeyFile)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %s and %s: %w", flags, o.SigningCertFile, o.SigningKeyFile, err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("--cluster-signing-key-file: %s: the key cannot sign", o.SigningKeyFile)
	}
	if !pair.Leaf.IsCA {
		return nil, nil, fmt.Errorf("--cluster-signing-cert-file: %s: the certificate is not that of an authority", o.SigningCertFile)
	}
	return pair.Leaf, key, nil
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
