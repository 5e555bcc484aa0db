// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kubeapiserver

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/term"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/version"
)

// NewCommand returns the command "kube-apiserver". ready is called once, when the
// server is ready.
func NewCommand(ready func()) *cobra.Command {
	o := NewOptions()
	command := &cobra.Command{
		Use:   "kube-apiserver",
		Short: "Stoa in place of kube-apiserver",
		Long: "Runs Stoa with the flags of kube-apiserver, on an external etcd and with given certificates.\n" +
			"The last section lists the flags that are accepted, with a warning, but have no effect yet.",
		SilenceUsage: true,
		Args:         noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.PrintVersion != "" && o.PrintVersion != "false" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "Kubernetes %s\n", version.Kubernetes())
				return err
			}
			if err := v1.ValidateAndApply(o.Logging, nil); err != nil {
				return err
			}
			return o.run(cmd.Context(), ready)
		},
	}
	var sections cliflag.NamedFlagSets
	o.AddFlags(&sections)
	for _, section := range sections.Order {
		command.Flags().AddFlagSet(sections.FlagSets[section])
	}
	columns, _, _ := term.TerminalSize(command.OutOrStdout())
	cliflag.SetUsageAndHelpFunc(command, sections, columns)
	return command
}

func noArguments(cmd *cobra.Command, args []string) error {
	for _, arg := range args {
		if arg != "" {
			return fmt.Errorf("%q does not take any arguments, got %q", cmd.CommandPath(), args)
		}
	}
	return nil
}

func (o *Options) run(ctx context.Context, ready func()) error {
	logger := klog.FromContext(ctx)
	if errs := o.Validate(); len(errs) > 0 {
		return utilerrors.NewAggregate(errs)
	}
	for _, warning := range o.Warnings() {
		logger.Info("Warning: " + warning)
	}
	completed, err := o.Server.Complete(ctx)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, completed)
	if err != nil {
		return err
	}
	defer s.Close()
	go func() {
		if s.WaitReady(ctx) == nil {
			ready()
		}
	}()
	return s.Run(ctx)
}
