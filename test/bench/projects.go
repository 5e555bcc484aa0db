// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// ofProjects is the argument of -run that measures projects.
	ofProjects = "projects"
	projects   = "/apis/tenancy.stoa.dev/v1/projects"

	manyNamespaces = 10_000
	bindingsEach   = 5
	// manyPeople see 20 namespaces each.
	manyPeople     = 2500
	seen           = manyNamespaces * bindingsEach / manyPeople
	manyWatchers   = 1000
	bindingChanges = 200
)

func personNamed(i int) string { return fmt.Sprintf("u%d", i) }

// measureProjects measures lists and watches of projects by people who see 20 of 10 000
// namespaces, through 50 000 role bindings.
func measureProjects(ctx context.Context, s settings, r *report) error {
	p, err := startProcess(ctx, s, ofProjects)
	if err != nil {
		return err
	}
	defer p.stop()
	config, err := clientcmd.BuildConfigFromFlags("", p.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	began := time.Now()
	if err := settle(ctx, s, config); err != nil {
		return fmt.Errorf("make namespaces and role bindings: %w", err)
	}
	if err := ended(ctx, config); err != nil {
		return err
	}
	r.once("namespaces, role bindings and config maps made", "s", time.Since(began).Seconds())
	r.once("CPU of the server for them", "s", p.cpu())
	pause(ctx, idleTime)
	r.once("resident memory before projects", "MB", p.resident())

	a, err := newAPI(p.kubeconfig, s.clients)
	if err != nil {
		return err
	}
	began = time.Now()
	if err := a.listTwenty(ctx, projects); err != nil {
		return err
	}
	r.once("first list of projects", "ms", time.Since(began).Seconds()*1000)
	if err := p.measureProjectLists(ctx, s, a, r); err != nil {
		return err
	}
	r.once("resident memory with projects", "MB", p.resident())
	if err := measureProjectWatches(ctx, config, a, r); err != nil {
		return err
	}
	r.once("resident memory with 1 000 watchers", "MB", p.resident())
	return nil
}

// measureProjectLists lists projects, and as the same person as many config maps.
func (p *process) measureProjectLists(ctx context.Context, s settings, a *api, r *report) error {
	const yardstick = "yardstick: list of 20 config maps"
	for _, list := range []struct{ name, yardstick, path string }{
		{yardstick, "", "/api/v1/namespaces/n0/configmaps"},
		{"list of 20 projects of 10 000", yardstick, projects},
		{"list of 20 projects of 10 000, from memory", yardstick, projects + "?resourceVersion=0"},
	} {
		profiled := a.profile(ctx, s, list.name)
		before := p.cpu()
		l, err := drive(ctx, 1, s.duration, func(ctx context.Context, _, _ int) error { return a.listTwenty(ctx, list.path) })
		if err := errors.Join(err, <-profiled); err != nil {
			return err
		}
		r.load(list.name, "1/s", list.yardstick, l)
		r.once("CPU of the server for one", "ms", 1000*(p.cpu()-before)/float64(len(l.latencies)))
	}
	return nil
}

// ended waits until controllers have put into namespaces what they do, and made up to 20
// config maps in the first.
func ended(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for i := range seen - 1 { // and the one of the controller
		one := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("c%d", i)}}
		if _, err := client.CoreV1().ConfigMaps("n0").Create(ctx, one, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		list, err := client.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return err
		}
		if left := list.RemainingItemCount; left != nil && *left > manyNamespaces+seen {
			return nil
		}
		pause(ctx, time.Second)
	}
	return ctx.Err()
}

// settle makes the namespaces and role bindings.
func settle(ctx context.Context, s settings, config *rest.Config) error {
	clients := make([]kubernetes.Interface, s.clients)
	for i := range clients {
		own := rest.CopyConfig(config)
		own.ContentType, own.UserAgent = runtime.ContentTypeProtobuf, fmt.Sprintf("stoa-bench/%d", i)
		own.Dial = (&net.Dialer{}).DialContext // and so a connection of its own
		var err error
		if clients[i], err = kubernetes.NewForConfig(own); err != nil {
			return err
		}
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for _, client := range clients {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < manyNamespaces; i = int(next.Add(1)) - 1 {
				name := fmt.Sprintf("n%d", i)
				if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
					return err
				}
				for k := range bindingsEach {
					if err := bindView(ctx, client, name, personNamed((bindingsEach*i+k)%manyPeople)); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func bindView(ctx context.Context, client kubernetes.Interface, namespace, user string) error {
	_, err := client.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{})
	return err
}

// as sends a request of one of the people.
func (a *api) as(ctx context.Context, i int, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Impersonate-User", personNamed(i))
	response, err := a.clients[i%len(a.clients)].Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s as %s: %s", path, personNamed(i), response.Status), response.Body.Close())
	}
	return response, nil
}

// listTwenty lists what the first of the people sees.
func (a *api) listTwenty(ctx context.Context, path string) error {
	response, err := a.as(ctx, 0, path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var list metav1.PartialObjectMetadataList
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		return err
	}
	if got := len(list.Items); got != seen {
		return fmt.Errorf("%d are seen in %s, want %d", got, path, seen)
	}
	return nil
}

// measureProjectWatches has many people watch, and measures how long it takes from a
// role binding to the event that it means for one of them.
func measureProjectWatches(ctx context.Context, config *rest.Config, a *api, r *report) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	added := make(chan int, bindingChanges)
	var watching errgroup.Group
	began := time.Now()
	for i := range manyWatchers {
		watching.Go(func() error {
			// All that is there comes first, and from then on what changes.
			response, err := a.as(ctx, i, projects+"?watch=1") //nolint:bodyclose // below, or when ctx ends
			if err != nil {
				return err
			}
			lines := bufio.NewScanner(response.Body)
			for range seen {
				if !lines.Scan() {
					return fmt.Errorf("the watch of %s ended: %w", personNamed(i), lines.Err())
				}
			}
			go func() {
				defer response.Body.Close()
				for lines.Scan() {
					added <- i
				}
			}()
			return nil
		})
	}
	if err := watching.Wait(); err != nil {
		return err
	}
	r.once("1 000 watchers have what there is", "ms", time.Since(began).Seconds()*1000)
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	// Each time another watcher gets to see a namespace that nobody of the first few sees.
	l, err := drive(ctx, 1, time.Minute, func(ctx context.Context, _, i int) error {
		if i > bindingChanges {
			return errDone
		}
		if err := bindView(ctx, client, fmt.Sprintf("n%d", manyNamespaces/bindingsEach-i), personNamed(i)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case who := <-added:
			if who != i {
				return fmt.Errorf("%s was sent what is for %s", personNamed(who), personNamed(i))
			}
			return nil
		}
	})
	if err != nil {
		return err
	}
	r.load("role binding until its watcher has the event", "1/s", "", l)
	return nil
}
