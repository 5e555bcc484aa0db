// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package imagepolicy is the admission plugin ImagePolicyWebhook: a service is asked
// which images pods may have. Its answers are remembered for a while.
package imagepolicy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	imagepolicyv1alpha1 "k8s.io/api/imagepolicy/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "ImagePolicyWebhook"

const (
	// auditPrefix begins the annotations of audit events.
	auditPrefix = "imagepolicywebhook.image-policy.k8s.io/"
	// told is in the names of those annotations of pods that the service hears of.
	told = ".image-policy.k8s.io/"
	// remembered is how many answers are kept.
	remembered = 1024
)

type plugin struct {
	*admission.Handler
	times

	service      *webhook.GenericWebhook
	answers      *cache.LRUExpireCache // spec of a review -> its status
	defaultAllow bool
}

var _ admission.ValidationInterface = (*plugin)(nil)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(config io.Reader) (admission.Interface, error) { return newPlugin(config) })
}

func newPlugin(config io.Reader) (*plugin, error) {
	c, t, err := readConfiguration(config)
	if err != nil {
		return nil, err
	}
	client, err := webhook.LoadKubeconfig(c.KubeConfigFile, nil)
	if err != nil {
		return nil, fmt.Errorf("configuration: imagePolicy.kubeConfigFile: load %q: %w", c.KubeConfigFile, err)
	}
	scheme := runtime.NewScheme()
	if err := imagepolicyv1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	service, err := webhook.NewGenericWebhook(scheme, serializer.NewCodecFactory(scheme), client,
		[]schema.GroupVersion{imagepolicyv1alpha1.SchemeGroupVersion}, webhook.DefaultRetryBackoffWithInitialDelay(t.backoff))
	if err != nil {
		return nil, fmt.Errorf("configuration: imagePolicy.kubeConfigFile: %q: %w", c.KubeConfigFile, err)
	}
	return &plugin{
		Handler: admission.NewHandler(admission.Create, admission.Update), times: t,
		service: service, answers: cache.NewLRUExpireCache(remembered), defaultAllow: c.DefaultAllow,
	}, nil
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	ephemeral := a.GetSubresource() == "ephemeralcontainers"
	if a.GetResource().GroupResource() != core.Resource("pods") || a.GetSubresource() != "" && !ephemeral {
		return nil
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return apierrors.NewBadRequest("Resource was marked with kind Pod but was unable to be converted")
	}
	spec := imagepolicyv1alpha1.ImageReviewSpec{Namespace: a.GetNamespace(), Annotations: map[string]string{}}
	for key, value := range pod.Annotations {
		if strings.Contains(key, told) {
			spec.Annotations[key] = value
		}
	}
	add := func(image string) {
		spec.Containers = append(spec.Containers, imagepolicyv1alpha1.ImageReviewContainerSpec{Image: image})
	}
	if ephemeral {
		for i := range pod.Spec.EphemeralContainers {
			add(pod.Spec.EphemeralContainers[i].Image)
		}
	} else {
		for i := range pod.Spec.Containers {
			add(pod.Spec.Containers[i].Image)
		}
		for i := range pod.Spec.InitContainers {
			add(pod.Spec.InitContainers[i].Image)
		}
	}
	if err := p.review(ctx, a, spec); err != nil {
		return admission.NewForbidden(a, err)
	}
	return nil
}

// review returns why images are refused, if they are.
func (p *plugin) review(ctx context.Context, a admission.Attributes, spec imagepolicyv1alpha1.ImageReviewSpec) error {
	status, err := p.answer(ctx, spec)
	if err != nil {
		logger := klog.FromContext(ctx)
		if !p.defaultAllow {
			logger.V(2).Info("An image policy service gave no answer, a pod is refused", "err", err)
			return err
		}
		logger.V(2).Info("An image policy service gave no answer, a pod is let pass", "err", err)
		annotate(ctx, a, "failed-open", "true")
		return nil
	}
	for key, value := range status.AuditAnnotations {
		annotate(ctx, a, key, value)
	}
	switch {
	case status.Allowed:
		return nil
	case status.Reason != "":
		return fmt.Errorf("image policy webhook backend denied one or more images: %s", status.Reason)
	}
	return errors.New("one or more images rejected by webhook backend")
}

// answer returns what the service says, or has said not long ago.
func (p *plugin) answer(ctx context.Context, spec imagepolicyv1alpha1.ImageReviewSpec) (imagepolicyv1alpha1.ImageReviewStatus, error) {
	var none imagepolicyv1alpha1.ImageReviewStatus
	text, err := json.Marshal(spec)
	if err != nil {
		return none, err
	}
	if known, ok := p.answers.Get(string(text)); ok {
		return known.(imagepolicyv1alpha1.ImageReviewStatus), nil
	}
	result := p.service.WithExponentialBackoff(ctx, func() rest.Result {
		return p.service.RestClient.Post().Body(&imagepolicyv1alpha1.ImageReview{Spec: spec}).Do(ctx)
	})
	if err := result.Error(); err != nil {
		return none, err
	}
	var code int
	if result.StatusCode(&code); code < 200 || code >= 300 {
		return none, fmt.Errorf("Error contacting webhook: %d", code) //nolint:staticcheck // the text of Kubernetes
	}
	review := &imagepolicyv1alpha1.ImageReview{}
	if err := result.Into(review); err != nil {
		return none, err
	}
	ttl := p.deny
	if review.Status.Allowed {
		ttl = p.allow
	}
	if ttl > 0 {
		p.answers.Add(string(text), review.Status, ttl)
	}
	return review.Status, nil
}

// annotate tells the audit log.
func annotate(ctx context.Context, a admission.Attributes, key, value string) {
	if err := a.AddAnnotation(auditPrefix+key, value); err != nil {
		klog.FromContext(ctx).Info("An annotation for the audit log was left out", "annotation", auditPrefix+key, "err", err)
	}
}
