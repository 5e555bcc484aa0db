// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"
)

// leafLifetime is the default for serving and client certificates.
const leafLifetime = 365 * 24 * time.Hour

// Serving asks for a certificate that a server shows. It always has localhost, 127.0.0.1, ::1, the name of the machine
// and the names of the kubernetes service beside what is asked for.
type Serving struct {
	// Hosts are more names and addresses.
	Hosts []string
	// ServiceIP is the address of the kubernetes service. Unset means none.
	ServiceIP net.IP
	// Lifetime is how long the certificate is valid. Unset means a year.
	Lifetime time.Duration
}

// Client asks for a certificate with which a client shows who it is.
type Client struct {
	// User is required.
	User string
	// Groups may be empty.
	Groups []string
	// Lifetime is how long the certificate is valid. Unset means a year.
	Lifetime time.Duration
}

// request is a Serving or Client after checking.
type request struct {
	name     string
	subject  pkix.Name
	dnsNames []string
	ips      []net.IP
	usage    x509.ExtKeyUsage
	lifetime time.Duration
}

// EnsureServing returns the serving certificate that name.crt and name.key hold if it is issued by this authority, has at
// least the hosts asked for and more than a third of its life left; else it issues one. The certificate is renewed by
// RenewLoop from then on.
func (c *CA) EnsureServing(ctx context.Context, name string, serving Serving) (*Pair, error) {
	r := request{
		name:     name,
		subject:  pkix.Name{CommonName: name},
		usage:    x509.ExtKeyUsageServerAuth,
		lifetime: serving.Lifetime,
		ips:      []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		dnsNames: []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local",
		},
	}
	if serving.ServiceIP != nil {
		r.ips = append(r.ips, serving.ServiceIP)
	}
	if hostname, err := os.Hostname(); err == nil && isDNSName(strings.ToLower(hostname)) {
		r.dnsNames = append(r.dnsNames, strings.ToLower(hostname))
	}
	for _, host := range serving.Hosts {
		lower := strings.ToLower(host)
		if ip := net.ParseIP(host); ip != nil {
			r.ips = append(r.ips, ip)
		} else if isDNSName(lower) {
			r.dnsNames = append(r.dnsNames, lower)
		} else {
			return nil, fmt.Errorf("%w: host %q must be a DNS name or an IP address", ErrInvalid, host)
		}
	}
	slices.Sort(r.dnsNames)
	r.dnsNames = slices.Compact(r.dnsNames)
	return c.ensure(ctx, r)
}

func isDNSName(name string) bool {
	return len(validation.IsDNS1123Subdomain(strings.TrimPrefix(name, "*."))) == 0
}

// EnsureClient does for a client certificate what EnsureServing does for one of a server. A certificate with another user
// or other groups is replaced.
func (c *CA) EnsureClient(ctx context.Context, name string, client Client) (*Pair, error) {
	r, err := client.request(name)
	if err != nil {
		return nil, err
	}
	return c.ensure(ctx, r)
}

func (c Client) request(name string) (request, error) {
	if c.User == "" {
		return request{}, fmt.Errorf("%w: User must be set", ErrInvalid)
	}
	groups := slices.Clone(c.Groups)
	slices.Sort(groups)
	return request{
		name:     name,
		subject:  pkix.Name{CommonName: c.User, Organization: slices.Compact(groups)},
		usage:    x509.ExtKeyUsageClientAuth,
		lifetime: c.Lifetime,
	}, nil
}

