// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package podsecurity is the admission plugin PodSecurity: it holds pods to the
// standard that the labels of their namespace name, and warns of templates that make
// pods which would be refused. The rules are those of k8s.io/pod-security-admission.
package podsecurity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/compatibility"
	"k8s.io/component-base/metrics/legacyregistry"
	podsecurity "k8s.io/pod-security-admission/admission"
	"k8s.io/pod-security-admission/admission/api/load"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/metrics"
	"k8s.io/pod-security-admission/policy"

	"github.com/stoa-project/stoa/apis/apps"
	"github.com/stoa-project/stoa/apis/batch"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/version/effective"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "PodSecurity"

type plugin struct {
	*admission.Handler
	client     kubernetes.Interface
	namespaces informers.SharedInformerFactory
	emulation  *api.Version
	delegate   podsecurity.Admission
}

var (
	_ admission.ValidationInterface                                = (*plugin)(nil)
	_ admission.InitializationValidator                            = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet       = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
	_ genericadmissioninitializer.WantsEffectiveVersion            = (*plugin)(nil)
)

// recorder counts for all servers of a process, which have one registry of metrics.
var recorder = sync.OnceValue(func() metrics.Recorder { //nolint:gochecknoglobals // like the registry
	version := effective.New().BinaryVersion()
	r := metrics.NewPrometheusRecorder(api.MajorMinorVersion(int(version.Major()), int(version.Minor())))
	r.MustRegister(legacyregistry.MustRegister)
	return r
})

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(config io.Reader) (admission.Interface, error) { return newPlugin(config) })
}

func newPlugin(config io.Reader) (*plugin, error) {
	configuration, err := load.LoadFromReader(config)
	if err != nil {
		return nil, err
	}
	return &plugin{
		Handler:  admission.NewHandler(admission.Create, admission.Update),
		delegate: podsecurity.Admission{Configuration: configuration, PodSpecExtractor: podsecurity.DefaultPodSpecExtractor{}},
	}, nil
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet. The pods of a
// namespace are only asked for when its standard gets stricter, which is not worth an
// informer with all pods.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) {
	p.client = client
	p.delegate.PodLister = podsecurity.PodListerFromClient(client)
}

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	p.namespaces = factory
	p.SetReadyFunc(factory.Core().V1().Namespaces().Informer().HasSynced)
}

// InspectEffectiveVersion implements WantsEffectiveVersion: an older server, and one
// that acts as one, knows no rules of later versions.
func (p *plugin) InspectEffectiveVersion(version compatibility.EffectiveVersion) {
	binary, emulated := version.BinaryVersion(), version.EmulationVersion()
	if binary.Major() != emulated.Major() || binary.Minor() != emulated.Minor() {
		p.emulation = new(api.MajorMinorVersion(int(emulated.Major()), int(emulated.Minor())))
	}
}

// ValidateInitialization implements admission.InitializationValidator. It is called
// last, and puts the parts together.
func (p *plugin) ValidateInitialization() error {
	if p.client == nil || p.namespaces == nil {
		return errors.New(PluginName + " plugin needs a client and informers")
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), p.emulation)
	if err != nil {
		return fmt.Errorf("%s checks: %w", PluginName, err)
	}
	p.delegate.Evaluator, p.delegate.Metrics = evaluator, recorder()
	p.delegate.NamespaceGetter = podsecurity.NamespaceGetterFromListerAndClient(p.namespaces.Core().V1().Namespaces().Lister(), p.client)
	if err := p.delegate.CompleteConfiguration(); err != nil {
		return fmt.Errorf("%s configuration error: %w", PluginName, err)
	}
	if err := p.delegate.ValidateConfiguration(); err != nil {
		return fmt.Errorf("%s invalid: %w", PluginName, err)
	}
	return nil
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	resource := a.GetResource().GroupResource()
	if resource != core.Resource("namespaces") && !p.delegate.PodSpecExtractor.HasPodSpec(resource) {
		return nil
	}
	response := p.delegate.Validate(ctx, attributes{a})
	for _, text := range response.Warnings {
		warning.AddWarning(ctx, "", text)
	}
	for key, value := range response.AuditAnnotations {
		audit.AddAuditAnnotation(ctx, api.AuditAnnotationPrefix+key, value)
	}
	if response.Allowed {
		return nil
	}
	return refusal(a, response)
}

// refusal is the error for a request that is not allowed, with what the response says.
func refusal(a admission.Attributes, response *admissionv1.AdmissionResponse) error {
	err := admission.NewForbidden(a, errors.New("Not allowed by PodSecurity")) //nolint:staticcheck // the text of Kubernetes
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || response.Result == nil {
		return err
	}
	to, from := &status.ErrStatus, response.Result
	if from.Message != "" {
		to.Message = from.Message
	}
	if from.Reason != "" {
		to.Reason = from.Reason
	}
	if from.Details != nil {
		to.Details = from.Details
	}
	if from.Code != 0 {
		to.Code = from.Code
	}
	return status
}

// attributes are those of a request with objects as the library knows them.
type attributes struct{ admission.Attributes }

func (a attributes) GetObject() (runtime.Object, error) { return external(a.Attributes.GetObject()) }
func (a attributes) GetOldObject() (runtime.Object, error) {
	return external(a.Attributes.GetOldObject())
}
func (a attributes) GetUserName() string { return a.GetUserInfo().GetName() }

func (a attributes) GetOperation() admissionv1.Operation {
	return admissionv1.Operation(a.Attributes.GetOperation())
}

// external returns a hub object as the type of k8s.io/api that it is.
func external(obj runtime.Object) (runtime.Object, error) {
	switch o := obj.(type) {
	case *core.Namespace:
		return (*corev1.Namespace)(o), nil
	case *core.Pod:
		return (*corev1.Pod)(o), nil
	case *core.ReplicationController:
		return (*corev1.ReplicationController)(o), nil
	case *core.PodTemplate:
		return (*corev1.PodTemplate)(o), nil
	case *apps.ReplicaSet:
		return (*appsv1.ReplicaSet)(o), nil
	case *apps.Deployment:
		return (*appsv1.Deployment)(o), nil
	case *apps.StatefulSet:
		return (*appsv1.StatefulSet)(o), nil
	case *apps.DaemonSet:
		return (*appsv1.DaemonSet)(o), nil
	case *batch.Job:
		return (*batchv1.Job)(o), nil
	case *batch.CronJob:
		return (*batchv1.CronJob)(o), nil
	}
	return obj, fmt.Errorf("unexpected type %T", obj)
}
