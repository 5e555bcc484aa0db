// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/core"
	corehub "github.com/stoa-project/stoa/apis/core/v1"
	networkinghub "github.com/stoa-project/stoa/apis/networking/v1"
	"github.com/stoa-project/stoa/registry/kind"
)

// services are stored services with an allocator.
type services struct {
	*kind.REST
	*Allocator
}

func newServices(t *testing.T, change ...func(*Config)) services {
	t.Helper()
	group := kind.Group{
		Install: kind.Types(corehub.AddToScheme, networkinghub.AddToScheme),
		Resources: []kind.Resource{{Versions: []string{"v1"}, Kind: kind.New(kind.Definition[core.Service]{
			Kind: "Service", Plural: "services", CreateOnUpdate: true, UnconditionalUpdate: true,
			Strategy: kind.Strategy[core.Service]{
				ValidateName: func(name string, _ bool) []string {
					if name == ".." {
						return []string{"is no name"}
					}
					return nil
				},
				Prepare: func(_ context.Context, obj, old *core.Service) {
					if old != nil {
						DropUnused((*corev1.Service)(obj), (*corev1.Service)(old))
					}
				},
			},
		})}},
	}
	scheme := runtime.NewScheme()
	if err := group.AddTo(scheme); err != nil {
		t.Fatal(err)
	}
	c := newConfig(t, scheme, somePorts, "10.0.0.0/24")
	for _, f := range change {
		f(&c)
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	stores, err := group.Storage(scheme, kind.Server{Options: c.Options}, func(schema.GroupVersionResource) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	out := services{stores["v1"]["services"].(*kind.REST), a}
	t.Cleanup(out.Destroy)
	a.Attach(out.REST)
	return out
}

func testContext(ctx context.Context) context.Context {
	return genericapirequest.WithRequestInfo(genericapirequest.WithNamespace(ctx, "a"),
		&genericapirequest.RequestInfo{IsResourceRequest: true, APIVersion: "v1", Namespace: "a", Resource: "services"})
}

func (s services) create(t *testing.T, svc *corev1.Service) *corev1.Service {
	t.Helper()
	out, err := s.Create(testContext(t.Context()), (*core.Service)(svc), rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return serviceOf(out)
}

// createWith creates a service and does something before it is written. It returns
// what goes wrong.
func (s services) createWith(ctx context.Context, svc *corev1.Service, before func() error) string {
	admit := func(context.Context, runtime.Object) error { return before() }
	if _, err := s.Create(testContext(ctx), (*core.Service)(svc), admit, &metav1.CreateOptions{}); err != nil {
		return err.Error()
	}
	return ""
}

func nothing() error { return nil }

// change updates the service s, as a PUT of what it was, if it has a version, or as a
// patch. before is called before each try is written.
func (s services) change(ctx context.Context, version string, edit func(*corev1.Service), before func() error, options metav1.UpdateOptions) error {
	info := rest.DefaultUpdatedObjectInfo(nil, func(_ context.Context, _, old runtime.Object) (runtime.Object, error) {
		svc := serviceOf(old.DeepCopyObject())
		if svc.Name == "" {
			svc = newService("s", corev1.ServiceTypeClusterIP, corev1.ServicePort{Port: 80})
		}
		svc.ResourceVersion = version
		edit(svc)
		return (*core.Service)(svc), nil
	})
	create := func(context.Context, runtime.Object) error { return before() }
	update := func(context.Context, runtime.Object, runtime.Object) error { return before() }
	_, _, err := s.Update(testContext(ctx), "s", info, create, update, false, &options)
	return err
}

// check compares what is claimed with what the stored services have.
func (s services) check(t *testing.T) {
	t.Helper()
	all, err := s.listServices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantIPs, wantPorts := map[string]bool{}, map[int32]bool{}
	for _, svc := range all {
		for _, ip := range heldBy(svc).ips {
			wantIPs[ip.String()] = true
		}
		for _, port := range heldBy(svc).ports {
			wantPorts[port] = true
		}
	}
	ips, ports := s.claimed(t)
	if !slices.Equal(ips, slices.Sorted(maps.Keys(wantIPs))) || !slices.Equal(ports, slices.Sorted(maps.Keys(wantPorts))) {
		t.Errorf("%v and %v are claimed, the services have %v and %v", ips, ports, wantIPs, wantPorts)
	}
}

func external(svc *corev1.Service) {
	svc.Spec.Type, svc.Spec.ExternalName = corev1.ServiceTypeExternalName, "x.example.com"
}

func nodePort(port int32) func(*corev1.Service) {
	return func(svc *corev1.Service) {
		svc.Spec.Type, svc.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, port
	}
}

// Whatever becomes of an update, what the stored service has is claimed, and nothing
// else. Others change the service between the first try and its write.
func TestUpdates(t *testing.T) {
	t.Parallel()
	label := func(svc *corev1.Service) { svc.Labels = map[string]string{"a": "b"} }
	refused := errors.New("refused")
	const conflict = `Operation cannot be fulfilled on services "s": the object has been modified; please apply your changes to the latest version and try again`
	for name, tc := range map[string]struct {
		// stored is the type of the stored service; unset: there is none.
		stored corev1.ServiceType
		// put sends the version of the service.
		put bool
		// edit is the update, other what others do meanwhile; unset: nothing.
		edit, other func(*corev1.Service)
		// refused is what admission says.
		refused  error
		panics   bool
		canceled bool
		dry      []string
		// want is the error, wantType the type in the end.
		want     string
		wantType corev1.ServiceType
	}{
		"refused release":     {stored: "NodePort", put: true, edit: external, other: label, want: conflict, wantType: "NodePort"},
		"refused claim":       {stored: "ClusterIP", put: true, edit: nodePort(30003), other: label, want: conflict, wantType: "ClusterIP"},
		"refused by others":   {stored: "ClusterIP", edit: nodePort(0), refused: refused, want: "refused", wantType: "ClusterIP"},
		"release again":       {stored: "NodePort", edit: external, other: label, wantType: "ExternalName"},
		"claim again":         {stored: "ExternalName", edit: nodePort(0), other: label, wantType: "NodePort"},
		"claim the same port": {stored: "ClusterIP", edit: nodePort(30003), other: label, wantType: "NodePort"},
		"both release":        {stored: "NodePort", edit: external, other: external, wantType: "ExternalName"},
		"both claim":          {stored: "ExternalName", edit: nodePort(0), other: nodePort(0), wantType: "NodePort"},
		"create":              {edit: nodePort(30003), wantType: "NodePort"},
		"create after others": {edit: nodePort(30003), other: label, wantType: "NodePort"},
		"create refused":      {edit: nodePort(30003), refused: refused, want: "refused"},
		"panic":               {stored: "ExternalName", edit: nodePort(0), panics: true, want: "panic", wantType: "ExternalName"},
		"canceled":            {stored: "ExternalName", edit: nodePort(0), canceled: true, want: "context canceled", wantType: "ExternalName"},
		"dry run":             {stored: "NodePort", edit: external, other: label, dry: []string{metav1.DryRunAll}, wantType: "NodePort"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServices(t)
			version := ""
			if tc.stored != "" {
				svc := newService("s", tc.stored, corev1.ServicePort{Port: 80})
				if svc = s.create(t, svc); tc.put {
					version = svc.ResourceVersion
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tries := 0
			before := func() error {
				if tries++; tries > 1 {
					return tc.refused
				}
				if tc.panics {
					panic("panic")
				}
				if tc.canceled {
					cancel()
				}
				if tc.other != nil {
					if err := s.change(t.Context(), "", tc.other, nothing, metav1.UpdateOptions{}); err != nil {
						t.Error(err)
					}
				}
				return tc.refused
			}
			if got := s.outcome(ctx, version, tc.edit, before, tc.dry); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			svc, err := s.stored(t.Context(), newService("s", ""))
			if err != nil || svc.Spec.Type != tc.wantType {
				t.Errorf("the service is %q, %v, want %q", svc.Spec.Type, err, tc.wantType)
			}
			s.check(t)
		})
	}
}

// outcome is what goes wrong with an update.
func (s services) outcome(ctx context.Context, version string, edit func(*corev1.Service), before func() error, dry []string) (text string) {
	defer func() {
		if recover() != nil {
			text = "panic"
		}
	}()
	if err := s.change(ctx, version, edit, before, metav1.UpdateOptions{DryRun: dry}); err != nil {
		return err.Error()
	}
	return ""
}

// A create that fails has claimed nothing in the end.
func TestCreates(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	for _, tc := range []struct{ name, want string }{
		{"s", ""},
		{"s", `services "s" already exists`},
		{"..", `Service ".." is invalid: metadata.name: Invalid value: "..": is no name`},
	} {
		svc := newService(tc.name, corev1.ServiceTypeNodePort, corev1.ServicePort{Port: 80})
		if got := s.createWith(t.Context(), svc, nothing); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
		s.check(t)
	}
}

// A service gets the address that was claimed for it by a process that died before it
// wrote the service, and nobody else does.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	ip := netip.MustParseAddr("10.0.0.7")
	at := func(name string) *corev1.Service {
		svc := newService(name, corev1.ServiceTypeClusterIP, corev1.ServicePort{Port: 80})
		svc.Spec.ClusterIP = ip.String()
		return svc
	}
	s := newServices(t)
	if _, err := s.addresses.create(t.Context(), at("s"), ip); err != nil {
		t.Fatal(err)
	}
	taken := func(name string) string {
		return fmt.Sprintf("Service %q is invalid: spec.clusterIPs: Invalid value: [\"10.0.0.7\"]: failed to allocate IP 10.0.0.7: provided IP is already allocated", name)
	}
	for _, tc := range []struct {
		name, want string
		before     error
	}{
		{name: "other", want: taken("other")},
		{name: "s", before: errors.New("refused"), want: "refused"},
		{name: "other", want: taken("other")}, // it is for a repair to say that nobody has it
		{name: "s"},
		{name: "s", want: taken("s")},
	} {
		if got := s.createWith(t.Context(), at(tc.name), func() error { return tc.before }); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	s.check(t)
	if err := s.change(t.Context(), "", external, nothing, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.check(t)
}

// Of two that create a service with one address, the one that fails does not give the
// address of the other one back, and neither does one that deletes a service of that
// name.
func TestTakeOverAtOnce(t *testing.T) {
	t.Parallel()
	at := func() *corev1.Service {
		svc := newService("s", corev1.ServiceTypeClusterIP, corev1.ServicePort{Port: 80})
		svc.Spec.ClusterIP = "10.0.0.7"
		return svc
	}
	refused := errors.New("refused")
	for name, tc := range map[string]struct {
		first, second         error
		wantFirst, wantSecond string
	}{
		"the first fails":  {first: refused, wantFirst: "refused"},
		"the second fails": {second: refused, wantSecond: "refused"},
		"none fails":       {wantFirst: `services "s" already exists`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServices(t)
			first := s.createWith(t.Context(), at(), func() error {
				if got := s.createWith(t.Context(), at(), func() error { return tc.second }); got != tc.wantSecond {
					t.Errorf("got %q, want %q", got, tc.wantSecond)
				}
				return tc.first
			})
			if first != tc.wantFirst {
				t.Errorf("got %q, want %q", first, tc.wantFirst)
			}
			s.check(t)
		})
	}
	t.Run("the first fails before the second is written", func(t *testing.T) {
		t.Parallel()
		s := newServices(t)
		claimed, refuse, failed := make(chan struct{}), make(chan struct{}), make(chan string)
		go func() {
			failed <- s.createWith(t.Context(), at(), func() error {
				close(claimed)
				<-refuse
				return refused
			})
		}()
		<-claimed
		second := s.createWith(t.Context(), at(), func() error {
			close(refuse)
			if got := <-failed; got != "refused" {
				t.Errorf("got %q, want refused", got)
			}
			return nil
		})
		if second != "" {
			t.Error(second)
		}
		s.check(t)
	})
	t.Run("delete", func(t *testing.T) {
		t.Parallel()
		var s services
		s = newServices(t, func(c *Config) {
			c.DeleteEndpoints = func(context.Context, string, string) error {
				s.create(t, at())
				return nil
			}
		})
		s.create(t, at())
		if _, _, err := s.Delete(testContext(t.Context()), "s", rest.ValidateAllObjectFunc, &metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.check(t)
	})
}

// Two that take the last finalizer of a service away may both be told that it is gone.
// By the second time, another service may have its port.
func TestDeletedTwice(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	svc := newService("s", corev1.ServiceTypeNodePort, corev1.ServicePort{Port: 80, NodePort: 30003})
	svc.Finalizers = []string{"example.com/one"}
	s.create(t, svc)
	if _, _, err := s.Delete(testContext(t.Context()), "s", rest.ValidateAllObjectFunc, &metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	finalize := func(svc *corev1.Service) { svc.Finalizers = nil }
	err := s.change(t.Context(), "", finalize, func() error {
		if err := s.change(t.Context(), "", finalize, nothing, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
		s.create(t, newService("other", corev1.ServiceTypeNodePort, corev1.ServicePort{Port: 80, NodePort: 30003}))
		return nil
	}, metav1.UpdateOptions{})
	if err != nil {
		t.Error(err)
	}
	s.check(t)
}
