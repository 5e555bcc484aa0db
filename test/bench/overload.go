// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// overload is the load that only runs if -run names it, and the command of the
	// process that makes it.
	overload = "overload"
	// crowd is how many requests are sent at once: ten times what the server serves at
	// once on a large machine.
	crowd = 10 * (400 + 200)
	// crowdUsers are who sends them, and streams how many share a connection.
	crowdUsers, streams = 10, 100
	// comingTime is how long it takes until all are there.
	comingTime      = 5 * time.Second
	overloadTime    = 30 * time.Second
	recoveryTime    = 10 * time.Second
	overloadObjects = 1000
	// politeness is by how much the crowd gives way to the server: it stands for clients on
	// other machines.
	politeness = 10
	// probePause is between two requests of a probe.
	probePause = 10 * time.Millisecond
)

// probe is a client that must be served whatever others do.
type probe struct {
	name, user string // user is empty for an administrator
	// path is what it reads and changes in turn, and object what that is at first.
	path, object string
}

func probes() []probe {
	const leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
	return []probe{
		{"system:masters", "", "/api/v1/namespaces/kube-system/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"probe"}}`},
		{"leader election", "system:kube-controller-manager", leases, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"probe"}}`},
	}
}

// measureOverload measures what requests of the system take before, while and after a
// crowd asks for more than the server can do.
func measureOverload(ctx context.Context, s settings, r *report) error {
	p, err := startProcess(ctx, s, overload)
	if err != nil {
		return err
	}
	defer p.stop()
	a, err := newAPI(p.kubeconfig, 2)
	if err != nil {
		return err
	}
	if err := a.prepareOverload(ctx); err != nil {
		return err
	}
	if err := a.probeAll(ctx, s.duration, "before", r); err != nil {
		return err
	}
	r.once("resident memory before", "MB", p.resident())
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var out, log bytes.Buffer
	load := exec.CommandContext(ctx, program, overload, p.kubeconfig) //nolint:gosec // this program itself
	load.Stdout, load.Stderr = &out, &log
	if err := load.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	highest := make(chan float64, 1)
	go func() { highest <- p.highest(ended) }()
	profiled := a.profile(ctx, s, overload)
	probeErr := a.probeAll(ctx, overloadTime, "in overload", r)
	loadErr := errors.Join(load.Wait(), <-profiled)
	close(ended)
	r.once("highest resident memory in overload", "MB", <-highest)
	if err := errors.Join(probeErr, loadErr); err != nil {
		return fmt.Errorf("overload: %w\n%s", err, log.Bytes())
	}
	var crowd crowdFigures
	if err := json.Unmarshal(out.Bytes(), &crowd); err != nil {
		return fmt.Errorf("what the crowd says: %w", err)
	}
	crowd.report(r)
	pause(ctx, recoveryTime)
	r.once("resident memory afterwards", "MB", p.resident())
	if err := a.probeAll(ctx, s.duration, "afterwards", r); err != nil {
		return err
	}
	// Nobody is refused any more.
	l, err := drive(ctx, len(a.clients), s.duration, func(ctx context.Context, w, i int) error {
		code, err := send(ctx, a.clients[w], crowdUser(0), http.MethodGet, a.url+objectPath(i), nil)
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("get: %d", code)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("a user afterwards: %w", err)
	}
	r.load("a user afterwards", "1/s", "", l)
	return nil
}

func crowdUser(i int) string  { return fmt.Sprintf("user-%d", i) }
func objectPath(i int) string { return fmt.Sprintf("%s/o%d", configMaps, i%overloadObjects) }

// prepareOverload makes the objects, and lets the users have them.
func (a *api) prepareOverload(ctx context.Context) error {
	binding := `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"crowd"},
		"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},
		"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"system:authenticated"}]}`
	err := a.call(ctx, 0, http.MethodPost, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", asJSON, []byte(binding))
	for i := 0; i < overloadObjects && err == nil; i++ {
		err = a.call(ctx, 0, http.MethodPost, configMaps, asJSON, configMap(fmt.Sprintf("o%d", i)))
	}
	for _, p := range probes() {
		if err == nil {
			err = a.call(ctx, 0, http.MethodPost, p.path, asJSON, []byte(p.object))
		}
	}
	return err
}

// send sends a request as a user, or as the administrator, and returns the status.
func send(ctx context.Context, client *http.Client, user, method, url string, body []byte) (int, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body)) //nolint:gosec // to the server that is measured
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/merge-patch+json")
	if user != "" {
		request.Header.Set("Impersonate-User", user)
	}
	response, err := client.Do(request) //nolint:gosec // see above
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if wait, _ := strconv.Atoi(response.Header.Get("Retry-After")); wait > 0 && user != "" { // as client-go does
		pause(ctx, time.Duration(wait)*time.Second)
	}
	return response.StatusCode, err
}

