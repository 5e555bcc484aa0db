// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/util/cert"
)

// AuthenticationOptions say whose word the server takes for who a client is.
type AuthenticationOptions struct {
	// ClientCAFile holds CAs whose client certificates are accepted beside those of
	// the server's own CA. Empty: only the server's own.
	ClientCAFile string
	// RequestHeader says which proxies the server believes.
	RequestHeader *RequestHeaderOptions
}

func newAuthenticationOptions() *AuthenticationOptions {
	return &AuthenticationOptions{RequestHeader: newRequestHeaderOptions()}
}

// AddFlags adds the flags of authentication.
func (o *AuthenticationOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.ClientCAFile, "client-ca-file", o.ClientCAFile, "If set, any request presenting a client certificate signed by one of the authorities in the client-ca-file is authenticated with an identity corresponding to the CommonName of the client certificate. The server's own CA is always one of the authorities.")
	o.RequestHeader.AddFlags(fs)
}

// Validate reports everything that is wrong with the options.
func (o *AuthenticationOptions) Validate() []error {
	errs := o.RequestHeader.Validate()
	if o.ClientCAFile != "" {
		if _, err := cert.CertsFromFile(o.ClientCAFile); err != nil {
			errs = append(errs, fmt.Errorf("--client-ca-file: %w", err))
		}
	}
	return errs
}

// clientCAs returns the CAs that sign client certificates: own and those of the
// file, which is read again when it changes.
func (o *AuthenticationOptions) clientCAs(own []byte) ([]dynamiccertificates.CAContentProvider, error) {
	ca, err := dynamiccertificates.NewStaticCAContent("stoa-ca", own)
	if err != nil {
		return nil, err
	}
	if o.ClientCAFile == "" {
		return []dynamiccertificates.CAContentProvider{ca}, nil
	}
	file, err := dynamiccertificates.NewDynamicCAContentFromFile("client-ca-bundle", o.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("--client-ca-file: %w", err)
	}
	return []dynamiccertificates.CAContentProvider{ca, file}, nil
}
