// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/pki"
)

const (
	// pkiFolder is the folder of certificates in the data folder.
	pkiFolder = "pki"
	// Names of the pairs in it.
	caName      = "stoa-ca"
	servingName = "apiserver"
	adminName   = "admin"
	kubeletName = "apiserver-kubelet-client"
	// adminUser is who the admin kubeconfig makes its holder.
	adminUser = "stoa-admin"
	// kubeletUser is whom the server is to kubelets, as with kubeadm. He may do there
	// what the binding stoa:kubelet-api-admin says, and no more: who makes a node that
	// points here, and a proxy request to it, is him.
	kubeletUser = "kube-apiserver-kubelet-client"
	// kubeconfigEntry names cluster, user and context in it.
	kubeconfigEntry = "stoa"
)

// ErrNoAdmin says that there is nobody to write a kubeconfig for.
var ErrNoAdmin = errors.New("a server without a CA has no administrator")

// KubeconfigFile is the admin kubeconfig in the data folder.
const KubeconfigFile = "admin.kubeconfig"

// identity is what a server proves itself with, and what its administrator does.
type identity struct {
	// authority is nil, and so are ca and admin, for a server without a CA.
	authority *pki.CA
	// ca signs client certificates; trust is what clients verify the server by.
	ca, trust []byte
	// serverName is what the serving certificate says, if it is not the host of the URL.
	serverName string
	serving    dynamiccertificates.CertKeyContentProvider
	admin      *pki.Pair
	// kubelet is shown to kubelets; nil if the user brought one.
	kubelet atomic.Pointer[tls.Certificate]
}

// newIdentity loads the certificates, and makes those that are missing.
func newIdentity(ctx context.Context, c CompletedOptions) (*identity, error) {
	if c.WithoutCA {
		i := &identity{}
		certFile, keyFile := c.Serving.CertFile, c.Serving.KeyFile
		if certFile == "" {
			var err error
			if certFile, keyFile, err = c.Serving.signItself(c.advertise, c.serviceIPs()); err != nil {
				return nil, err
			}
		}
		return i, i.show(c, certFile, keyFile)
	}
	authority, err := pki.Store{Dir: c.pki}.EnsureCA(ctx, caName)
	if err != nil {
		return nil, err
	}
	i := &identity{authority: authority, ca: authority.CertPEM(), trust: authority.CertPEM()}
	if i.admin, err = authority.EnsureClient(ctx, adminName, pki.Client{User: adminUser, Groups: []string{user.SystemPrivilegedGroup}}); err != nil {
		return nil, err
	}
	if c.Kubelet.CertFile == "" {
		pair, err := authority.EnsureClient(ctx, kubeletName, pki.Client{User: kubeletUser})
		if err != nil {
			return nil, err
		}
		if err := i.setKubelet(pair); err != nil {
			return nil, err
		}
	}
	if c.Serving.CertFile != "" {
		return i, i.show(c, c.Serving.CertFile, c.Serving.KeyFile)
	}
	return i, i.issueServing(ctx, c)
}

// show shows the certificate of files that somebody else wrote.
func (i *identity) show(c CompletedOptions, certFile, keyFile string) error {
	file, err := dynamiccertificates.NewDynamicServingContentFromFiles("serving-cert", certFile, keyFile)
	if err != nil {
		return fmt.Errorf("--tls-cert-file and --tls-private-key-file: %w", err)
	}
	i.serving = file
	return i.trustForeign(file, c)
}

// setKubelet takes a pair for the next connection to a kubelet.
func (i *identity) setKubelet(pair *pki.Pair) error {
	certificate, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM)
	if err != nil {
		return fmt.Errorf("client certificate for kubelets: %w", err)
	}
	i.kubelet.Store(&certificate)
	return nil
}

// trustForeign makes the administrator trust a certificate that the user brought,
// whoever signed it, by a name that it has.
func (i *identity) trustForeign(file dynamiccertificates.CertKeyContentProvider, c CompletedOptions) error {
	i.trust, _ = file.CurrentCertKeyContent()
	certs, err := cert.ParseCertsPEM(i.trust)
	if err != nil {
		return fmt.Errorf("--tls-cert-file: %w", err)
	}
	leaf := certs[0]
	switch {
	case leaf.VerifyHostname(c.host()) == nil:
	case len(leaf.DNSNames) > 0:
		// A wildcard stands for any one label.
		i.serverName = strings.Replace(leaf.DNSNames[0], "*", "stoa", 1)
	case len(leaf.IPAddresses) > 0:
		i.serverName = leaf.IPAddresses[0].String()
	}
	return nil
}

// issueServing makes the serving certificate for every name that clients may use.
func (i *identity) issueServing(ctx context.Context, c CompletedOptions) error {
	pair, err := i.authority.EnsureServing(ctx, servingName, pki.Serving{Hosts: c.servingHosts()})
	if err != nil {
		return err
	}
	if pair.CertFile == "" {
		i.serving, err = dynamiccertificates.NewStaticCertKeyContent("serving-cert", pair.CertPEM, pair.KeyPEM)
	} else {
		// Read again when renew has written them.
		i.serving, err = dynamiccertificates.NewDynamicServingContentFromFiles("serving-cert", pair.CertFile, pair.KeyFile)
	}
	return err
}

