// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authentication/request/union"
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
	// trusted says in which headers others may vouch, and what aggregated servers are told
	// of who may; nil if nobody may.
	trusted *authenticatorfactory.RequestHeaderConfig
	// vouchers are who may vouch to this server.
	vouchers []voucher
}

// voucher is an authority, and whom of those with its certificates to believe: a name
// means something only to who gives it.
type voucher struct {
	ca    dynamiccertificates.CAContentProvider
	names headerrequest.StringSliceProvider // none: all
}

// newFrontProxy loads the certificates, and makes those that are missing. remove
// undoes what must not outlive the server.
func newFrontProxy(ctx context.Context, c CompletedOptions) (_ *frontProxy, remove func(), err error) {
	p, remove := &frontProxy{certFile: c.Aggregation.ProxyClientCertFile, keyFile: c.Aggregation.ProxyClientKeyFile}, func() {}
	o := c.Authentication.RequestHeader
	if o.ClientCAFile != "" {
		given, err := dynamiccertificates.NewDynamicCAContentFromFile("request-header", o.ClientCAFile)
		if err != nil {
			return nil, remove, fmt.Errorf("--requestheader-client-ca-file: %w", err)
		}
		p.vouchers = append(p.vouchers, voucher{given, headerrequest.StaticStringSlice(o.AllowedNames)})
	}
	if c.Aggregation.Enabled && p.certFile == "" {
		var ca []byte
		if ca, remove, err = p.issue(ctx, c); err != nil {
			return nil, remove, err
		}
		own, err := dynamiccertificates.NewStaticCAContent(frontProxyCAName, ca)
		if err != nil {
			return nil, remove, err
		}
		names := headerrequest.StaticStringSlice{frontProxyName}
		if o.ClientCAFile == "" { // then the names can be of no other authority
			names = append(slices.Clone(o.AllowedNames), names...)
		}
		p.vouchers = append(p.vouchers, voucher{own, names})
	}
	p.announce(o)
	return p, remove, nil
}

// announce sets what aggregated servers are told. They know one list of names for all
// authorities.
func (p *frontProxy) announce(o *RequestHeaderOptions) {
	if len(p.vouchers) == 0 {
		return
	}
	var cas []dynamiccertificates.CAContentProvider
	var names headerrequest.StaticStringSlice
	for _, v := range p.vouchers {
		cas, names = append(cas, v.ca), append(names, v.names.Value()...)
	}
	if slices.ContainsFunc(p.vouchers, func(v voucher) bool { return len(v.names.Value()) == 0 }) {
		names = nil
	}
	p.trusted = &authenticatorfactory.RequestHeaderConfig{
		UsernameHeaders: headerrequest.StaticStringSlice(o.UsernameHeaders), UIDHeaders: headerrequest.StaticStringSlice(o.UIDHeaders),
		GroupHeaders: headerrequest.StaticStringSlice(o.GroupHeaders), ExtraHeaderPrefixes: headerrequest.StaticStringSlice(o.ExtraHeaderPrefixes),
		CAContentProvider: dynamiccertificates.NewUnionCAContentProvider(cas...), AllowedClientNames: names,
	}
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
	methods := make([]authenticator.Request, len(p.vouchers))
	for i, v := range p.vouchers {
		methods[i] = headerrequest.NewDynamicVerifyOptionsSecure(v.ca.VerifyOptions, v.names,
			p.trusted.UsernameHeaders, p.trusted.UIDHeaders, p.trusted.GroupHeaders, p.trusted.ExtraHeaderPrefixes)
	}
	vouched := group.NewAuthenticatedGroupAdder(union.New(methods...))
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
