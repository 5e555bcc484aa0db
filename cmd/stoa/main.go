// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command stoa is a Kubernetes-style API server in one binary. Under the name
// kube-apiserver, by a link for example, it takes the place of that program, and
// under the name etcd that of etcd: a folder of two links is all that envtest needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"

	"github.com/stoa-project/stoa/server/kubeapiserver"
	_ "github.com/stoa-project/stoa/version/stamp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once: nothing is lost by it.
	context.AfterFunc(ctx, stop)
	switch filepath.Base(os.Args[0]) {
	case "kube-apiserver":
		command := kubeapiserver.NewCommand(settle)
		command.SetContext(ctx)
		code := cli.Run(command)
		stop()
		os.Exit(code)
	case "etcd":
		stop() // it has handlers of its own
		etcdmain.Main(os.Args)
	default:
		if err := newCommand().ExecuteContext(ctx); err != nil {
			if !errors.Is(err, errDenied) {
				fmt.Fprintf(os.Stderr, "stoa: %v\n", err)
			}
			os.Exit(1)
		}
	}
}

// settle makes a server small that is ready.
func settle() {
	debug.FreeOSMemory()
	trim()
	tuneGC()
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
	root.AddCommand(newStartCommand(), newVersionCommand(), newHashPasswordCommand(), newTokenCommand(), newKubeconfigCommand(), newAuditCommand(), newAuthCommand(),
		newInstallCommand(), newUninstallCommand(), newDoctorCommand())
	return root
}