// probeAll has all probes read and change their objects for a while. What is refused
// counts apart.
func (a *api) probeAll(ctx context.Context, duration time.Duration, when string, r *report) error {
	all := probes()
	results, errs, refused := make([]result, len(all)), make([]error, len(all)), make([]int, len(all))
	var group sync.WaitGroup
	for n, p := range all {
		group.Go(func() {
			began := time.Now()
			for i := 0; time.Since(began) < duration && errs[n] == nil; i++ {
				at, method, body := time.Now(), http.MethodGet, []byte(nil)
				if i%2 == 1 {
					method, body = http.MethodPatch, fmt.Appendf(nil, `{"metadata":{"annotations":{"i":"%d"}}}`, i)
				}
				code, err := send(ctx, a.clients[n], p.user, method, a.url+p.path+"/probe", body)
				switch {
				case err != nil:
					errs[n] = err
				case code == http.StatusTooManyRequests:
					refused[n]++
				case code != http.StatusOK:
					errs[n] = fmt.Errorf("%s: %s %s: %d", p.name, method, p.path, code)
				default:
					results[n].latencies = append(results[n].latencies, time.Since(at))
				}
				pause(ctx, probePause)
			}
			results[n].took = time.Since(began)
		})
	}
	group.Wait()
	for n, p := range all {
		r.load(p.name+" "+when, "1/s", "", results[n])
		r.once(p.name+" refused "+when, "", float64(refused[n]))
	}
	return errors.Join(errs...)
}

// highest is the most memory that the process has until ended is closed.
func (p *process) highest(ended <-chan struct{}) float64 {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	most := 0.0
	for {
		select {
		case <-tick.C:
			most = max(most, p.resident())
		case <-ended:
			return most
		}
	}
}

// crowdFigures are what the process says that makes the load.
type crowdFigures struct {
	Served, Refused, Failed int64
	// Users are how often each was served.
	Users []int64
}

func (c crowdFigures) report(r *report) {
	seconds := overloadTime.Seconds()
	r.once("users served in overload", "1/s", float64(c.Served)/seconds)
	r.once("users refused in overload", "1/s", float64(c.Refused)/seconds)
	r.once("requests of users that failed otherwise", "", float64(c.Failed))
	least, most := c.Users[0], c.Users[0]
	for _, n := range c.Users {
		least, most = min(least, n), max(most, n)
	}
	r.once("user served least to user served most", "", float64(least)/float64(max(1, most)))
}

// runCrowd sends requests from many clients for some time, and prints what became of them.
func runCrowd(ctx context.Context, kubeconfig string, out io.Writer) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, politeness); err != nil {
		return fmt.Errorf("lower the priority of the crowd: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, overloadTime)
	defer cancel()
	figures := crowdFigures{Users: make([]int64, crowdUsers)}
	var group sync.WaitGroup
	for n := range crowd / streams {
		own := rest.CopyConfig(config)
		own.UserAgent = "stoa-bench-crowd/" + strconv.Itoa(n) // a connection of its own
		client, err := rest.HTTPClientFor(own)
		if err != nil {
			return err
		}
		user := n % crowdUsers
		for worker := range streams {
			group.Go(func() {
				pause(ctx, comingTime*time.Duration(n*streams+worker)/crowd)
				for i := worker; ctx.Err() == nil; i++ {
					code, err := crowdRequest(ctx, client, config.Host, crowdUser(user), i)
					switch {
					case ctx.Err() != nil:
					case err != nil || code >= http.StatusInternalServerError:
						atomic.AddInt64(&figures.Failed, 1)
					case code == http.StatusTooManyRequests:
						atomic.AddInt64(&figures.Refused, 1)
					default:
						atomic.AddInt64(&figures.Served, 1)
						atomic.AddInt64(&figures.Users[user], 1)
					}
				}
			})
		}
	}
	group.Wait()
	return json.NewEncoder(out).Encode(figures)
}

// crowdRequest is one request of ten: a list, five reads, and four changes.
func crowdRequest(ctx context.Context, client *http.Client, host, user string, i int) (int, error) {
	switch n := i % 10; {
	case n == 0:
		return send(ctx, client, user, http.MethodGet, host+configMaps+"?limit=100", nil)
	case n < 6:
		return send(ctx, client, user, http.MethodGet, host+objectPath(i), nil)
	default:
		patch := fmt.Appendf(nil, `{"data":{"count":"%d","more":%q}}`, i, strings.Repeat("y", payloadSize/2))
		return send(ctx, client, user, http.MethodPatch, host+objectPath(i), patch)
	}
}
