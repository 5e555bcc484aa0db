// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package manifests reads the webhooks and policies that an administrator keeps in files
// instead of the API: the folders that staticManifestsDir of an admission configuration
// names. They hold from the first request on, and nobody can change them by a request.
// The plugins of Kubernetes' libraries read the folders again and again by what is here.
package manifests

import (
	"fmt"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	policies "k8s.io/apiserver/pkg/admission/plugin/policy/manifest/loader"
	webhooks "k8s.io/apiserver/pkg/admission/plugin/webhook/manifest/loader"

	hubadmissionregistrationv1 "github.com/stoa-project/stoa/apis/admissionregistration/v1"
	"github.com/stoa-project/stoa/apis/admissionregistration/validation"
)

// Loaders returns what reads folders, each with objects of one kind of webhook, or with
// policies of one kind and their bindings. Their defaults are filled, and they are as
// valid as those of the API. Nothing is made before the first folder is read.
func Loaders() *genericadmissioninitializer.ManifestLoaders {
	formats := sync.OnceValues(newFormat)
	return &genericadmissioninitializer.ManifestLoaders{
		LoadValidatingWebhookManifests: func(dir string) ([]*admissionregistrationv1.ValidatingWebhookConfiguration, string, error) {
			f, err := formats()
			if err != nil {
				return nil, "", err
			}
			return webhooks.LoadManifests(dir, f.decoder, reader(f, validation.ValidateValidatingWebhookConfiguration))
		},
		LoadMutatingWebhookManifests: func(dir string) ([]*admissionregistrationv1.MutatingWebhookConfiguration, string, error) {
			f, err := formats()
			if err != nil {
				return nil, "", err
			}
			return webhooks.LoadManifests(dir, f.decoder, reader(f, validation.ValidateMutatingWebhookConfiguration))
		},
		LoadValidatingPolicyManifests: func(dir string) ([]*admissionregistrationv1.ValidatingAdmissionPolicy, []*admissionregistrationv1.ValidatingAdmissionPolicyBinding, string, error) {
			f, err := formats()
			if err != nil {
				return nil, nil, "", err
			}
			return policies.LoadPolicyManifests(dir, f.decoder,
				reader(f, validation.ValidateValidatingAdmissionPolicy), reader(f, validation.ValidateValidatingAdmissionPolicyBinding),
				func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) string { return b.Spec.PolicyName })
		},
		LoadMutatingPolicyManifests: func(dir string) ([]*admissionregistrationv1.MutatingAdmissionPolicy, []*admissionregistrationv1.MutatingAdmissionPolicyBinding, string, error) {
			f, err := formats()
			if err != nil {
				return nil, nil, "", err
			}
			return policies.LoadPolicyManifests(dir, f.decoder,
				reader(f, validation.ValidateMutatingAdmissionPolicy), reader(f, validation.ValidateMutatingAdmissionPolicyBinding),
				func(b *admissionregistrationv1.MutatingAdmissionPolicyBinding) string { return b.Spec.PolicyName })
		},
	}
}

// format is how files are read.
type format struct {
	scheme  *runtime.Scheme
	decoder runtime.Decoder
}

func newFormat() (format, error) {
	scheme := runtime.NewScheme()
	if err := hubadmissionregistrationv1.AddToScheme(scheme); err != nil {
		return format{}, fmt.Errorf("scheme of manifests: %w", err)
	}
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"}, &metav1.List{})
	return format{scheme: scheme, decoder: serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()}, nil
}

// reader returns what takes the objects of one kind out of what a file holds, one or a
// list of its own kind, and wants them to be valid. For anything else the error is the
// one that upstream asks for.
func reader[T interface {
	runtime.Object
	metav1.Object
}](f format, validate func(T) field.ErrorList) func(runtime.Object) ([]T, error) {
	return func(obj runtime.Object) ([]T, error) {
		all := []runtime.Object{obj}
		if meta.IsListType(obj) {
			var err error
			if all, err = meta.ExtractList(obj); err != nil {
				return nil, err
			}
		}
		out := make([]T, 0, len(all))
		for _, item := range all {
			typed, ok := item.(T)
			if !ok {
				return nil, policies.ErrUnrecognizedType
			}
			f.scheme.Default(typed)
			if errs := validate(typed); len(errs) > 0 {
				return nil, fmt.Errorf("%s %q: %w", typed.GetObjectKind().GroupVersionKind().Kind, typed.GetName(), errs.ToAggregate())
			}
			out = append(out, typed)
		}
		return out, nil
	}
}
