// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

// Teller tells users what a controller did with their objects, by events. It is for
// what happens seldom: each call is a request.
type Teller struct {
	Client kubernetes.Interface
	// Controller is the name of the controller.
	Controller string
}

// Tell makes an event about an object. A failure is logged, and keeps nobody from his
// work. reason is a word for programs, action what was done, note a sentence for people.
func (t Teller) Tell(ctx context.Context, about corev1.ObjectReference, kind, reason, action, note string) {
	const longest = 1024 // that a note may be
	if len(note) > longest {
		note = note[:longest]
	}
	namespace := about.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	instance, err := os.Hostname()
	if err != nil {
		instance = t.Controller
	}
	now := time.Now()
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s.%x", about.Name, now.UnixNano()), Namespace: namespace},
		EventTime:  metav1.NewMicroTime(now), ReportingController: "stoa.dev/" + t.Controller, ReportingInstance: instance,
		Type: kind, Reason: reason, Action: action, Note: note, Regarding: about,
	}
	if _, err := t.Client.EventsV1().Events(namespace).Create(ctx, event, metav1.CreateOptions{}); err != nil {
		klog.FromContext(ctx).V(2).Info("Could not make an event", "controller", t.Controller, "object", klog.KRef(about.Namespace, about.Name), "reason", reason, "err", err)
	}
}
