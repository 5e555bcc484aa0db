// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command golangci-lint is golangci-lint with logcheck, the linter for
// contextual logging, built in: one program loads and type-checks the tree once.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"
	_ "sigs.k8s.io/logtools/logcheck/gclplugin" // registers the linter
)

func main() {
	info := commands.BuildInfo{GoVersion: runtime.Version(), Version: lintVersion()}
	if err := commands.Execute(info); err != nil {
		fmt.Fprintln(os.Stderr, "golangci-lint:", err)
		os.Exit(exitcodes.Failure)
	}
}

// lintVersion is the version of golangci-lint in go.mod.
func lintVersion() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range build.Deps {
			if dependency.Path == "github.com/golangci/golangci-lint/v2" {
				return dependency.Version
			}
		}
	}
	return "unknown"
}
