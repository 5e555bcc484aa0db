// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command consumer serves an API group of its own beside those of Stoa. It is what
// the author of another project writes, and has a go.mod of its own.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"consumer.example/garden"

	"github.com/stoa-project/stoa/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func run(ctx context.Context) error {
	options := server.NewOptions()
	options.Groups = append(options.Groups, garden.Group())
	if err := options.Flags().Parse(os.Args[1:]); err != nil {
		return err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, completed)
	if err != nil {
		return err
	}
	fmt.Println("export KUBECONFIG=" + s.KubeconfigPath())
	return s.Run(ctx)
}
