// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures a Stoa binary: how fast it starts, how much memory it
// takes and how much it serves, beside two yardsticks that are measured in the
// same run, because absolute times of one machine mean little on another:
//
//   - etcd: puts of the same payload into an etcd with fsync, from as many clients;
//   - echo: a bare Go HTTP/2 server with TLS that answers with the same payload.
//
// It builds the binary from this checkout unless -stoa names one. Figures are
// printed as a table and, with -json, written as JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

// settings are the flags.
type settings struct {
	stoa     string
	json     string
	clients  int
	watchers int
	objects  int
	duration time.Duration
	run      string
	flags    string
	profiles string
	dir      string
	only     *regexp.Regexp // compiled run
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == echoCommand {
		if err := serveEcho(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 3 && os.Args[1] == overload {
		if err := runCrowd(context.Background(), os.Args[2], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var s settings
	flag.StringVar(&s.stoa, "stoa", "", "binary to measure; empty: built from this checkout")
	flag.StringVar(&s.json, "json", "", "file for the figures as JSON")
	flag.IntVar(&s.clients, "clients", 32, "clients at once")
	flag.IntVar(&s.watchers, "watchers", 100, "watchers at once")
	flag.IntVar(&s.objects, "objects", 4000, "objects in the list that is measured")
	flag.DurationVar(&s.duration, "duration", 5*time.Second, "how long each load lasts")
	flag.StringVar(&s.run, "run", "", "regular expression of the loads to run, or overload, or projects; empty: everything but these two")
	flag.StringVar(&s.flags, "flags", "", "more flags for the server, separated by spaces")
	flag.StringVar(&s.profiles, "profiles", "", "folder for a CPU profile of the server for each load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "stoa-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir = dir
	if s.only, err = regexp.Compile(s.run); err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if s.stoa == "" {
		s.stoa = filepath.Join(dir, "stoa")
		build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", s.stoa, "./cmd/stoa") //nolint:gosec // constant but for the folder
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build stoa: %w\n%s", err, out)
		}
	}
	var r report
	parts := []func(context.Context, settings, *report) error{measureStarts, measureDropIn, measureInProcess, measureYardsticks, measureLoad}
	switch s.run {
	case "":
	case overload:
		parts = []func(context.Context, settings, *report) error{measureOverload}
	case ofProjects:
		parts = []func(context.Context, settings, *report) error{measureProjects}
	default:
		parts = parts[3:]
	}
	for _, part := range parts {
		if err := part(ctx, s, &r); err != nil {
			return err
		}
	}
	r.relate()
	r.print(os.Stdout)
	if s.json == "" {
		return nil
	}
	data, err := json.MarshalIndent(r.Figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.json, append(data, '\n'), 0o600)
}
