// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package envtest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const patience = time.Minute

// assets is a folder with stoa under the names that envtest looks for.
var assets string

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		fmt.Println("nothing to test with -short: a binary is needed")
		return 0
	}
	dir, err := os.MkdirTemp("", "envtest-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if assets, err = dir, build(dir); err != nil {
		fmt.Println(err)
		return 1
	}
	return m.Run()
}

// build builds stoa, and links the two names to it.
func build(dir string) error {
	binary := filepath.Join(dir, "stoa")
	command := exec.Command("go", "build", "-ldflags", "-s -w", "-buildvcs=false", "-o", binary, "./cmd/stoa")
	command.Dir = filepath.Join("..", "..")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build stoa: %w\n%s", err, out)
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		if err := os.Symlink(binary, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// start starts an environment, and stops it when the test is over.
func start(t *testing.T, env *envtest.Environment) *rest.Config {
	t.Helper()
	env.ControlPlaneStartTimeout, env.ControlPlaneStopTimeout = patience, patience
	env.ControlPlane.GetAPIServer().Err = &testLog{t: t}
	began := time.Now()
	config, err := env.Start()
	t.Logf("envtest.Environment.Start took %.2f s", time.Since(began).Seconds())
	t.Cleanup(func() {
		began := time.Now()
		if err := env.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		t.Logf("envtest.Environment.Stop took %.2f s", time.Since(began).Seconds())
	})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// testLog is the log of a server, of which the warnings are shown.
type testLog struct{ t *testing.T }

func (l *testLog) Write(data []byte) (int, error) {
	if strings.Contains(string(data), "Warning") && l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(data)))
	}
	return len(data), nil
}

// TestEnvironment runs a manager with a controller on an environment with a CRD
// and a webhook.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	path := "/check"
	none := admissionregistrationv1.SideEffectClassNone
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDs:                  []*apiextensionsv1.CustomResourceDefinition{widgetDefinition()},
		WebhookInstallOptions: envtest.WebhookInstallOptions{ValidatingWebhooks: []*admissionregistrationv1.ValidatingWebhookConfiguration{{
			ObjectMeta: metav1.ObjectMeta{Name: "widgets"},
			Webhooks: []admissionregistrationv1.ValidatingWebhook{{
				Name: "widgets.example.com", SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
				ClientConfig: admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: "default", Name: "hooks", Path: &path}},
				Rules: []admissionregistrationv1.RuleWithOperations{{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"example.com"}, APIVersions: []string{"v1"}, Resources: []string{"widgets"}},
				}},
			}},
		}}},
	}
	config := start(t, env)
	plain, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}

	hooks := webhook.NewServer(webhook.Options{
		Host: env.WebhookInstallOptions.LocalServingHost, Port: env.WebhookInstallOptions.LocalServingPort,
		CertDir: env.WebhookInstallOptions.LocalServingCertDir,
	})
	hooks.Register(path, &admission.Webhook{Handler: admission.HandlerFunc(func(_ context.Context, request admission.Request) admission.Response {
		if request.Name == "forbidden" {
			return admission.Denied("not this name")
		}
		return admission.Allowed("")
	})})
	manager(t, config, hooks)
	eventually(t, "the webhook is not called", func(ctx context.Context) bool {
		forbidden := newWidget()
		forbidden.SetName("forbidden")
		forbidden.SetNamespace("default")
		err := plain.Create(ctx, forbidden, client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), `admission webhook "widgets.example.com" denied the request: not this name`)
	})
	widget := newWidget()
	widget.SetName("one")
	widget.SetNamespace("default")
	widget.Object["spec"] = map[string]any{"size": int64(0)}
	if err := plain.Create(t.Context(), widget.DeepCopy()); !apierrors.IsInvalid(err) {
		t.Errorf("a widget that its schema forbids: %v, want Invalid", err)
	}
	widget.Object["spec"] = map[string]any{"size": int64(3)}
	if err := plain.Create(t.Context(), widget); err != nil {
		t.Fatal(err)
	}
	made := &corev1.ConfigMap{}
	eventually(t, "the controller has not done its work", func(ctx context.Context) bool {
		key := client.ObjectKeyFromObject(widget)
		if plain.Get(ctx, key, widget) != nil || plain.Get(ctx, key, made) != nil {
			return false
		}
		status, _, _ := unstructured.NestedString(widget.Object, "status", "made")
		return status == "one" && made.Data["size"] == "3" && metav1.IsControlledBy(made, widget)
	})

	user, err := env.AddUser(envtest.User{Name: "somebody"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := client.New(user.Config(), client.Options{Mapper: plain.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Get(t.Context(), client.ObjectKeyFromObject(made), made); !apierrors.IsForbidden(err) {
		t.Errorf("a user without rights: %v, want Forbidden", err)
	}
}

// manager runs a manager with the controller and the webhooks until the test is over.
func manager(t *testing.T, config *rest.Config, hooks webhook.Server) {
	t.Helper()
	again := true // a second run of the test makes the same controller in this process
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Metrics: metricsserver.Options{BindAddress: "0"}, WebhookServer: hooks, Controller: controllerconfig.Controller{SkipNameValidation: &again},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := ctrl.NewControllerManagedBy(mgr).For(newWidget()).Owns(&corev1.ConfigMap{}).Complete(&reconciler{mgr.GetClient()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := mgr.Add(hooks); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("manager: %v", err)
		}
	})
}

func eventually(t *testing.T, what string, is func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return is(ctx), nil
	})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// TestRestart starts and stops the same environment twice, as suites do that keep
// one in a variable.
func TestRestart(t *testing.T) {
	t.Parallel()
	for range 2 {
		t.Run("", func(t *testing.T) {
			config := start(t, &envtest.Environment{BinaryAssetsDirectory: assets})
			plain, err := client.New(config, client.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := plain.List(t.Context(), &corev1.NamespaceList{}); err != nil {
				t.Error(err)
			}
		})
	}
}
