// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"github.com/spf13/pflag"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/util/cert"
)

// RequestHeaderOptions say which proxies may tell in headers who a user is.
type RequestHeaderOptions struct {
	*genericoptions.RequestHeaderAuthenticationOptions
}

// newRequestHeaderOptions has the headers that aggregated servers expect, so that
// aggregation works with what the server makes itself.
func newRequestHeaderOptions() *RequestHeaderOptions {
	return &RequestHeaderOptions{&genericoptions.RequestHeaderAuthenticationOptions{
		UsernameHeaders: []string{"X-Remote-User"}, UIDHeaders: []string{"X-Remote-Uid"},
		GroupHeaders: []string{"X-Remote-Group"}, ExtraHeaderPrefixes: []string{"X-Remote-Extra-"},
	}}
}

// AddFlags adds upstream's flags.
func (o *RequestHeaderOptions) AddFlags(fs *pflag.FlagSet) {
	o.RequestHeaderAuthenticationOptions.AddFlags(fs)
	fs.Lookup("requestheader-client-ca-file").Usage += " The server's own front proxy CA is one of the authorities as long as it signs the certificate of the server's proxy."
}

// Validate reports everything that is wrong with the options.
func (o *RequestHeaderOptions) Validate() []error {
	errs := o.RequestHeaderAuthenticationOptions.Validate()
	if o.ClientCAFile != "" {
		if _, err := cert.CertsFromFile(o.ClientCAFile); err != nil {
			errs = append(errs, fmt.Errorf("--requestheader-client-ca-file: %w", err))
		}
	}
	return errs
}
