// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/spf13/pflag"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/flowcontrol"
	"k8s.io/apiserver/pkg/util/flowcontrol/fairqueuing"
	fcrequest "k8s.io/apiserver/pkg/util/flowcontrol/request"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// FlowControlOptions say in which order requests are served when there are more than
// the server takes at once. How many that is, ServerRunOptions say.
type FlowControlOptions struct {
	// PriorityAndFairness queues requests as FlowSchemas and PriorityLevelConfigurations
	// say. Off, or where these are not served, a request more than there may be is
	// refused, whoever sends it.
	PriorityAndFairness bool
}

// flowResources are what PriorityAndFairness reads.
//
//nolint:gochecknoglobals // constant
var flowResources = []schema.GroupVersionResource{
	flowcontrolv1.SchemeGroupVersion.WithResource("flowschemas"),
	flowcontrolv1.SchemeGroupVersion.WithResource("prioritylevelconfigurations"),
}

func newFlowControlOptions() *FlowControlOptions {
	return &FlowControlOptions{PriorityAndFairness: true}
}

// How many requests the server takes at once: for each processor, and kube-apiserver's
// defaults, which are the most. One more than the processors can work on makes all others
// later.
const (
	MaxRequestsInFlight         = 400
	MaxMutatingRequestsInFlight = 200

	readsPerProcessor  = 50
	writesPerProcessor = 25
)

// limitToProcessors sets how many requests are taken at once unless flags say it.
func limitToProcessors(run *genericoptions.ServerRunOptions) {
	processors := runtime.GOMAXPROCS(0)
	run.MaxRequestsInFlight = min(MaxRequestsInFlight, readsPerProcessor*processors)
	run.MaxMutatingRequestsInFlight = min(MaxMutatingRequestsInFlight, writesPerProcessor*processors)
}

// describeLimits has the usage of the flags say how their defaults come about.
func describeLimits(flags *pflag.FlagSet) {
	describe := func(name string, each, most int) {
		flags.Lookup(name).DefValue = fmt.Sprintf("%d for each processor, at most %d", each, most)
	}
	describe("max-requests-inflight", readsPerProcessor, MaxRequestsInFlight)
	describe("max-mutating-requests-inflight", writesPerProcessor, MaxMutatingRequestsInFlight)
}

// AddFlags adds kube-apiserver's flag.
func (o *FlowControlOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.PriorityAndFairness, "enable-priority-and-fairness", o.PriorityAndFairness,
		"If true, replace the max-in-flight handler with an enhanced one that queues and dispatches with priority and fairness")
}

// Validate reports what is wrong with the options.
func (o *FlowControlOptions) Validate(run *genericoptions.ServerRunOptions) []error {
	if o.PriorityAndFairness && run.MaxRequestsInFlight+run.MaxMutatingRequestsInFlight <= 0 {
		return []error{fmt.Errorf("--max-requests-inflight=%d and --max-mutating-requests-inflight=%d must add up to something positive with --enable-priority-and-fairness",
			run.MaxRequestsInFlight, run.MaxMutatingRequestsInFlight)}
	}
	return nil
}

// controlFlow puts priority and fairness into the handler chain.
func (c CompletedOptions) controlFlow(ctx context.Context, config *genericapiserver.Config, client kubernetes.Interface, factory informers.SharedInformerFactory) {
	if !c.FlowControl.PriorityAndFairness {
		return
	}
	if !servesAll(c.Groups, config, flowResources) {
		klog.FromContext(ctx).Info("Priority and fairness are off, because their resources are not served; requests are counted against --max-requests-inflight and --max-mutating-requests-inflight",
			"group", flowcontrolv1.GroupName)
		return
	}
	config.FlowControl = nested{flowcontrol.New(factory, client.FlowcontrolV1(), config.MaxRequestsInFlight+config.MaxMutatingRequestsInFlight)}
}

// nested is flow control that does not let a request wait which is part of another one
// that has a seat: all seats could be taken by requests that wait for their parts.
type nested struct{ flowcontrol.Interface }

// Handle implements flowcontrol.Interface.
func (n nested) Handle(ctx context.Context, digest flowcontrol.RequestDigest,
	note func(*flowcontrolv1.FlowSchema, *flowcontrolv1.PriorityLevelConfiguration, string),
	work func() fcrequest.WorkEstimate, queued fairqueuing.QueueNoteFn, execute func(),
) {
	if slices.Contains(digest.User.GetGroups(), tenancy.ProjectWriters) {
		digest.User = &user.DefaultInfo{Name: digest.User.GetName(), Groups: []string{user.SystemPrivilegedGroup}} // whom all levels exempt
	}
	n.Interface.Handle(ctx, digest, note, work, queued, execute)
}
