// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/pki"
)

const (
	// Names of the pairs in the pki folder, and of the proxy in its certificate.
	frontProxyCAName = "front-proxy-ca"
	frontProxyName   = "front-proxy-client"
	// singleProxyName is the pair of a server without a data folder. --cert-dir may be
	// a folder in which others keep theirs.
	singleProxyName = "stoa-front-proxy"
)

// frontProxy is how the server vouches for its users to servers behind it, and
// which proxies in front of it may vouch for theirs.
type frontProxy struct {
	// certFile and keyFile are what the server shows. Empty without aggregation.
	certFile, keyFile string
	// authority renews the pair; nil if the user brought one, and without a data folder.
	authority *pki.CA
	// trusted says who may vouch, in which headers; nil if nobody may.
	trusted *authenticatorfactory.RequestHeaderConfig
}

// newFrontProxy loads the certificates, and makes those that are missing. remove
// undoes what must not outlive the server.
func newFrontProxy(ctx context.Context, c CompletedOptions) (_ *frontProxy, remove func(), err error) {
	p, remove := &frontProxy{certFile: c.Aggregation.ProxyClientCertFile, keyFile: c.Aggregation.ProxyClientKeyFile}, func() {}
	names := slices.Clone(c.Authentication.RequestHeader.AllowedNames)
	var cas []dynamiccertificates.CAContentProvider
	if c.Aggregation.Enabled && p.certFile == "" {
		var ca []byte
		if ca, remove, err = p.issue(ctx, c); err != nil {
			return nil, remove, err
		}
		own, err := dynamiccertificates.NewStaticCAContent(frontProxyCAName, ca)
		if err != nil {
			return nil, remove, err
		}
		cas = append(cas, own)
		if len(names) > 0 || c.Authentication.RequestHeader.ClientCAFile == "" {
			names = append(names, frontProxyName)
		}
	}
	if file := c.Authentication.RequestHeader.ClientCAFile; file != "" {
		given, err := dynamiccertificates.NewDynamicCAContentFromFile("request-header", file)
		if err != nil {
			return nil, remove, fmt.Errorf("--requestheader-client-ca-file: %w", err)
		}
		cas = append(cas, given)
	}
	if len(cas) > 0 {
		o := c.Authentication.RequestHeader
		p.trusted = &authenticatorfactory.RequestHeaderConfig{
			UsernameHeaders: headerrequest.StaticStringSlice(o.UsernameHeaders), UIDHeaders: headerrequest.StaticStringSlice(o.UIDHeaders),
			GroupHeaders: headerrequest.StaticStringSlice(o.GroupHeaders), ExtraHeaderPrefixes: headerrequest.StaticStringSlice(o.ExtraHeaderPrefixes),
			CAContentProvider: dynamiccertificates.NewUnionCAContentProvider(cas...), AllowedClientNames: headerrequest.StaticStringSlice(names),
		}
	}
	return p, remove, nil
}

// issue makes the pair of the proxy, and returns the certificate of who signed it. The
// aggregator takes files only.
func (p *frontProxy) issue(ctx context.Context, c CompletedOptions) (ca []byte, remove func(), err error) {
	remove = func() {}
	if c.pki != "" {
		if p.authority, err = (pki.Store{Dir: c.pki}).EnsureCA(ctx, frontProxyCAName); err != nil {
			return nil, remove, err
		}
		pair, err := p.authority.EnsureClient(ctx, frontProxyName, pki.Client{User: frontProxyName})
		if err != nil {
			return nil, remove, err
		}
		p.certFile, p.keyFile = pair.CertFile, pair.KeyFile
		return p.authority.CertPEM(), remove, nil
	}
	// The key of an authority must not lie in a folder where nobody expects it, and
	// stay there after kill -9.
	if dir := c.Serving.CertDir; dir != "" {
		if ca, err = p.issueSingle(ctx, dir); err == nil {
			return ca, remove, nil
		}
		klog.FromContext(ctx).Info("Could not keep the certificate of the front proxy: each start makes a new one, which aggregated servers then have to learn",
			"dir", dir, "err", err)
	}
	dir, err := os.MkdirTemp("", "stoa-")
	if err != nil {
		return nil, remove, fmt.Errorf("folder for the certificate of the front proxy: %w", err)
	}
	ca, err = p.issueSingle(ctx, dir)
	return ca, func() { _ = os.RemoveAll(dir) }, err
}

