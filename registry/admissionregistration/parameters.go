// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package admissionregistration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/registry/kind"
)

// all stands for any group, version, resource, namespace or name.
const all = "*"

// parameters are what policies read. The server reads them, whoever wrote the policy: so
// who has it read them must be allowed to read them too.
type parameters struct {
	authorizer authorizer.Authorizer
	// client makes a client when it is asked the first time, which is seldom.
	client func() (kubernetes.Interface, error)
}

func newParameters(server kind.Server) *parameters {
	return &parameters{authorizer: server.Authorizer, client: sync.OnceValues(func() (kubernetes.Interface, error) {
		if server.Loopback == nil {
			return nil, errors.New("there is no way to other objects")
		}
		return kubernetes.NewForConfig(server.Loopback)
	})}
}

// mayUse refuses a kind of parameters that the caller may not read all of.
func (p *parameters) mayUse(ctx context.Context, of, before *admissionregistrationv1.ParamKind) field.ErrorList {
	caller, asks := p.asks(ctx)
	if !asks || of == nil || before != nil && *before == *of {
		return nil
	}
	record := p.resource(of)
	record.User, record.Verb, record.Name, record.Namespace = caller, "get", all, all
	return p.authorize(ctx, record, field.NewPath("spec", "paramKind"),
		fmt.Sprintf(`user %v must have "get" permission on all objects of the referenced paramKind (kind=%s, apiVersion=%s)`, caller, of.Kind, of.APIVersion))
}

// reference is what a binding says of parameters.
type reference struct {
	policy string
	to     *admissionregistrationv1.ParamRef
}

// mayRefer refuses a binding to parameters that the caller may not read. kindOf returns
// the kind of the parameters of a policy.
func (p *parameters) mayRefer(ctx context.Context, of, before reference, verb string, kindOf func(ctx context.Context, policy string) (*admissionregistrationv1.ParamKind, error)) field.ErrorList {
	caller, asks := p.asks(ctx)
	if !asks || of.to == nil || before.to != nil && *before.to == *of.to && before.policy == of.policy {
		return nil
	}
	record := authorizer.AttributesRecord{APIGroup: all, APIVersion: all, Resource: all, ResourceRequest: true}
	if found, err := kindOf(ctx, of.policy); err == nil && found != nil {
		record = p.resource(found)
	}
	record.User, record.Verb, record.Name, record.Namespace = caller, verb, of.to.Name, of.to.Namespace
	return p.authorize(ctx, record, field.NewPath("spec", "paramRef"),
		fmt.Sprintf(`user %v does not have %q permission on the object referenced by paramRef`, caller, verb))
}

// asks returns who is asked for rights: not administrators, and not the server itself.
func (p *parameters) asks(ctx context.Context) (user.Info, bool) {
	caller, ok := genericapirequest.UserFrom(ctx)
	return caller, ok && p.authorizer != nil && !slices.Contains(caller.GetGroups(), user.SystemPrivilegedGroup)
}

func (p *parameters) authorize(ctx context.Context, record authorizer.AttributesRecord, at *field.Path, refusal string) field.ErrorList {
	decision, _, err := p.authorizer.Authorize(ctx, record)
	switch {
	case err != nil:
		return field.ErrorList{field.Forbidden(at, err.Error())}
	case decision != authorizer.DecisionAllow:
		return field.ErrorList{field.Forbidden(at, refusal)}
	}
	return nil
}

// resource is that of a kind; all resources of its version if no such kind is served.
func (p *parameters) resource(of *admissionregistrationv1.ParamKind) authorizer.AttributesRecord {
	out := authorizer.AttributesRecord{APIGroup: all, APIVersion: all, Resource: all, ResourceRequest: true}
	version, err := schema.ParseGroupVersion(of.APIVersion)
	if err != nil {
		return out
	}
	out.APIGroup, out.APIVersion = version.Group, version.Version
	client, err := p.client()
	if err != nil {
		return out
	}
	served, err := client.Discovery().ServerResourcesForGroupVersion(of.APIVersion)
	if err != nil {
		return out
	}
	i := slices.IndexFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Kind == of.Kind && r.Group == "" && r.Version == "" })
	if i >= 0 {
		out.Resource = served.APIResources[i].Name
	}
	return out
}
