// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	genericrest "k8s.io/apiserver/pkg/registry/generic/rest"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/core/kubelet"
)

// logREST serves pods/log: it reads from the kubelet and passes it on as text.
type logREST struct{ streams *Streams }

var (
	_ rest.GetterWithOptions = (*logREST)(nil)
	_ rest.StorageMetadata   = (*logREST)(nil)
)

func (s *Streams) log() rest.Storage { return &logREST{streams: s} }

func (r *logREST) New() runtime.Object { return &corev1.Pod{} }

func (r *logREST) Destroy() {}

// ProducesMIMETypes implements rest.StorageMetadata.
func (r *logREST) ProducesMIMETypes(string) []string { return []string{"text/plain"} }

// ProducesObject implements rest.StorageMetadata: OpenAPI shows a string.
func (r *logREST) ProducesObject(string) any { return "" }

// OverrideMetricsVerb counts reading a log with the other long requests.
func (r *logREST) OverrideMetricsVerb(verb string) string {
	if verb == http.MethodGet {
		return "CONNECT"
	}
	return verb
}

func (r *logREST) NewGetOptions() (options runtime.Object, subpath bool, name string) {
	return &corev1.PodLogOptions{}, false, ""
}

func (r *logREST) Get(ctx context.Context, name string, options runtime.Object) (runtime.Object, error) {
	o, ok := options.(*corev1.PodLogOptions)
	if !ok {
		return nil, fmt.Errorf("invalid options object: %#v", options)
	}
	split := features.Enabled(features.PodLogsQuerySplitStreams)
	if all := corev1.LogStreamAll; split && o.Stream == nil {
		o.Stream = &all
	}
	if errs := validation.ValidatePodLogOptions(o, validation.PodLogRules{Stream: split}); len(errs) > 0 {
		return nil, apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("PodLogOptions").GroupKind(), name, errs)
	}
	out := &genericrest.LocationStreamer{
		ContentType:     "text/plain",
		Flush:           o.Follow,
		ResponseChecker: genericrest.NewGenericHttpResponseChecker(corev1.Resource("pods/log"), name),
		RedirectChecker: genericrest.PreventRedirects,
	}
	return out, r.locate(ctx, name, o, out)
}

// locate says where the log is, which is nowhere for a pod without a node: its log
// is empty.
func (r *logREST) locate(ctx context.Context, name string, o *corev1.PodLogOptions, out *genericrest.LocationStreamer) error {
	pod, err := r.streams.pods(ctx, name)
	if err != nil {
		return err
	}
	container, err := chooseContainer(pod, o.Container)
	if err != nil || pod.Spec.NodeName == "" {
		return err
	}
	connection, err := r.streams.kubelet(ctx, pod.Spec.NodeName)
	if err != nil {
		return err
	}
	out.Location = &url.URL{
		Scheme: kubelet.Scheme, Host: connection.Address(),
		Path:     fmt.Sprintf("/containerLogs/%s/%s/%s", pod.Namespace, pod.Name, container),
		RawQuery: logParameters(o).Encode(),
	}
	out.Transport = connection.Transport
	if o.InsecureSkipTLSVerifyBackend {
		out.Transport = connection.Unchecked
	}
	return nil
}

func logParameters(o *corev1.PodLogOptions) url.Values {
	out := url.Values{}
	for name, set := range map[string]bool{"follow": o.Follow, "previous": o.Previous, "timestamps": o.Timestamps} {
		if set {
			out.Set(name, "true")
		}
	}
	for name, value := range map[string]*int64{"sinceSeconds": o.SinceSeconds, "tailLines": o.TailLines, "limitBytes": o.LimitBytes} {
		if value != nil {
			out.Set(name, strconv.FormatInt(*value, 10))
		}
	}
	if o.SinceTime != nil {
		out.Set("sinceTime", o.SinceTime.Format(time.RFC3339))
	}
	if o.Stream != nil {
		out.Set("stream", *o.Stream)
	}
	return out
}