func (c *CA) ensure(ctx context.Context, r request) (*Pair, error) {
	if err := checkName(r.name); err != nil {
		return nil, err
	}
	if r.name == c.name {
		return nil, fmt.Errorf("%w: name %q is that of the authority", ErrInvalid, r.name)
	}
	if r.lifetime < 0 {
		return nil, fmt.Errorf("%w: Lifetime must not be negative", ErrInvalid)
	}
	if r.lifetime == 0 {
		r.lifetime = leafLifetime
	}
	pair, _, err := c.reuseOrIssue(ctx, r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leafs[r.name] = r
	return pair, nil
}

// reuseOrIssue reads without a lock, because mostly there is nothing to write, and again with it before writing.
func (c *CA) reuseOrIssue(ctx context.Context, r request) (pair *Pair, issued bool, err error) {
	stored, err := c.loadLeaf(r)
	if err != nil || stored.unfit == "" {
		return stored.pair, false, err
	}
	err = c.store.exclusive(func() error {
		if stored, err = c.loadLeaf(r); err != nil || stored.unfit == "" {
			pair = stored.pair
			return err
		}
		issued = true
		pair, err = c.issue(ctx, r, stored)
		return err
	})
	return pair, issued, err
}

// storedLeaf is what the files of a leaf hold.
type storedLeaf struct {
	// pair is set if unfit is empty.
	pair *Pair
	// unfit says why a new certificate is needed.
	unfit string
	// key is set, with its PEM form, if there is one to go on with.
	key    crypto.Signer
	keyPEM []byte
}

func (c *CA) loadLeaf(r request) (storedLeaf, error) {
	certFile, keyFile := c.store.certFile(r.name), c.store.keyFile(r.name)
	keyPEM, err := readKey(keyFile)
	if err != nil {
		return storedLeaf{}, err
	}
	certPEM, err := readCert(certFile)
	if err != nil {
		return storedLeaf{}, err
	}
	stored := storedLeaf{unfit: "private key is missing or damaged"}
	if keyPEM != nil {
		if key, err := parseKey(keyPEM); err == nil {
			stored = storedLeaf{key: key, keyPEM: keyPEM}
		}
	}
	if certPEM == nil {
		stored.unfit = "certificate is missing"
		return stored, nil
	}
	cert, err := parseCert(certPEM)
	if err != nil {
		stored.unfit = "certificate is damaged"
		return stored, nil
	}
	if cert.Issuer.CommonName != c.cert.Subject.CommonName {
		// Somebody's own certificate, and the only copy of its key perhaps.
		return storedLeaf{}, fmt.Errorf("%w: %s is from %q, not from %q; move it away, and name it in the server's "+
			"configuration if it is to be used", ErrForeign, certFile, cert.Issuer.CommonName, c.cert.Subject.CommonName)
	}
	if stored.unfit == "" {
		stored.unfit = c.unfit(cert, stored.key, r)
	}
	if stored.unfit == "" {
		stored.pair = &Pair{CertPEM: certPEM, KeyPEM: keyPEM, CertFile: certFile, KeyFile: keyFile, Leaf: cert}
	}
	return stored, nil
}

// unfit says why cert does not do for r, empty if it does.
func (c *CA) unfit(cert *x509.Certificate, key crypto.Signer, r request) string {
	now := c.store.clock().Now()
	groups := slices.Sorted(slices.Values(cert.Subject.Organization))
	switch {
	case !samePublicKey(cert, key):
		return "private key belongs to another certificate"
	case cert.CheckSignatureFrom(c.cert) != nil:
		return "certificate is from another authority of the same name"
	case now.Before(cert.NotBefore):
		return "certificate is not valid yet"
	case !now.Before(renewAt(cert)):
		return "certificate expires soon"
	case cert.Subject.CommonName != r.subject.CommonName, !slices.Equal(groups, r.subject.Organization):
		return "certificate has another subject"
	case !slices.Contains(cert.ExtKeyUsage, r.usage):
		return "certificate has another use"
	}
	for _, name := range r.dnsNames {
		if !slices.Contains(cert.DNSNames, name) {
			return "certificate lacks host " + name
		}
	}
	for _, ip := range r.ips {
		if !slices.ContainsFunc(cert.IPAddresses, ip.Equal) {
			return "certificate lacks address " + ip.String()
		}
	}
	return ""
}

// renewAt is when less than a third of the life of a certificate is left.
func renewAt(cert *x509.Certificate) time.Time {
	const part = 3
	return cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore) / part)
}

// issue signs a certificate and writes it. It keeps a key that is there: then a renewal changes one file, in one step, and
// whoever reads the two files at any moment gets a pair that fits.
func (c *CA) issue(ctx context.Context, r request, stored storedLeaf) (*Pair, error) {
	now := c.store.clock().Now()
	key, keyPEM := stored.key, stored.keyPEM
	var err error
	if key == nil {
		if key, keyPEM, err = newKey(); err != nil {
			return nil, err
		}
	}
	expires := now.Add(r.lifetime)
	if expires.After(c.cert.NotAfter) {
		expires = c.cert.NotAfter
	}
	cert, certPEM, err := sign(&x509.Certificate{
		Subject:     r.subject,
		DNSNames:    r.dnsNames,
		IPAddresses: r.ips,
		NotBefore:   now.Add(-skew),
		NotAfter:    expires,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{r.usage},
	}, c.cert, key.Public(), c.key)
	if err != nil {
		return nil, err
	}
	pair := &Pair{
		CertPEM: certPEM, KeyPEM: keyPEM, Leaf: cert,
		CertFile: c.store.certFile(r.name), KeyFile: c.store.keyFile(r.name),
	}
	if c.store.Dir == "" {
		return pair, nil
	}
	if stored.key == nil {
		if err := writeFile(pair.KeyFile, keyPEM, keyMode); err != nil {
			return nil, err
		}
	}
	if err := writeFile(pair.CertFile, certPEM, certMode); err != nil {
		return nil, err
	}
	klog.FromContext(ctx).V(2).Info("Issued certificate", "file", pair.CertFile, "reason", stored.unfit,
		"expires", cert.NotAfter)
	return pair, syncFolder(c.store.Dir)
}
