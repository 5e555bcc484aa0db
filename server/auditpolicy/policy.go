// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package auditpolicy

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/userfile"
	"github.com/stoa-project/stoa/reload"
)

// Policy is an audit.PolicyRuleEvaluator whose rules can change while it is used. A
// request keeps those that it began with.
type Policy struct {
	path   string
	digest reload.Digest // of the file as it was read first
	rules  atomic.Pointer[rules]
}

type rules struct{ audit.PolicyRuleEvaluator }

var _ audit.PolicyRuleEvaluator = (*Policy)(nil)

// Check reports what is wrong with the policy in a file.
func Check(path string) error {
	data, err := userfile.Read(path)
	if err == nil {
		_, err = parse(path, data)
	}
	return err
}

// New returns the policy of a file that rules are read from next.
func New(path string) (*Policy, error) {
	data, err := userfile.Read(path)
	if err != nil {
		return nil, err
	}
	return &Policy{path: path, digest: reload.Sum(data)}, nil
}

// Use sets the rules, and says in the log if they have secrets recorded. It is called
// before the policy is used.
func (p *Policy) Use(ctx context.Context, e audit.PolicyRuleEvaluator) {
	if exposed := exposes(e); len(exposed) > 0 {
		klog.FromContext(ctx).Info("The policy of --audit-policy-file has what is secret recorded", "file", p.path, "resources", exposed)
	}
	p.rules.Store(&rules{e})
}

// parse adds the name of the file to what is wrong with the policy in it.
func parse(path string, data []byte) (*auditinternal.Policy, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%s: is empty", path)
	}
	loaded, err := policy.LoadPolicyFromBytes(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return loaded, nil
}

// EvaluatePolicyRule implements audit.PolicyRuleEvaluator.
func (p *Policy) EvaluatePolicyRule(a authorizer.Attributes) audit.RequestAuditConfig {
	return p.rules.Load().EvaluatePolicyRule(a)
}

// Run takes the policy of the file when it changes, until ctx ends. It is called once. A
// file that cannot be read, or has a mistake, is reported once and changes nothing.
func (p *Policy) Run(ctx context.Context) {
	counter := reloads() // there with zeros before the first
	file := reload.File{
		Flag: "--audit-policy-file", Path: p.path, Read: userfile.Read,
		Use: func(ctx context.Context, content []byte) error {
			loaded, err := parse(p.path, content)
			if err == nil {
				p.Use(ctx, policy.NewPolicyRuleEvaluator(loaded))
			}
			return err
		},
		Done: func(_ []byte, err error) {
			status := success
			if err != nil {
				status = failure
			}
			counter.WithLabelValues(status).Inc()
		},
	}
	file.Follow(ctx, p.digest)
}

// How a reload ended, as the metric says.
const (
	success = "success"
	failure = "failure"
)

// reloads are those of all servers of a process, which have one registry of metrics.
var reloads = sync.OnceValue(func() *metrics.CounterVec { //nolint:gochecknoglobals // like the registry
	counter := metrics.NewCounterVec(&metrics.CounterOpts{
		Namespace: "stoa", Subsystem: "audit_policy", Name: "reloads_total", StabilityLevel: metrics.ALPHA,
		Help: "Counter of changes of the file of --audit-policy-file, by whether the new policy is used.",
	}, []string{"status"})
	legacyregistry.MustRegister(counter)
	for _, status := range []string{success, failure} {
		counter.WithLabelValues(status)
	}
	return counter
})
