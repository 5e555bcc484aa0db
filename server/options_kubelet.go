// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/cert"

	"github.com/stoa-project/stoa/registry/core/kubelet"
)

const defaultKubeletTimeout = 5 * time.Second

// KubeletOptions say how the server connects to kubelets, for logs, exec and the like.
type KubeletOptions struct {
	// AddressTypes are those of a node's addresses that are tried, in this order.
	AddressTypes []string
	// CertFile and KeyFile are the client certificate. Both empty: one that the
	// server's own CA signs and renews.
	CertFile, KeyFile string
	// CAFile holds the CAs of the kubelets' serving certificates. Empty: they are
	// not verified.
	CAFile string
	// Timeout is for connecting.
	Timeout time.Duration
	// Port is used for nodes whose status has none.
	Port uint
	// MaxBytesPerSecond limits each connection that goes through the server. 0: no limit.
	MaxBytesPerSecond int64
}

func newKubeletOptions() *KubeletOptions {
	return &KubeletOptions{
		AddressTypes: []string{
			string(corev1.NodeHostName), string(corev1.NodeInternalDNS), string(corev1.NodeInternalIP),
			string(corev1.NodeExternalDNS), string(corev1.NodeExternalIP),
		},
		Timeout: defaultKubeletTimeout,
		Port:    kubelet.DefaultPort,
	}
}

// AddFlags adds the flags of kubelets.
func (o *KubeletOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringSliceVar(&o.AddressTypes, "kubelet-preferred-address-types", o.AddressTypes, "List of the preferred NodeAddressTypes to use for kubelet connections.")
	fs.StringVar(&o.CertFile, "kubelet-client-certificate", o.CertFile, "Path to a client cert file for TLS. If empty, the server's own CA in --data-dir signs one for kube-apiserver-kubelet-client.")
	fs.StringVar(&o.KeyFile, "kubelet-client-key", o.KeyFile, "Path to a client key file for TLS.")
	fs.StringVar(&o.CAFile, "kubelet-certificate-authority", o.CAFile, "Path to a cert file for the certificate authority. If empty, the certificates of kubelets are not verified.")
	fs.DurationVar(&o.Timeout, "kubelet-timeout", o.Timeout, "Timeout for connecting to a kubelet.")
	fs.UintVar(&o.Port, "kubelet-port", o.Port, "DEPRECATED: kubelet port.")
	_ = fs.MarkDeprecated("kubelet-port", "kubelet-port is deprecated and will be removed.") // the flag is there
	fs.Int64Var(&o.MaxBytesPerSecond, "max-connection-bytes-per-sec", o.MaxBytesPerSecond, "If non-zero, throttle each user connection to this number of bytes/sec. Currently only applies to long-running requests.")
}

// Validate reports everything that is wrong with the options.
func (o *KubeletOptions) Validate() []error {
	var errs []error
	if (o.CertFile == "") != (o.KeyFile == "") {
		errs = append(errs, errors.New("--kubelet-client-certificate and --kubelet-client-key must be set together"))
	}
	if o.CAFile != "" {
		if _, err := cert.NewPool(o.CAFile); err != nil {
			errs = append(errs, fmt.Errorf("--kubelet-certificate-authority: %w", err))
		}
	}
	if o.Timeout < 0 {
		errs = append(errs, errors.New("--kubelet-timeout must not be negative"))
	}
	if o.Port == 0 || o.Port > 65535 {
		errs = append(errs, errors.New("--kubelet-port must be between 1 and 65535"))
	}
	if o.MaxBytesPerSecond < 0 {
		errs = append(errs, errors.New("--max-connection-bytes-per-sec must not be negative"))
	}
	return errs
}

// client returns a client that shows the certificate of the options, or own.
func (o *KubeletOptions) client(own func() (*tls.Certificate, error)) (*kubelet.Client, error) {
	config := kubelet.Config{Port: int(o.Port), Timeout: o.Timeout, Certificate: own}
	for _, name := range o.AddressTypes {
		config.AddressTypes = append(config.AddressTypes, corev1.NodeAddressType(name))
	}
	if o.CertFile != "" {
		config.Certificate = func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
			return &pair, err
		}
		if _, err := config.Certificate(); err != nil {
			return nil, fmt.Errorf("--kubelet-client-certificate and --kubelet-client-key: %w", err)
		}
	}
	if o.CAFile != "" {
		pem, err := cert.CertsFromFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--kubelet-certificate-authority: %w", err)
		}
		config.Authorities = x509.NewCertPool()
		for _, ca := range pem {
			config.Authorities.AddCert(ca)
		}
	}
	return kubelet.New(config), nil
}
