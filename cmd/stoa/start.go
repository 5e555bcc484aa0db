// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json
	"k8s.io/component-base/term"

	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/version"
)

// startOptions are what start has beside the server's own options.
type startOptions struct {
	server  *server.Options
	logging *logsapi.LoggingConfiguration
	config  string
	// merge adds the admin's entry to the user's own kubeconfig.
	merge bool
}

func newStartCommand() *cobra.Command {
	o := &startOptions{server: server.NewOptions(), logging: logsapi.NewLoggingConfiguration()}
	command := &cobra.Command{
		Use:   "start",
		Short: "Run the API server",
		Long: "Runs the API server until it is interrupted. The first start makes the certificates, the\n" +
			"admin kubeconfig and the embedded etcd's data in --data-dir; later starts find them there.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.config != "" {
				if err := server.LoadConfig(o.config, cmd.Flags()); err != nil {
					return err
				}
			}
			features.GovernClients()
			if err := logsapi.ValidateAndApply(o.logging, nil); err != nil {
				return err
			}
			defer logs.FlushLogs()
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	var sections cliflag.NamedFlagSets
	general := sections.FlagSet("stoa")
	general.StringVar(&o.config, "config", "", "File with the values of flags, see docs/reference/config.md. Flags on the command line win.")
	general.BoolVar(&o.merge, "merge-kubeconfig", false, "Add the administrator to $KUBECONFIG or ~/.kube/config, as context stoa.")
	o.server.AddFlags(&sections)
	logsapi.AddFlags(o.logging, sections.FlagSet("logs"))
	for _, section := range sections.Order {
		command.Flags().AddFlagSet(sections.FlagSets[section])
	}
	columns, _, _ := term.TerminalSize(command.OutOrStdout())
	cliflag.SetUsageAndHelpFunc(command, sections, columns)
	return command
}

func (o *startOptions) run(ctx context.Context, out io.Writer) error {
	began := time.Now()
	if o.server.DataDir == "" {
		return errors.New("--data-dir must not be empty")
	}
	completed, err := o.server.Complete(ctx)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, completed)
	if err != nil {
		return err
	}
	defer s.Close()
	if o.merge {
		path, err := s.MergeKubeconfig()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "Added context stoa to %s.\n", path)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if s.WaitReady(ctx) == nil {
			o.announce(out, s, time.Since(began))
			settle()
		}
	}()
	return s.Run(ctx)
}

// announce tells what to type next.
func (o *startOptions) announce(out io.Writer, s *server.Server, took time.Duration) {
	if o.server.Host.Aggregated {
		fmt.Fprintf(out, "Stoa %s (Kubernetes %s) is ready at %s after %.2f s, behind another cluster: use that.\n",
			version.Get().Version, version.Kubernetes(), s.URL(), took.Seconds())
		return
	}
	fmt.Fprintf(out, "Stoa %s (Kubernetes %s) is ready at %s after %.2f s.\n\nIn another terminal:\n\n"+
		"    export KUBECONFIG=%s\n    %s get namespaces\n\n",
		version.Get().Version, version.Kubernetes(), s.URL(), took.Seconds(), s.KubeconfigPath(), kubectl())
}

// kubectl is what to call it by: the one that lies beside this program, if any.
func kubectl() string {
	const name = "kubectl"
	self, err := os.Executable()
	if err != nil {
		return name
	}
	beside := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(beside); err != nil {
		return name
	}
	if here, err := os.Getwd(); err == nil {
		if relative, err := filepath.Rel(here, beside); err == nil && !strings.HasPrefix(relative, "..") {
			return relative
		}
	}
	return beside
}
