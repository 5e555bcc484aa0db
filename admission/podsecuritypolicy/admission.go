// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package podsecuritypolicy is the admission plugin PodSecurityPolicy of Kubernetes 1.24:
// a pod is made and judged by one of the policies that its user, or its service account,
// may use. The tables in pod.go and container.go are what policies set and demand.
package podsecuritypolicy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/core"
	policyv1beta1 "github.com/stoa-project/stoa/apis/policy/v1beta1"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "PodSecurityPolicy"

const (
	// chosenAnnotation of a pod names the policy that it was made by.
	chosenAnnotation = "kubernetes.io/psp"
	auditPrefix      = "podsecuritypolicy.policy.k8s.io/"
	ephemeral        = "ephemeralcontainers"
)

// Policies is the resource that the plugin reads.
var Policies = schema.GroupVersionResource{Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"} //nolint:gochecknoglobals // constant

type policy = policyv1beta1.PodSecurityPolicy

type plugin struct {
	*admission.Handler
	authorizer authorizer.UnconditionalAuthorizer
	client     dynamic.Interface
	factory    informers.SharedInformerFactory
	policies   cache.Store
}

var (
	_ admission.MutationInterface                                  = (*plugin)(nil)
	_ admission.ValidationInterface                                = (*plugin)(nil)
	_ admission.InitializationValidator                            = (*plugin)(nil)
	_ genericadmissioninitializer.WantsUnconditionalAuthorizer     = (*plugin)(nil)
	_ genericadmissioninitializer.WantsDynamicClient               = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create, admission.Update)}, nil
	})
}

// SetUnconditionalAuthorizer implements WantsUnconditionalAuthorizer.
func (p *plugin) SetUnconditionalAuthorizer(a authorizer.UnconditionalAuthorizer) { p.authorizer = a }

// SetDynamicClient implements WantsDynamicClient: no other client knows the kind.
func (p *plugin) SetDynamicClient(client dynamic.Interface) { p.client = client }

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	p.factory = factory
}

// ValidateInitialization implements admission.InitializationValidator. It is called
// last, when there is all that the informer needs.
func (p *plugin) ValidateInitialization() error {
	if p.authorizer == nil || p.client == nil || p.factory == nil {
		return errors.New(PluginName + " plugin needs an authorizer, a dynamic client and informers")
	}
	var failed error
	informer := p.factory.InformerFor(&policy{}, func(_ kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
		informer := dynamicinformer.NewFilteredDynamicInformer(p.client, Policies, "", resync, cache.Indexers{}, nil).Informer()
		failed = informer.SetTransform(typed)
		return informer
	})
	p.policies = informer.GetStore()
	p.SetReadyFunc(informer.HasSynced)
	return failed
}

// typed turns an object as it came into a policy, once.
func typed(obj any) (any, error) {
	raw, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	out := &policy{}
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, out)
	out.ManagedFields = nil
	return out, err
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetOperation() == admission.Update && a.GetSubresource() != ephemeral {
		return nil // what a pod is made of does not change any more
	}
	pod, err := p.podOf(a)
	if pod == nil || err != nil {
		return err
	}
	chosen, errs, err := p.choose(ctx, a, pod, true)
	if err != nil {
		return admission.NewForbidden(a, fmt.Errorf(PluginName+": %w", err))
	}
	if chosen == nil {
		return admission.NewForbidden(a, fmt.Errorf(PluginName+": unable to admit pod: %v", errs))
	}
	*pod = *chosen.pod
	annotate(pod, chosenAnnotation, chosen.policy.Name)
	note(ctx, a, "admit-policy", chosen.policy)
	return nil
}

// Validate implements admission.ValidationInterface. By now others have had their say.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	pod, err := p.podOf(a)
	if pod == nil || err != nil {
		return err
	}
	chosen, errs, err := p.choose(ctx, a, pod, false)
	if err != nil {
		return admission.NewForbidden(a, fmt.Errorf(PluginName+": %w", err))
	}
	if chosen == nil {
		return admission.NewForbidden(a, fmt.Errorf(PluginName+": unable to validate pod: %v", errs))
	}
	note(ctx, a, "validate-policy", chosen.policy)
	return nil
}

