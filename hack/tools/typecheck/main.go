// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command typecheck type-checks packages and all they import for other platforms:
//
//	typecheck darwin/arm64,linux/arm64 ./cmd/... ./stoatest/...
//
// It finds what a compiler would (a system call that a platform has not, a file
// with the wrong build constraint) and compiles nothing: a minute where
// "go build" takes ten, as it begins with the standard library.
package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: typecheck os/arch[,os/arch]... package...")
		os.Exit(2)
	}
	failed := false
	for platform := range strings.SplitSeq(os.Args[1], ",") {
		if err := check(platform, os.Args[2:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", platform, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// check prints the errors that packages and what they import have on a platform.
func check(platform string, patterns []string) error {
	system, architecture, _ := strings.Cut(platform, "/")
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles |
			packages.NeedImports | packages.NeedDeps | packages.NeedModule |
			packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax,
		Env: append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture),
	}, patterns...)
	if err != nil {
		return fmt.Errorf("load %v: %w", patterns, err)
	}
	seen := 0
	packages.Visit(loaded, func(*packages.Package) bool { seen++; return true }, nil)
	if found := packages.PrintErrors(loaded); found > 0 {
		return fmt.Errorf("%d errors", found)
	}
	fmt.Printf("%s: %d packages are well typed\n", platform, seen)
	return nil
}
