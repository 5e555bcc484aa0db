// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package admissiontest calls admission plugins in tests, as the server does.
package admissiontest

import (
	"cmp"
	"context"
	"io"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/component-base/featuregate"

	_ "github.com/stoa-project/stoa/features" // the gates
)

// Plugin is a plugin with what it reads.
type Plugin struct {
	// Objects are what its informers and its client have.
	Objects []runtime.Object
	// Dynamic is its client for kinds that no other client knows; nil: it has none.
	Dynamic dynamic.Interface
	// Allow says what a user may do; nil allows nothing.
	Allow func(authorizer.Attributes) bool
	// Config is the plugin's part of the configuration file.
	Config string
	// Gates are the feature gates; nil has the defaults.
	Gates featuregate.FeatureGate
	// More gives it what it needs of other groups.
	More admission.PluginInitializer

	made   admission.Interface
	client *fake.Clientset
}

// Start makes the plugin that register adds.
func Start(t testing.TB, register func(*admission.Plugins), p Plugin) *Plugin {
	t.Helper()
	plugins := admission.NewPlugins()
	register(plugins)
	name := plugins.Registered()[0]
	p.client = fake.NewClientset(p.Objects...)
	factory := informers.NewSharedInformerFactory(p.client, 0)
	rules := authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		if p.Allow != nil && p.Allow(a) {
			return authorizer.DecisionAllow, "", nil
		}
		return authorizer.DecisionNoOpinion, "no rule", nil
	})
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Node"}, meta.RESTScopeRoot)
	var err error
	if p.Gates == nil {
		p.Gates = utilfeature.DefaultFeatureGate
	}
	var config io.Reader
	if p.Config != "" {
		config = strings.NewReader(p.Config)
	}
	initializers := admission.PluginInitializers{genericadmissioninitializer.New(p.client, p.Dynamic, factory, rules, p.Gates, nil, t.Context().Done(), mapper)}
	if p.More != nil {
		initializers = append(initializers, p.More)
	}
	p.made, err = plugins.InitPlugin(name, config, initializers)
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	// Without what the server gives it, it does not start.
	bare, err := plugins.InitPlugin(name, nil, admission.PluginInitializers{})
	if _, demands := p.made.(admission.InitializationValidator); demands && err == nil {
		t.Errorf("%T starts without what it needs", bare)
	}
	return &p
}

// Interface is the plugin itself, for requests that Do does not make.
func (p *Plugin) Interface() admission.Interface { return p.made }

// Client has what the informers had when the plugin was started.
func (p *Plugin) Client() *fake.Clientset { return p.client }

// Request is a write.
type Request struct {
	Obj, Old    runtime.Object // without Old it creates
	Kind        schema.GroupVersionKind
	Resource    schema.GroupVersionResource
	Subresource string
	Namespace   string // n unless set
	// Operation is what it does if it neither creates nor updates.
	Operation admission.Operation
	// User is who does it; jane unless set.
	User   user.Info
	DryRun bool
}

// Do has the plugin see a request: first to change it, then to judge it.
func (p *Plugin) Do(ctx context.Context, r Request) error {
	operation, name := admission.Create, "x"
	if r.Old != nil {
		operation = admission.Update
	}
	if r.Operation != "" {
		operation = r.Operation
	}
	if r.User == nil {
		r.User = &user.DefaultInfo{Name: "jane"}
	}
	a := admission.NewAttributesRecord(r.Obj, r.Old, r.Kind, cmp.Or(r.Namespace, "n"), name, r.Resource, r.Subresource, operation, nil, r.DryRun, r.User)
	if !p.made.Handles(operation) {
		return nil
	}
	if mutates, ok := p.made.(admission.MutationInterface); ok {
		if err := mutates.Admit(ctx, a, nil); err != nil {
			return err
		}
	}
	if validates, ok := p.made.(admission.ValidationInterface); ok {
		return validates.Validate(ctx, a, nil)
	}
	return nil
}

// Check compares an error with a whole message of one that forbids; none wants no error.
func Check(t testing.TB, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %v", err)
	case want != "" && (err == nil || err.Error() != want):
		t.Errorf("error %v, want %s", err, want)
	case want != "" && !apierrors.IsForbidden(err):
		t.Errorf("error %#v does not forbid", err)
	}
}
