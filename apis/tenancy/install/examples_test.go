// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/core"
	hubcorev1 "github.com/stoa-project/stoa/apis/core/v1"
	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/apis/tenancy/install"
	"github.com/stoa-project/stoa/apis/tenancy/validation"
)

// Every example is read without unknown fields, is valid, and causes no warning.
func TestExamples(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	install.Install(scheme)
	utilruntime.Must(hubcorev1.AddToScheme(scheme))
	strict := serializer.NewCodecFactory(scheme, serializer.EnableStrict)

	files, err := filepath.Glob("../../../examples/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			external, gvk, err := strict.UniversalDeserializer().Decode(text, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			scheme.Default(external)
			if errs := scheme.Validate(t.Context(), nil, external); len(errs) > 0 {
				t.Error(errs.ToAggregate())
			}
			hub, err := scheme.New(gvk.GroupKind().WithVersion(runtime.APIVersionInternal))
			if err != nil {
				t.Fatal(err)
			}
			if err := scheme.Convert(external, hub, nil); err != nil {
				t.Fatal(err)
			}
			errs, warnings := judge(hub)
			if len(errs) > 0 || len(warnings) > 0 {
				t.Errorf("errors %v, warnings %v", errs, warnings)
			}
		})
	}
}

func judge(hub runtime.Object) (field.ErrorList, []string) {
	switch obj := hub.(type) {
	case *tenancy.Tenant:
		return validation.ValidateTenant(obj), validation.WarningsOnTenant(obj, nil)
	case *tenancy.Grant:
		return validation.ValidateGrant(obj), validation.WarningsOnGrant(obj, nil)
	case *core.Namespace:
		return corevalidation.ValidateNamespace((*corev1.Namespace)(obj)), nil
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap((*corev1.ConfigMap)(obj)), nil
	case *core.Secret:
		return corevalidation.ValidateSecret((*corev1.Secret)(obj)), corevalidation.WarningsOnSecret((*corev1.Secret)(obj))
	default:
		return field.ErrorList{field.InternalError(nil, os.ErrInvalid)}, nil
	}
}
