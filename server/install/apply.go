// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	registration "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
)

const (
	manager      = "stoa-install"
	pollInterval = 500 * time.Millisecond
)

// Cluster is where something is installed. Out is told what happens.
type Cluster struct {
	Out io.Writer

	objects  dynamic.Interface
	services registration.APIServiceInterface
	client   kubernetes.Interface
}

// NewCluster returns the cluster of a configuration.
func NewCluster(config *rest.Config, out io.Writer) (*Cluster, error) {
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	services, err := registration.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Cluster{Out: out, objects: objects, services: services.APIServices(), client: client}, nil
}

// resource returns the interface for an object. Every kind here has a regular plural.
func (c *Cluster) resource(obj *unstructured.Unstructured) dynamic.ResourceInterface {
	gvr, _ := meta.UnsafeGuessKindToResource(obj.GroupVersionKind())
	if obj.GetNamespace() == "" {
		return c.objects.Resource(gvr)
	}
	return c.objects.Resource(gvr).Namespace(obj.GetNamespace())
}

// Apply makes the objects be as they should be. A namespace that somebody else made
// stays as it is.
func (c *Cluster) Apply(ctx context.Context, o Options) error {
	objects, err := o.Objects()
	if err != nil {
		return err
	}
	for _, obj := range objects {
		if obj.GetKind() == "Namespace" {
			there, err := c.resource(obj).Get(ctx, obj.GetName(), metav1.GetOptions{})
			if err == nil && there.GetLabels()[managedBy] != Name {
				continue
			}
		}
		if _, err := c.resource(obj).Apply(ctx, obj.GetName(), obj, metav1.ApplyOptions{FieldManager: manager, Force: true}); err != nil {
			return fmt.Errorf("apply %s: %w", describe(obj), err)
		}
		fmt.Fprintf(c.Out, "Applied %s.\n", describe(obj))
	}
	return nil
}

// Wait returns when the cluster sends requests to the server. The error of a context
// that ends before says why it does not.
func (c *Cluster) Wait(ctx context.Context, o Options) error {
	told, last := map[string]string{}, map[string]string{}
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		done := true
		for _, service := range o.APIServices {
			state, available := c.state(ctx, service.Name)
			if ctx.Err() != nil {
				return false, nil
			}
			last[service.Name] = state
			if !available {
				done = false
			}
			if told[service.Name] != state {
				told[service.Name] = state
				fmt.Fprintf(c.Out, "APIService %s: %s\n", service.Name, state)
			}
		}
		return done, nil
	})
	if err == nil {
		return nil
	}
	why := []string{"the cluster does not send requests to the server"}
	for _, service := range o.APIServices {
		why = append(why, fmt.Sprintf("APIService %s: %s", service.Name, last[service.Name]))
	}
	if !o.external() {
		// The context is over, and this is about why.
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) //nolint:mnd // one request
		defer cancel()
		why = append(why, c.Pods(asking, o)...)
	}
	return errors.New(strings.Join(append(why, "stoa doctor says what to do"), "\n  "))
}

// state says in words how an APIService is.
func (c *Cluster) state(ctx context.Context, name string) (state string, available bool) {
	service, err := c.services.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err.Error(), false
	}
	state = "the cluster has not looked yet"
	for _, condition := range service.Status.Conditions {
		if condition.Type != apiregistration.Available {
			continue
		}
		if condition.Status == apiregistration.ConditionTrue {
			return "available", true
		}
		state = condition.Reason + ": " + condition.Message
	}
	if len(service.Spec.CABundle) == 0 {
		state = "the server has not said yet who signs its certificate"
	}
	return state, false
}

// Pods says in words what is wrong with the pods of the server.
func (c *Cluster) Pods(ctx context.Context, o Options) []string {
	pods, err := c.client.CoreV1().Pods(o.Namespace).List(ctx, metav1.ListOptions{LabelSelector: appName + "=" + Name})
	if err != nil {
		return []string{"pods: " + err.Error()}
	}
	if len(pods.Items) == 0 {
		return []string{"there are no pods: see the events of deployment " + o.Namespace + "/" + Name}
	}
	var out []string
	for i := range pods.Items {
		pod := &pods.Items[i]
		text := []string{"pod " + pod.Name + ": " + string(pod.Status.Phase)}
		for _, condition := range pod.Status.Conditions {
			if condition.Status != "True" && condition.Message != "" {
				text = append(text, condition.Message)
			}
		}
		for _, container := range pod.Status.ContainerStatuses {
			if waiting := container.State.Waiting; waiting != nil {
				text = append(text, waiting.Reason+" "+waiting.Message)
			}
			if ended := container.LastTerminationState.Terminated; ended != nil {
				text = append(text, fmt.Sprintf("ended with %d %s %s", ended.ExitCode, ended.Reason, ended.Message))
			}
		}
		out = append(out, strings.Join(text, ", "))
	}
	return out
}

// Delete takes everything away, with the data of the server, and waits until it is gone.
func (c *Cluster) Delete(ctx context.Context, o Options) error {
	objects, err := o.every()
	if err != nil {
		return err
	}
	var gone []*unstructured.Unstructured
	for _, obj := range slices.Backward(objects) {
		there, err := c.resource(obj).Get(ctx, obj.GetName(), metav1.GetOptions{})
		if err == nil && there.GetLabels()[managedBy] != Name {
			continue // of somebody else, who may have chosen the same name
		}
		if err == nil {
			err = c.resource(obj).Delete(ctx, obj.GetName(), metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
			fmt.Fprintf(c.Out, "Deleted %s.\n", describe(obj))
			gone = append(gone, obj)
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete %s: %w", describe(obj), err)
		}
	}
	for _, obj := range gone {
		err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
			_, err := c.resource(obj).Get(ctx, obj.GetName(), metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		})
		if err != nil {
			return fmt.Errorf("%s is still there: %w", describe(obj), err)
		}
	}
	return nil
}

// every are the objects that any options with this namespace have.
func (o Options) every() ([]*unstructured.Unstructured, error) {
	inside, outside := o, o
	inside.ExternalName, inside.Endpoint, inside.EtcdServers, inside.User = "", "", nil, ""
	outside.ExternalName, outside.Endpoint, outside.User = "", "[2001:db8::1]:443", ""
	var out []*unstructured.Unstructured
	seen := map[string]bool{}
	for _, options := range []Options{inside, outside} {
		objects, err := options.Objects()
		if err != nil {
			return nil, err
		}
		for _, obj := range objects {
			if name := describe(obj); !seen[name] {
				seen[name] = true
				out = append(out, obj)
			}
		}
	}
	return out, nil
}
