// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command stoa is a Kubernetes-style API server in one binary.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	_ "github.com/stoa-project/stoa/version/stamp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once: nothing is lost by it.
	context.AfterFunc(ctx, stop)
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "stoa: %v\n", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "stoa",
		Short:         "A Kubernetes-style API server that you own",
		SilenceErrors: true,
		SilenceUsage:  true,
		// Without Args, cobra reports an unknown command. A suggestion would be more lines.
		DisableSuggestions: true,
	}
	root.AddCommand(newStartCommand(), newVersionCommand())
	return root
}
