// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/client-go/util/cert"
)

// AggregationOptions put the servers of APIService objects behind this one. The
// server also lists the versions that it has itself as APIServices.
type AggregationOptions struct {
	// Enabled serves APIServices. Off, the kind does not exist and costs nothing.
	Enabled bool
	// ProxyClientCertFile and ProxyClientKeyFile are what the server shows to the
	// servers behind it. Both empty: a certificate of its own front proxy CA.
	ProxyClientCertFile, ProxyClientKeyFile string
	// EndpointRouting is upstream's --enable-aggregator-routing. It changes nothing:
	// requests always go to endpoints, because nothing need route cluster addresses
	// on the machine of an API server.
	EndpointRouting bool
	// RejectForwardingRedirects answers an error in place of a redirect of a server
	// behind this one.
	RejectForwardingRedirects bool
}

func newAggregationOptions() *AggregationOptions {
	return &AggregationOptions{Enabled: true, RejectForwardingRedirects: true}
}

// AddFlags adds the flags of aggregation.
func (o *AggregationOptions) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.Enabled, "aggregation", o.Enabled, "Serve APIServices and pass requests on to the servers that they name.")
	fs.StringVar(&o.ProxyClientCertFile, "proxy-client-cert-file", o.ProxyClientCertFile, "Client certificate used to prove the identity of the server when it must call out during a request, to an aggregated API server or a webhook. If empty, the server's own front proxy CA in --data-dir signs one. The CA must be the one in --requestheader-client-ca-file.")
	fs.StringVar(&o.ProxyClientKeyFile, "proxy-client-key-file", o.ProxyClientKeyFile, "Private key for --proxy-client-cert-file.")
	fs.BoolVar(&o.EndpointRouting, "enable-aggregator-routing", o.EndpointRouting, "Accepted for compatibility: requests to aggregated API servers always go to the endpoints of their service.")
	fs.BoolVar(&o.RejectForwardingRedirects, "aggregator-reject-forwarding-redirect", o.RejectForwardingRedirects, "Reject redirect answers of aggregated API servers instead of passing them on to the client.")
}

// Validate reports everything that is wrong with the options.
func (o *AggregationOptions) Validate() []error {
	var errs []error
	switch certFile, keyFile := o.ProxyClientCertFile, o.ProxyClientKeyFile; {
	case certFile != "" && keyFile == "":
		errs = append(errs, errors.New("--proxy-client-cert-file must be set together with --proxy-client-key-file"))
	case certFile == "" && keyFile != "":
		errs = append(errs, errors.New("--proxy-client-key-file must be set together with --proxy-client-cert-file"))
	case certFile != "":
		if _, err := cert.CertsFromFile(certFile); err != nil {
			errs = append(errs, fmt.Errorf("--proxy-client-cert-file: %w", err))
		}
	}
	return errs
}