func (p *frontProxy) issueSingle(ctx context.Context, dir string) (ca []byte, err error) {
	pair, ca, err := pki.Store{Dir: dir}.EnsureSingle(ctx, singleProxyName, pki.Client{User: frontProxyName})
	if err != nil {
		return nil, err
	}
	p.certFile, p.keyFile = pair.CertFile, pair.KeyFile
	return ca, nil
}

// certificate reads what the server shows, which may have been renewed. An error
// shows nothing, and the other side then says so.
func (p *frontProxy) certificate() (cert, key []byte) {
	cert, certErr := os.ReadFile(p.certFile)
	key, keyErr := os.ReadFile(p.keyFile)
	if certErr != nil || keyErr != nil {
		return nil, nil
	}
	return cert, key
}

// authenticate adds the authenticator of users for whom a proxy vouches. It comes
// before the others, which would take the user for the proxy.
func (p *frontProxy) authenticate(config *genericapiserver.Config) ([]authenticator.Request, error) {
	if p.trusted == nil {
		return nil, nil
	}
	if err := config.Authentication.ApplyClientCert(p.trusted.CAContentProvider, config.SecureServing); err != nil {
		return nil, fmt.Errorf("request header CA: %w", err)
	}
	config.Authentication.RequestHeaderConfig = p.trusted
	vouched := group.NewAuthenticatedGroupAdder(headerrequest.NewDynamicVerifyOptionsSecure(
		func() (x509.VerifyOptions, bool) { return p.trusted.CAContentProvider.VerifyOptions() },
		p.trusted.AllowedClientNames, p.trusted.UsernameHeaders, p.trusted.UIDHeaders, p.trusted.GroupHeaders, p.trusted.ExtraHeaderPrefixes))
	return []authenticator.Request{authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		// Nearly no request has the header: the others need not have their certificate verified twice.
		if !slices.ContainsFunc(p.trusted.UsernameHeaders.Value(), func(h string) bool { return r.Header.Get(h) != "" }) {
			return nil, false, nil
		}
		return vouched.AuthenticateRequest(r)
	})}, nil
}

// authorities are those that sign clients and proxies.
func (s *Server) authorities() []dynamiccertificates.CAContentProvider {
	out := slices.Clone(s.clientCAs)
	if s.frontProxy.trusted != nil {
		out = append(out, s.frontProxy.trusted.CAContentProvider)
	}
	return out
}

// extensionAuthentication is the data of the ConfigMap
// kube-system/extension-apiserver-authentication, from which aggregated servers
// learn whom to believe. Files of authorities are read again when they change.
func (s *Server) extensionAuthentication() (map[string]string, error) {
	out := map[string]string{}
	var clientCAs bytes.Buffer
	for _, ca := range s.clientCAs {
		clientCAs.Write(bytes.TrimSpace(ca.CurrentCABundleContent()))
		clientCAs.WriteByte('\n')
	}
	if clientCAs.Len() > 0 {
		out["client-ca-file"] = clientCAs.String()
	}
	trusted := s.frontProxy.trusted
	if trusted == nil {
		return out, nil
	}
	out["requestheader-client-ca-file"] = string(trusted.CAContentProvider.CurrentCABundleContent())
	for key, values := range map[string][]string{
		"requestheader-username-headers":     trusted.UsernameHeaders.Value(),
		"requestheader-uid-headers":          trusted.UIDHeaders.Value(),
		"requestheader-group-headers":        trusted.GroupHeaders.Value(),
		"requestheader-extra-headers-prefix": trusted.ExtraHeaderPrefixes.Value(),
		"requestheader-allowed-names":        trusted.AllowedClientNames.Value(),
	} {
		if values == nil {
			values = []string{}
		}
		encoded, err := json.Marshal(values)
		if err != nil {
			return nil, err
		}
		out[key] = string(encoded)
	}
	return out, nil
}
