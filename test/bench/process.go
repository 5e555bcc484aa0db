// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/stoa-project/stoa/stoatest"
)

const (
	startRounds  = 5
	startTimeout = time.Minute
	idleTime     = 5 * time.Second
)

// process is a running stoa.
type process struct {
	command    *exec.Cmd
	kubeconfig string
	took       time.Duration
}

// startProcess starts stoa on a folder below the run's and returns when /readyz
// says ok. took is the time from the start of the process.
func startProcess(ctx context.Context, s settings, folder string) (*process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	data := filepath.Join(s.dir, folder)
	p := &process{kubeconfig: filepath.Join(data, "admin.kubeconfig")}
	log, err := os.Create(data + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	arguments := append([]string{"start", "--data-dir=" + data, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port)}, strings.Fields(s.flags)...)
	p.command = exec.CommandContext(ctx, s.stoa, arguments...) //nolint:gosec // the binary to measure
	p.command.Stdout, p.command.Stderr = log, log
	began := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	for time.Since(began) < startTimeout && ctx.Err() == nil {
		if p.ready(ctx) {
			p.took = time.Since(began)
			return p, nil
		}
		pause(ctx, 2*time.Millisecond)
	}
	p.stop()
	text, _ := os.ReadFile(data + ".log")
	return nil, fmt.Errorf("stoa was not ready within %s:\n%s", startTimeout, text)
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (p *process) ready(ctx context.Context) bool {
	config, err := clientcmd.BuildConfigFromFlags("", p.kubeconfig)
	if err != nil {
		return false
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return false
	}
	return answers(ctx, client, config.Host+"/readyz")
}

// stop interrupts the process and returns how long it took to end.
func (p *process) stop() time.Duration {
	began := time.Now()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	_ = p.command.Wait()
	return time.Since(began)
}

// resident is the memory of the process in MB; 0 where /proc does not tell.
func (p *process) resident() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// cpu is how many seconds of processors the process has used; 0 where /proc does not tell.
// Other programs on the machine change it less than they change how long something takes.
func (p *process) cpu() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	var ticks float64
	_, after, _ := strings.Cut(string(data), ") ")
	for i, field := range strings.Fields(after) {
		if i == 11 || i == 12 { // of the user and of the system, in hundredths
			n, _ := strconv.ParseFloat(field, 64)
			ticks += n
		}
	}
	return ticks / 100
}

// measureStarts starts the server on new and on used folders.
func measureStarts(ctx context.Context, s settings, r *report) error {
	var first, again, stops, idle []float64
	for i := range startRounds {
		folder := fmt.Sprintf("start-%d", i)
		for _, times := range []*[]float64{&first, &again} {
			p, err := startProcess(ctx, s, folder)
			if err != nil {
				return err
			}
			*times = append(*times, p.took.Seconds()*1000)
			if i == 0 {
				pause(ctx, idleTime)
				idle = append(idle, p.resident())
			}
			stops = append(stops, p.stop().Seconds()*1000)
		}
	}
	r.median("first boot to /readyz", "ms", first)
	r.median("restart to /readyz", "ms", again)
	r.median("stop", "ms", stops)
	r.median("resident memory, idle", "MB", idle)
	return nil
}

// measureInProcess starts and stops stoatest in this process.
func measureInProcess(_ context.Context, _ settings, r *report) error {
	var starts, stops []float64
	failed := testing.Benchmark(func(b *testing.B) {
		if b.N > 1 {
			return // one round is enough; the loop below repeats it
		}
		for range startRounds {
			began := time.Now()
			server := stoatest.Start(b)
			starts = append(starts, time.Since(began).Seconds()*1000)
			began = time.Now()
			server.Stop()
			stops = append(stops, time.Since(began).Seconds()*1000)
		}
	})
	if failed.N == 0 || len(starts) == 0 {
		return errors.New("stoatest did not start")
	}
	r.median("stoatest.Start", "ms", starts)
	r.median("stoatest stop", "ms", stops)
	return nil
}
