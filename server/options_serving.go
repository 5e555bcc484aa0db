// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/klog/v2"
	netutils "k8s.io/utils/net"
)

const (
	defaultPort       = 6443
	defaultCloseDelay = 100 * time.Millisecond
)

// ServingOptions say where a server listens and what certificate it shows.
// Everything that is not here is as in k8s.io/apiserver.
type ServingOptions struct {
	*genericoptions.SecureServingOptions
	// CertFile and KeyFile are the certificate shown to clients that ask for no
	// other. Both empty: one that the server's own CA signs and renews.
	CertFile, KeyFile string
	// CertDir is where a server without a CA and without CertFile keeps the
	// certificate that it signs for itself, and one without a data folder that of its
	// front proxy.
	CertDir string
	// CloseDelay is how long a server that stops waits, once every request has been
	// answered, for clients to close their connections before it does.
	CloseDelay time.Duration
}

func newServingOptions() *ServingOptions {
	o := genericoptions.NewSecureServingOptions()
	o.BindAddress = netutils.ParseIPSloppy("0.0.0.0")
	o.BindPort = defaultPort
	o.ServerCert.CertDirectory, o.ServerCert.PairName = "", ""
	return &ServingOptions{SecureServingOptions: o, CloseDelay: defaultCloseDelay}
}

// AddFlags adds upstream's flags that the server obeys. --data-dir has the role of
// --cert-dir.
func (o *ServingOptions) AddFlags(fs *pflag.FlagSet) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.SecureServingOptions.AddFlags(all)
	all.VisitAll(func(f *pflag.Flag) {
		switch f.Name {
		case "cert-dir", "tls-cert-file", "tls-private-key-file", "permit-port-sharing", "permit-address-sharing":
		default:
			fs.AddFlag(f)
		}
	})
	fs.Lookup("secure-port").Usage = "The port on which to serve HTTPS with authentication and authorization. 0 takes one that is free."
	fs.StringVar(&o.CertFile, "tls-cert-file", o.CertFile, "File containing the default x509 Certificate for HTTPS. (CA cert, if any, concatenated after server cert). If empty, the server's own CA in --data-dir signs one.")
	fs.StringVar(&o.KeyFile, "tls-private-key-file", o.KeyFile, "File containing the default x509 private key matching --tls-cert-file.")
}

// Validate reports everything that is wrong with the options.
func (o *ServingOptions) Validate() []error {
	errs := o.SecureServingOptions.Validate()
	if o.Listener != nil {
		errs = nil // upstream insists on a port even though a listener has one
	}
	if _, err := cliflag.TLSVersion(o.MinTLSVersion); err != nil {
		errs = append(errs, fmt.Errorf("--tls-min-version: %w", err))
	}
	if _, err := cliflag.TLSCipherSuites(o.CipherSuites); err != nil {
		errs = append(errs, fmt.Errorf("--tls-cipher-suites: %w", err))
	}
	for _, pair := range o.SNICertKeys {
		if _, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile); err != nil {
			errs = append(errs, fmt.Errorf("--tls-sni-cert-key: %s and %s: %w", pair.CertFile, pair.KeyFile, err))
		}
	}
	if o.HTTP2MaxStreamsPerConnection < 0 {
		errs = append(errs, errors.New("--http2-max-streams-per-connection must not be negative"))
	}
	if o.CertFile != "" && o.KeyFile == "" {
		errs = append(errs, errors.New("--tls-cert-file must be set together with --tls-private-key-file"))
	}
	if o.CertFile == "" && o.KeyFile != "" {
		errs = append(errs, errors.New("--tls-private-key-file must be set together with --tls-cert-file"))
	}
	return errs
}

// advertiseAddress is the address that clients on other machines use: what the
// user set, else the bind address, else that of the default interface. A machine
// without a network advertises the loopback address.
func (o *ServingOptions) advertiseAddress(ctx context.Context, set net.IP) (net.IP, error) {
	if set != nil && !set.IsUnspecified() {
		return set, nil
	}
	ip, err := utilnet.ResolveBindAddressWithLogger(klog.FromContext(ctx), o.BindAddress)
	if utilnet.IsNoRoutesError(err) {
		return net.IPv4(127, 0, 0, 1), nil
	}
	if err != nil {
		return nil, fmt.Errorf("--advertise-address must be set: %w", err)
	}
	return ip, nil
}

// signItself makes a certificate in CertDir, unless there is one, that clients have
// no reason to trust, and returns its files.
func (o *ServingOptions) signItself(advertise net.IP, more []net.IP) (certFile, keyFile string, err error) {
	upstream := *o.SecureServingOptions
	upstream.BindPort = defaultPort // without a port it would do nothing
	upstream.ServerCert.CertDirectory, upstream.ServerCert.PairName = o.CertDir, servingName
	err = upstream.MaybeDefaultWithSelfSignedCerts(advertise.String(), []string{"kubernetes.default.svc", "kubernetes.default", "kubernetes"}, more)
	if err != nil {
		return "", "", fmt.Errorf("error creating self-signed certificates: %w", err)
	}
	return upstream.ServerCert.CertKey.CertFile, upstream.ServerCert.CertKey.KeyFile, nil
}

// listen opens the port.
func (o *ServingOptions) listen(ctx context.Context) (*listener, error) {
	if o.Listener != nil {
		return newListener(o.Listener), nil
	}
	network := o.BindNetwork
	if network == "" {
		network = "tcp"
	}
	address := net.JoinHostPort(o.BindAddress.String(), strconv.Itoa(o.BindPort))
	opened, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("listen on --bind-address and --secure-port: %w", err)
	}
	return newListener(opened), nil
}
