// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/kind"
)

// ComponentStatuses returns the kind ComponentStatus, of which no object is stored:
// each says what a part of the control plane answers when it is asked how it is.
func ComponentStatuses() kind.Kind {
	return kind.Custom("componentstatuses", func(_ *runtime.Scheme, server kind.Server) (map[string]rest.Storage, error) {
		return map[string]rest.Storage{"componentstatuses": newComponentREST(server.Etcd)}, nil
	})
}

// check asks a component and returns what it says, or what is wrong.
type check func(ctx context.Context) (string, error)

type componentREST struct {
	rest.TableConvertor
	names  []string // in order
	checks map[string]check
}

var (
	_ rest.Lister               = (*componentREST)(nil)
	_ rest.Getter               = (*componentREST)(nil)
	_ rest.Scoper               = (*componentREST)(nil)
	_ rest.ShortNamesProvider   = (*componentREST)(nil)
	_ rest.SingularNameProvider = (*componentREST)(nil)
)

// newComponentREST knows the components where Kubernetes expects them: the scheduler
// and the controller manager on this machine, and every etcd.
func newComponentREST(etcd []func(context.Context) error) *componentREST {
	r := &componentREST{TableConvertor: kind.Table[core.ComponentStatus](componentColumns()), checks: map[string]check{}}
	add := func(name string, c check) { r.names, r.checks[name] = append(r.names, name), c }
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		// Both serve with certificates that they make themselves.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // see above
	}}
	add("controller-manager", healthz(client, "10257"))
	for i, answers := range etcd {
		add(fmt.Sprintf("etcd-%d", i), func(ctx context.Context) (string, error) { return "ok", answers(ctx) })
	}
	add("scheduler", healthz(client, "10259"))
	return r
}

func healthz(client *http.Client, port string) check {
	return func(ctx context.Context) (string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort("127.0.0.1", port)+"/healthz", nil)
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 10<<10))
		if err != nil {
			return "", err
		}
		if response.StatusCode >= http.StatusBadRequest {
			return "", fmt.Errorf("HTTP probe failed with statuscode: %d", response.StatusCode)
		}
		return string(body), nil
	}
}

func (r *componentREST) New() runtime.Object     { return &core.ComponentStatus{} }
func (r *componentREST) NewList() runtime.Object { return &core.ComponentStatusList{} }
func (r *componentREST) Destroy()                {}
func (r *componentREST) NamespaceScoped() bool   { return false }
func (r *componentREST) ShortNames() []string    { return []string{"cs"} }
func (r *componentREST) GetSingularName() string { return "componentstatus" }

// Get implements rest.Getter.
func (r *componentREST) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	c, ok := r.checks[name]
	if !ok {
		return nil, fmt.Errorf("Server not found: %s", name) //nolint:staticcheck // upstream's text
	}
	status := componentStatus(ctx, name, c)
	return &status, nil
}

// List implements rest.Lister. It asks all components at once.
func (r *componentREST) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	all := make([]core.ComponentStatus, len(r.names))
	var done sync.WaitGroup
	for i, name := range r.names {
		done.Go(func() { all[i] = componentStatus(ctx, name, r.checks[name]) })
	}
	done.Wait()
	out := &core.ComponentStatusList{Items: []core.ComponentStatus{}}
	for i := range all {
		if matches(&all[i], options) {
			out.Items = append(out.Items, all[i])
		}
	}
	return out, nil
}

func matches(status *core.ComponentStatus, options *metainternalversion.ListOptions) bool {
	if options == nil {
		return true
	}
	return (options.LabelSelector == nil || options.LabelSelector.Matches(labels.Set(status.Labels))) &&
		(options.FieldSelector == nil || options.FieldSelector.Matches(fields.Set{"metadata.name": status.Name}))
}

func componentStatus(ctx context.Context, name string, c check) core.ComponentStatus {
	condition := corev1.ComponentCondition{Type: corev1.ComponentHealthy, Status: corev1.ConditionTrue}
	message, err := c(ctx)
	condition.Message = message
	if err != nil {
		condition.Status, condition.Message = corev1.ConditionFalse, err.Error()
	}
	return core.ComponentStatus{ObjectMeta: metav1.ObjectMeta{Name: name}, Conditions: []corev1.ComponentCondition{condition}}
}

func componentColumns() []kind.Column[core.ComponentStatus] {
	healthy := func(c *core.ComponentStatus) corev1.ComponentCondition {
		for _, condition := range c.Conditions {
			if condition.Type == corev1.ComponentHealthy {
				return condition
			}
		}
		return corev1.ComponentCondition{}
	}
	return []kind.Column[core.ComponentStatus]{
		kind.Name[core.ComponentStatus](),
		{Name: "Status", Description: "Status of the component conditions", Value: func(c *core.ComponentStatus) any {
			switch healthy(c).Status {
			case "":
				return "Unknown"
			case corev1.ConditionTrue:
				return "Healthy"
			}
			return "Unhealthy"
		}},
		{Name: "Message", Description: "Message of the component conditions", Value: func(c *core.ComponentStatus) any { return healthy(c).Message }},
		{Name: "Error", Description: "Error of the component conditions", Value: func(c *core.ComponentStatus) any { return healthy(c).Error }},
	}
}