// servingHosts are the names and addresses that clients may use beside those that any
// server has.
func (c CompletedOptions) servingHosts() []string {
	var hosts []string
	for _, ip := range []fmt.Stringer{c.advertise, c.Serving.BindAddress, c.Serving.ExternalAddress} {
		if text := ip.String(); text != "<nil>" && text != "0.0.0.0" && text != "::" {
			hosts = append(hosts, text)
		}
	}
	if c.Run.ExternalHost != "" {
		hosts = append(hosts, c.Run.ExternalHost)
	}
	for _, ip := range c.serviceIPs() {
		hosts = append(hosts, ip.String())
	}
	return hosts
}

// serviceIPs are the addresses of the service kubernetes, by which pods name the
// server: the first of each range.
func (c CompletedOptions) serviceIPs() []net.IP {
	ranges, err := c.Service.ranges()
	if err != nil {
		return nil // Validate has said so
	}
	var out []net.IP
	for _, r := range ranges {
		out = append(out, r.Addr().Next().AsSlice())
	}
	return out
}

// loopback returns a client for the server itself, which recognises it by a token,
// and adds the certificate that the client expects.
func (i *identity) loopback(ctx context.Context, serving *genericapiserver.SecureServingInfo) (*rest.Config, error) {
	ca, err := pki.Store{}.EnsureCA(ctx, "loopback-ca")
	if err != nil {
		return nil, err
	}
	pair, err := ca.EnsureServing(ctx, "loopback", pki.Serving{
		Hosts: []string{genericapiserver.LoopbackClientServerNameOverride}, Lifetime: loopbackLifetime,
	})
	if err != nil {
		return nil, err
	}
	own, err := dynamiccertificates.NewStaticSNICertKeyContent("loopback", pair.CertPEM, pair.KeyPEM, genericapiserver.LoopbackClientServerNameOverride)
	if err != nil {
		return nil, err
	}
	serving.SNICerts = append([]dynamiccertificates.SNICertKeyContentProvider{own}, serving.SNICerts...)
	config, err := serving.NewLoopbackClientConfig(uuid.NewString(), ca.CertPEM())
	if err != nil {
		return nil, err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.DisableCompression = true
	config.WarningHandler = rest.NoWarnings{} // they are for users
	return config, nil
}

// renew keeps the certificates on disk valid until ctx ends, rewrites the admin
// kubeconfig with a new certificate, and shows a new one to kubelets.
func (s *Server) renew(ctx context.Context) {
	if proxy := s.frontProxy.authority; proxy != nil {
		go proxy.RenewLoop(ctx, nil) // who uses the files watches them
	}
	if s.identity.authority == nil {
		return
	}
	s.identity.authority.RenewLoop(ctx, func(name string, pair *pki.Pair) {
		var err error
		switch name {
		case adminName:
			s.setAdmin(pair)
			err = s.writeAdminKubeconfig()
		case kubeletName:
			err = s.identity.setKubelet(pair)
		}
		if err != nil {
			klog.FromContext(ctx).Error(err, "Could not use a renewed certificate", "name", name)
		}
	})
}

// kubeconfig describes the server and its administrator to clients.
func (s *Server) kubeconfig() pki.Kubeconfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	return pki.Kubeconfig{Name: kubeconfigEntry, Server: s.url, CA: s.identity.trust, Client: s.identity.admin, ServerName: s.identity.serverName}
}

func (s *Server) setAdmin(pair *pki.Pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identity.admin = pair
}

// writeAdminKubeconfig writes it into the data folder, if there is one.
func (s *Server) writeAdminKubeconfig() error {
	path := s.KubeconfigPath()
	if path == "" {
		return nil
	}
	return s.WriteKubeconfig(path)
}

// KubeconfigPath is where the admin kubeconfig is; empty without a data folder and
// for a server without a CA.
func (s *Server) KubeconfigPath() string {
	if s.dataDir == "" || s.identity.authority == nil {
		return ""
	}
	return filepath.Join(s.dataDir, KubeconfigFile)
}

// WriteKubeconfig writes a kubeconfig with every right to path, with mode 0600. A
// server without a CA has ErrNoAdmin.
func (s *Server) WriteKubeconfig(path string) error {
	k := s.kubeconfig()
	if k.Client == nil {
		return ErrNoAdmin
	}
	return pki.WriteKubeconfig(path, k)
}

// MergeKubeconfig adds the administrator to the kubeconfig that kubectl uses, and
// returns the file that it changed. A server without a CA has ErrNoAdmin.
func (s *Server) MergeKubeconfig() (string, error) {
	k := s.kubeconfig()
	if k.Client == nil {
		return "", ErrNoAdmin
	}
	return pki.MergeKubeconfig("", k, pki.CurrentIfNone)
}

// AdminConfig returns a client configuration with every right and no throttling; nil
// for a server without a CA, which has no administrator.
func (s *Server) AdminConfig() *rest.Config {
	k := s.kubeconfig()
	if k.Client == nil {
		return nil
	}
	return &rest.Config{
		Host: k.Server, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{ServerName: k.ServerName, CAData: k.CA, CertData: k.Client.CertPEM, KeyData: k.Client.KeyPEM},
	}
}
