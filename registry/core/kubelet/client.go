// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

const (
	// DefaultPort is where a kubelet listens whose node does not say otherwise.
	DefaultPort = 10250
	keepAlive   = 30 * time.Second
)

// Config says how kubelets are reached.
type Config struct {
	// Port is used for a node whose status has none. Unset: DefaultPort.
	Port int
	// AddressTypes are those of a node's addresses that are tried, in this order. Required.
	AddressTypes []corev1.NodeAddressType
	// Authorities sign the serving certificates of kubelets. Nil: they are not verified.
	Authorities *x509.CertPool
	// Certificate returns the client certificate for the next connection. Nil: none is shown.
	Certificate func() (*tls.Certificate, error)
	// Timeout is for connecting. Unset: as long as the request lasts.
	Timeout time.Duration
	// Dial opens connections. Nil: the network of this machine.
	Dial utilnet.DialFunc
}

// Client knows the kubelet of each node.
type Client struct {
	port                 int
	types                []corev1.NodeAddressType
	transport, unchecked *http.Transport
}

// New returns a client.
func New(config Config) *Client {
	if config.Port == 0 {
		config.Port = DefaultPort
	}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: config.Timeout, KeepAlive: keepAlive}).DialContext
	}
	checked := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: config.Authorities, InsecureSkipVerify: config.Authorities == nil} //nolint:gosec // as in Kubernetes without --kubelet-certificate-authority
	if config.Certificate != nil {
		checked.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return config.Certificate() }
	}
	unchecked := checked.Clone()
	unchecked.InsecureSkipVerify = true
	return &Client{
		port: config.Port, types: config.AddressTypes,
		transport: newTransport(config, checked), unchecked: newTransport(config, unchecked),
	}
}

// newTransport returns a transport without HTTP/2, in which nothing can be upgraded.
func newTransport(config Config, secure *tls.Config) *http.Transport {
	return utilnet.SetOldTransportDefaults(&http.Transport{
		DialContext: config.Dial, TLSClientConfig: secure, TLSHandshakeTimeout: config.Timeout,
	})
}

// Close ends idle connections.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.unchecked.CloseIdleConnections()
}

// Connection says how to reach one kubelet.
type Connection struct {
	// Host is its address without Port.
	Host, Port string
	// Transport verifies the kubelet's certificate, if there are authorities; Unchecked never does.
	Transport, Unchecked *http.Transport
	// features are what the node says that it can do.
	features []string
}

// Scheme is that of every kubelet.
const Scheme = "https"

// Address is host and port.
func (c *Connection) Address() string { return net.JoinHostPort(c.Host, c.Port) }

// Declares says whether the node declares a feature.
func (c *Connection) Declares(feature string) bool { return slices.Contains(c.features, feature) }

// Connection returns how to reach the kubelet of a node.
func (c *Client) Connection(node *corev1.Node) (*Connection, error) {
	host, err := c.host(node)
	if err != nil {
		return nil, err
	}
	port := int(node.Status.DaemonEndpoints.KubeletEndpoint.Port)
	if port <= 0 {
		port = c.port
	}
	return &Connection{
		Host: host, Port: strconv.Itoa(port), Transport: c.transport, Unchecked: c.unchecked,
		features: node.Status.DeclaredFeatures,
	}, nil
}

func (c *Client) host(node *corev1.Node) (string, error) {
	for _, wanted := range c.types {
		for _, address := range node.Status.Addresses {
			if address.Type == wanted {
				return address.Address, nil
			}
		}
	}
	return "", fmt.Errorf("no preferred addresses found; known addresses: %v", node.Status.Addresses)
}