// podOf returns the pod of a request that matters, or nil.
func (p *plugin) podOf(a admission.Attributes) (*corev1.Pod, error) {
	if a.GetResource().GroupResource() != core.Resource("pods") || a.GetSubresource() != "" && a.GetSubresource() != ephemeral {
		return nil, nil
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return nil, admission.NewForbidden(a, fmt.Errorf("unexpected type %T", a.GetObject()))
	}
	if old, ok := a.GetOldObject().(*core.Pod); ok && onlyOwners(pod, old) {
		return nil, nil
	}
	if !p.WaitForReady() {
		return nil, admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	return (*corev1.Pod)(pod), nil
}

// onlyOwners says that an update leaves all as it was but owners and finalizers, as
// garbage collection does.
func onlyOwners(pod, old *core.Pod) bool {
	same := *pod
	same.OwnerReferences, same.Finalizers, same.ManagedFields = old.OwnerReferences, old.Finalizers, old.ManagedFields
	return apiequality.Semantic.DeepEqual(&same, old)
}

// choice is a pod as a policy makes it, or why the policy refuses it.
type choice struct {
	policy *policy
	pod    *corev1.Pod
	errs   field.ErrorList
}

// choose returns the first policy, by name, that allows the pod as it is, or else, if
// the pod may change, the first one that allows it after a change. Without one it
// returns what is wrong by the policies that may be used.
func (p *plugin) choose(ctx context.Context, a admission.Attributes, pod *corev1.Pod, mutable bool) (*choice, field.ErrorList, error) {
	first := ""
	if !mutable { // most probably it was made by this one
		first = pod.Annotations[chosenAnnotation]
	}
	policies := p.complete(first)
	if len(policies) == 0 {
		return nil, nil, errors.New("no providers available to validate pod request")
	}
	var chosen *choice
	var refused []choice
	for _, candidate := range policies {
		made := pod.DeepCopy()
		if errs := apply(candidate, made); len(errs) > 0 {
			refused = append(refused, choice{candidate, nil, errs})
			continue
		}
		same := apiequality.Semantic.DeepEqual(pod, made)
		if !same && (!mutable || chosen != nil) || !p.mayUse(ctx, a, pod, candidate.Name) {
			continue
		}
		chosen = &choice{policy: candidate, pod: made}
		if same {
			break
		}
	}
	if chosen != nil {
		return chosen, nil, nil
	}
	errs := field.ErrorList{}
	for _, r := range refused {
		if p.mayUse(ctx, a, pod, r.policy.Name) {
			errs = append(errs, r.errs...)
		}
	}
	return nil, errs, nil
}

// complete returns the policies whose rules have the values that they need, by name but
// for the one that is to come first.
func (p *plugin) complete(first string) []*policy {
	var out []*policy
	for _, obj := range p.policies.List() {
		if candidate := obj.(*policy); isComplete(&candidate.Spec) {
			out = append(out, candidate)
		}
	}
	slices.SortFunc(out, func(x, y *policy) int {
		switch first {
		case x.Name:
			return -1
		case y.Name:
			return 1
		}
		return cmp.Compare(x.Name, y.Name)
	})
	return out
}

// mayUse says whether the service account of the pod or the user may use a policy, which
// roles may still name in the group that it was in first.
func (p *plugin) mayUse(ctx context.Context, a admission.Attributes, pod *corev1.Pod, name string) bool {
	who := []user.Info{a.GetUserInfo()}
	if account := pod.Spec.ServiceAccountName; account != "" {
		who = slices.Insert(who, 0, serviceaccount.UserInfo(a.GetNamespace(), account, ""))
	}
	for _, subject := range who {
		for _, group := range []string{Policies.Group, "extensions"} {
			decision, reason, err := p.authorizer.Authorize(ctx, authorizer.AttributesRecord{
				User: subject, Verb: "use", Namespace: a.GetNamespace(), Name: name, ResourceRequest: true,
				APIGroup: group, APIVersion: "*", Resource: Policies.Resource,
			})
			if decision == authorizer.DecisionAllow {
				return true
			}
			if err != nil {
				klog.FromContext(ctx).V(4).Info("Could not find out who may use a policy", "policy", name, "reason", reason, "err", err)
			}
		}
	}
	return false
}

// note writes the policy into the audit log.
func note(ctx context.Context, a admission.Attributes, key string, chosen *policy) {
	if err := a.AddAnnotation(auditPrefix+key, chosen.Name); err != nil {
		klog.FromContext(ctx).Info("Could not add an annotation to the audit event", "key", auditPrefix+key, "policy", chosen.Name, "err", err)
	}
}
