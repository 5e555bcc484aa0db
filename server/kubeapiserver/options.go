// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kubeapiserver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs/api/v1"

	"github.com/stoa-project/stoa/server"
)

// Headings of the help.
const (
	sectionAggregation = "aggregation"
	sectionGeneric     = "generic"
	sectionIgnored     = "accepted, but without effect yet,"
	sectionServing     = "secure serving"
	certFolder         = "/var/run/kubernetes"
	modeAllow          = server.ModeAlwaysAllow
)

// Options are the flags of kube-apiserver.
type Options struct {
	// Server are those that the server obeys.
	Server *server.Options
	// Logging is the configuration of the log.
	Logging *v1.LoggingConfiguration
	// PrintVersion prints the version and ends.
	PrintVersion string

	flags   *pflag.FlagSet
	ignored map[string]bool
}

// NewOptions returns kube-apiserver's defaults.
func NewOptions() *Options {
	o := &Options{Server: server.NewOptions(), Logging: v1.NewLoggingConfiguration(), ignored: map[string]bool{}}
	o.Server.DataDir, o.Server.WithoutCA = "", true
	o.Server.Serving.CertDir = certFolder
	o.Server.Authorization.Modes = []string{modeAllow}
	o.Server.Authentication.Tokens.Issuers = nil
	for _, name := range o.Server.Admission.Plugins.Registered() {
		if plugins[name] == offByDefault { // as those that kube-apiserver does not have are
			o.Server.Admission.DefaultOffPlugins.Insert(name)
		}
	}
	o.Server.Run.MaxRequestsInFlight, o.Server.Run.MaxMutatingRequestsInFlight = server.MaxRequestsInFlight, server.MaxMutatingRequestsInFlight
	o.Server.Controllers.Names = nil // who runs kube-apiserver runs kube-controller-manager too, or wants none
	return o
}

// AddFlags adds the flags in named sections: first those of the server that
// kube-apiserver has too, last those without effect.
func (o *Options) AddFlags(sections *cliflag.NamedFlagSets) {
	var all cliflag.NamedFlagSets
	o.Server.AddFlags(&all)
	v1.AddFlags(o.Logging, all.FlagSet("logs"))
	for _, name := range all.Order {
		section := pflag.NewFlagSet(name, pflag.ContinueOnError)
		all.FlagSets[name].VisitAll(func(f *pflag.Flag) {
			if _, known := upstream[f.Name]; known {
				section.AddFlag(f)
			}
		})
		if section.HasFlags() {
			sections.FlagSet(name).AddFlagSet(section)
		}
	}
	o.addOwnFlags(sections)
	o.flags = pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, section := range sections.FlagSets {
		o.flags.AddFlagSet(section)
	}
	ignored := sections.FlagSet(sectionIgnored)
	for _, name := range slices.Sorted(maps.Keys(upstream)) {
		if o.flags.Lookup(name) == nil && name != "version" {
			addIgnored(ignored, name)
			o.ignored[name] = true
		}
	}
	o.flags.AddFlagSet(ignored)
}

// addOwnFlags adds the flags that only a drop-in has.
func (o *Options) addOwnFlags(sections *cliflag.NamedFlagSets) {
	serving := sections.FlagSet(sectionServing)
	serving.StringVar(&o.Server.Serving.CertDir, "cert-dir", o.Server.Serving.CertDir, "The directory where the TLS certs are located. If --tls-cert-file and --tls-private-key-file are provided, and --proxy-client-cert-file is too, this flag will be ignored.")
	serving.Lookup("tls-cert-file").Usage = "File containing the default x509 Certificate for HTTPS. (CA cert, if any, concatenated after server cert). If HTTPS serving is enabled, and --tls-cert-file and --tls-private-key-file are not provided, a self-signed certificate and key are generated for the public address and saved to the directory specified by --cert-dir."

	sections.FlagSet(sectionGeneric).Lookup("max-requests-inflight").DefValue = strconv.Itoa(server.MaxRequestsInFlight)
	sections.FlagSet(sectionGeneric).Lookup("max-mutating-requests-inflight").DefValue = strconv.Itoa(server.MaxMutatingRequestsInFlight)

	sections.FlagSet(sectionAggregation).Lookup("proxy-client-cert-file").Usage = "Client certificate used to prove the identity of the aggregator or kube-apiserver when it must call out during a request. This includes proxying requests to a user api-server and calling out to webhook admission plugins. If empty, one is made and saved, with the certificate of its authority, to the directory specified by --cert-dir."

	sections.FlagSet("global").StringVar(&o.PrintVersion, "version", "", "Print the version of Kubernetes and quit.")
	sections.FlagSet("global").Lookup("version").NoOptDefVal = "true"
}

// addIgnored adds a flag whose value is looked at for its form alone.
func addIgnored(fs *pflag.FlagSet, name string) {
	const usage = "Not implemented yet."
	switch upstream[name] {
	case text:
		fs.String(name, "", usage)
	case list:
		fs.StringArray(name, nil, usage)
	case boolean:
		fs.Bool(name, false, usage)
	case number:
		fs.Int64(name, 0, usage)
	case fraction:
		fs.Float64(name, 0, usage)
	case duration:
		fs.Duration(name, 0, usage)
	}
}

// Warnings are about flags that were set and have no effect.
func (o *Options) Warnings() []string {
	var out []string
	o.flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed && o.ignored[f.Name] {
			out = append(out, fmt.Sprintf("--%s has no effect yet", f.Name))
		}
	})
	return out
}

// Validate reports everything that is wrong with what the server itself does not check.
func (o *Options) Validate() []error {
	var errs []error
	if len(o.Server.Etcd.StorageConfig.Transport.ServerList) == 0 {
		errs = append(errs, errors.New("--etcd-servers must be specified"))
	}
	errs = append(errs, o.Server.Authorization.ValidateModes()...)
	errs = append(errs, validateTokens(o.Server.Authentication.Tokens)...)
	return append(errs, o.validateFlowControl()...)
}

// validateFlowControl wants the resources served that say in which order requests are.
// A server that is no drop-in does without.
func (o *Options) validateFlowControl() []error {
	if !o.Server.FlowControl.PriorityAndFairness {
		return nil
	}
	for _, versions := range []string{"flowcontrol.apiserver.k8s.io/v1", "api/ga", "api/all"} { // the first that is set counts
		switch o.Server.APIs.RuntimeConfig[versions] {
		case "false":
			return []error{fmt.Errorf("--runtime-config=%s=false conflicts with --enable-priority-and-fairness=true", versions)}
		case "true":
			return nil
		}
	}
	return nil
}

// validateTokens wants the key and the name of the issuer, which a server has by itself
// when it is no drop-in.
func validateTokens(t *server.TokenOptions) []error {
	switch signs, issues := t.SigningKeyFile != "", len(t.Issuers) > 0; {
	case !signs && !issues && len(t.Audiences) == 0:
		return []error{errors.New("--service-account-signing-key-file and --service-account-issuer are required flags")}
	case !signs || !issues:
		return []error{errors.New("--service-account-signing-key-file, --service-account-issuer, and --api-audiences should be specified together")}
	}
	return nil
}
