// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package eventlimit_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/eventlimit"
	"github.com/stoa-project/stoa/apis/core"
)

const head = "apiVersion: eventratelimit.admission.k8s.io/v1alpha1\nkind: Configuration\nlimits:\n"

// event is a request that creates one, of a user, about a pod.
func event(by, component, pod string) admissiontest.Request {
	return admissiontest.Request{
		Kind: corev1.SchemeGroupVersion.WithKind("Event"), Resource: corev1.SchemeGroupVersion.WithResource("events"),
		User: &user.DefaultInfo{Name: by},
		Obj: &core.Event{
			Source:         corev1.EventSource{Component: component, Host: "h"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "n", Name: pod, UID: "u", APIVersion: "v1"},
		},
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	a, b := event("jane", "kubelet", "a"), event("bob", "kubelet", "a")
	c := event("jane", "kubelet", "c")
	update, dry, status, newer := a, a, a, a
	update.Old, dry.DryRun, status.Subresource = &core.Event{}, true, "status"
	newer.Kind = eventsv1.SchemeGroupVersion.WithKind("Event")
	const refused = "Too many requests: limit reached on type "
	for name, tc := range map[string]struct {
		limits   string
		requests []admissiontest.Request
		want     []string
	}{
		"server":    {"- {type: Server, qps: 1, burst: 2}", []admissiontest.Request{a, b, c}, []string{"", "", refused + "Server for key "}},
		"namespace": {"- {type: Namespace, qps: 1, burst: 2}", []admissiontest.Request{a, b, c}, []string{"", "", refused + "Namespace for key n"}},
		"user":      {"- {type: User, qps: 1, burst: 1}", []admissiontest.Request{a, b, c}, []string{"", "", refused + "User for key jane"}},
		"source and object": {
			"- {type: SourceAndObject, qps: 1, burst: 1}", []admissiontest.Request{a, c, b},
			[]string{"", "", refused + "SourceAndObject for key kubelethPodnauv1"},
		},
		"two limits": {
			"- {type: Server, qps: 1, burst: 1}\n- {type: User, qps: 1, burst: 1}", []admissiontest.Request{a, b, b},
			[]string{"", refused + "Server for key ", "Too many requests: [limit reached on type Server for key , limit reached on type User for key bob]"},
		},
		"updates count": {"- {type: User, qps: 1, burst: 1}", []admissiontest.Request{a, update}, []string{"", refused + "User for key jane"}},
		"what is forgotten begins anew": {
			"- {type: User, qps: 1, burst: 1, cacheSize: 1}", []admissiontest.Request{a, b, a, a}, []string{"", "", "", refused + "User for key jane"},
		},
		"others do not count": {
			"- {type: Server, qps: 1, burst: 1}",
			[]admissiontest.Request{dry, newer, {Obj: &core.Pod{}, Kind: corev1.SchemeGroupVersion.WithKind("Pod")}, a}, []string{"", "", "", ""},
		},
		"subresources count": {
			"- {type: Server, qps: 1, burst: 1}", []admissiontest.Request{status, a}, []string{"", refused + "Server for key "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admissiontest.Start(t, eventlimit.Register, admissiontest.Plugin{Config: head + tc.limits})
			var got []string
			for _, r := range tc.requests {
				err := p.Do(t.Context(), r)
				if err != nil && !apierrors.IsTooManyRequests(err) {
					t.Errorf("error %#v", err)
				}
				got = append(got, text(err))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTime waits until events may come again.
func TestTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := admissiontest.Start(t, eventlimit.Register, admissiontest.Plugin{Config: head + "- {type: Server, qps: 2, burst: 2}"})
		var got []string
		for range 3 {
			for range 3 {
				got = append(got, text(p.Do(t.Context(), event("jane", "c", "a"))))
			}
			<-time.After(500 * time.Millisecond) // of one event
		}
		const refused = "Too many requests: limit reached on type Server for key "
		if diff := cmp.Diff([]string{"", "", refused, "", refused, refused, "", refused, refused}, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		head + "- {type: Server, qps: 1, burst: 1, cacheSize: -1}\n- {type: User, qps: 1, burst: 1, cacheSize: 9}": "",
		"":                     "limits: Invalid value: null: must not be empty",
		head + "- {type: Pod}": `[limits[0].type: Unsupported value: "Pod": supported values: "Namespace", "Server", "SourceAndObject", "User", limits[0].burst: Invalid value: 0: must be positive, limits[0].qps: Invalid value: 0: must be positive]`,
		head + "- {type: User, qps: 1, burst: 1, cacheSize: -1}": "limits[0].cacheSize: Invalid value: -1: must not be negative",
		head + "- {type: User, qsp: 1}":                          `configuration: error unmarshaling JSON: while decoding JSON: json: unknown field "qsp"`,
	} {
		plugins := admission.NewPlugins()
		eventlimit.Register(plugins)
		reader := strings.NewReader(config)
		if config == "" {
			reader = nil
		}
		_, err := plugins.InitPlugin("EventRateLimit", reader, admission.PluginInitializers{})
		if want != "" {
			want = `couldn't init admission plugin "EventRateLimit": ` + want
		}
		if text(err) != want {
			t.Errorf("%s: %v, want %s", config, err, want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
