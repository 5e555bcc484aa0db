// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	probeTimeout = 10 * time.Second
	// maxProbe is how much of an answer is read.
	maxProbe = 64 << 10
)

// health is what the server says of itself.
type health struct {
	code int
	text string
	date time.Time
}

// lookAtServer asks the server itself, which tells what it misses of the cluster. A
// server outside is asked from here and its certificate verified as the cluster does;
// one in pods is asked through the cluster.
func (c *Cluster) lookAtServer(ctx context.Context, o Options) (text, do string) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	ask, where := c.askPods, "through the cluster"
	if o.external() {
		ask, where = c.askOutside, "from here"
	}
	answer, err := ask(ctx, o)
	if trust := (*tls.CertificateVerificationError)(nil); errors.As(err, &trust) {
		return "its certificate: " + err.Error(), "look into the log of the server: it writes who signs its certificate into the APIServices within a minute, unless something prevents it; and see that --aggregated-service names " + o.Namespace + "/" + Name
	}
	if err != nil {
		return "not reachable " + where + ": " + err.Error(), "start the server, or let requests to it through"
	}
	var failed []string
	for line := range strings.Lines(answer.text) {
		if check, ok := strings.CutPrefix(line, "[-]"); ok {
			failed = append(failed, strings.TrimSpace(check))
		}
	}
	if skew := time.Since(answer.date).Abs(); !answer.date.IsZero() && skew > maxSkew {
		return fmt.Sprintf("its clock differs by %s from the one here", skew.Round(time.Second)), "set the clocks right"
	}
	if answer.code != http.StatusOK {
		return fmt.Sprintf("/readyz answers %d: %s", answer.code, strings.Join(failed, "; ")), "look into the log of the server: it says what these checks found"
	}
	return "ready", ""
}

// askPods asks one of the pods through the cluster.
func (c *Cluster) askPods(ctx context.Context, o Options) (health, error) {
	var out health
	result := c.client.CoreV1().RESTClient().Get().Namespace(o.Namespace).Resource("services").Name("https:"+Name+":https").
		SubResource("proxy").Suffix("readyz").Param("verbose", "true").Do(ctx)
	result.StatusCode(&out.code)
	body, err := result.Raw()
	if out.code == 0 {
		return out, err
	}
	out.text = string(body)
	return out, nil
}

// askOutside asks the server as the cluster does.
func (c *Cluster) askOutside(ctx context.Context, o Options) (health, error) {
	service, err := c.services.Get(ctx, o.APIServices[0].Name, metav1.GetOptions{})
	if err != nil {
		return health{}, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(service.Spec.CABundle)
	address := o.Endpoint
	if o.ExternalName != "" {
		address = net.JoinHostPort(o.ExternalName, strconv.Itoa(int(o.Port)))
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: Name + "." + o.Namespace + ".svc", MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/readyz?verbose", http.NoBody)
	if err != nil {
		return health{}, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return health{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProbe))
	date, _ := http.ParseTime(response.Header.Get("Date")) // without one, nothing is compared
	return health{code: response.StatusCode, text: string(body), date: date}, err
}
