// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/install"
)

const (
	installTimeout = 5 * time.Minute
	doctorTimeout  = time.Minute
	outputYAML     = "yaml"
)

// errSick is the error of a doctor that has said what is wrong.
var errSick = errors.New("the installation does not work")

// installation are the flags that install, uninstall and doctor share.
type installation struct {
	clientFlags
	install.Options
	timeout time.Duration
}

// newInstallation adds the flags to a command.
func newInstallation(command *cobra.Command, timeout time.Duration, timeoutUsage string) *installation {
	i := &installation{Options: install.NewOptions()}
	i.addTo(command)
	command.Flags().StringVar(&i.Namespace, "namespace", i.Namespace, "Namespace of the installation.")
	command.Flags().DurationVar(&i.timeout, "timeout", timeout, timeoutUsage)
	return i
}

// cluster returns the cluster of the flags. Its requests are not throttled.
func (i *installation) cluster(out io.Writer) (*install.Cluster, error) {
	var err error
	if i.APIServices, err = server.AggregatedAPIs(); err != nil {
		return nil, err
	}
	config, _, err := i.config()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return install.NewCluster(config, out)
}

func newInstallCommand() *cobra.Command {
	var output string
	var i *installation
	command := &cobra.Command{
		Use:   "install",
		Short: "Put a server in aggregated mode behind a cluster",
		Long: "Makes all objects that a server in aggregated mode needs in the cluster of the kubeconfig, or updates them, and waits\n" +
			"until the cluster sends requests to it. With --external-name or --endpoint the server is a process outside the cluster,\n" +
			"which you start: stoa start --aggregated. See docs/aggregated.md.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if i.APIServices, err = server.AggregatedAPIs(); err != nil {
				return err
			}
			if err := i.Validate(); err != nil {
				return err
			}
			switch output {
			case "":
				return i.install(cmd.Context(), cmd.OutOrStdout())
			case outputYAML:
				return printObjects(cmd.OutOrStdout(), i.Options)
			default:
				return fmt.Errorf("--output %q: must be %s or empty", output, outputYAML)
			}
		},
	}
	i = newInstallation(command, installTimeout, "How long to wait until the cluster sends requests to the server. 0 does not wait.")
	command.Flags().StringVarP(&output, "output", "o", "", "yaml prints the objects and changes nothing.")
	addInstallFlags(command.Flags(), &i.Options)
	return command
}

func addInstallFlags(flags *pflag.FlagSet, o *install.Options) {
	flags.StringVar(&o.Image, "image", o.Image, "Image of the pods.")
	flags.Int32Var(&o.Replicas, "replicas", o.Replicas, "Number of pods. More than one need --etcd-servers.")
	flags.StringSliceVar(&o.EtcdServers, "etcd-servers", nil, "etcd servers for the pods. Empty: an embedded etcd in a volume.")
	flags.StringVar(&o.StorageSize, "storage-size", o.StorageSize, "Size of the volume of the embedded etcd.")
	flags.StringVar(&o.ExternalName, "external-name", "", "DNS name of a server outside the cluster, which listens on --port. There are then no pods.")
	flags.StringVar(&o.Endpoint, "endpoint", "", "IP address and port of a server outside the cluster. There are then no pods.")
	flags.Int32Var(&o.Port, "port", o.Port, "Port on which the server listens.")
	flags.StringVar(&o.User, "user", "", "User that the server is in the cluster. Empty: the service account stoa.")
}

func (i *installation) install(ctx context.Context, out io.Writer) error {
	cluster, err := i.cluster(out)
	if err != nil {
		return err
	}
	if err := cluster.Apply(ctx, i.Options); err != nil {
		return err
	}
	if i.timeout == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	return cluster.Wait(ctx, i.Options)
}

// printObjects writes the objects as documents.
func printObjects(out io.Writer, o install.Options) error {
	objects, err := o.Objects()
	if err != nil {
		return err
	}
	for _, obj := range objects {
		content, err := yaml.Marshal(obj.Object)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "---\n%s", content); err != nil {
			return err
		}
	}
	return nil
}

func newUninstallCommand() *cobra.Command {
	var i *installation
	command := &cobra.Command{
		Use:   "uninstall",
		Short: "Take a server in aggregated mode away from a cluster, with its data",
		Long: "Deletes everything that install makes, however it was called, and waits until it is gone. The volume with the data of\n" +
			"the embedded etcd is deleted too. What is in an external etcd, or in the data folder of a server outside, stays.\n" +
			"Delete tenants and grants before: their deletion waits for the controllers of the server, which take away what they\n" +
			"wrote into the cluster.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := i.cluster(cmd.OutOrStdout())
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), i.timeout)
			defer cancel()
			return cluster.Delete(ctx, i.Options)
		},
	}
	i = newInstallation(command, installTimeout, "How long to wait until everything is gone.")
	return command
}

func newDoctorCommand() *cobra.Command {
	var i *installation
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Say why a cluster does not send requests to a server in aggregated mode",
		Long:  "Looks at both sides, in the order in which one thing needs another, and says what to do about the first that is wrong.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := i.cluster(cmd.OutOrStdout())
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), i.timeout)
			defer cancel()
			return diagnose(cmd.OutOrStdout(), cluster.Examine(ctx, i.Options))
		},
	}
	i = newInstallation(command, doctorTimeout, "How long it may take.")
	command.Flags().StringVar(&i.User, "user", "", "User that the server is in the cluster, if install does not know any more.")
	return command
}

// diagnose prints findings and what to do.
func diagnose(out io.Writer, findings []install.Finding) error {
	do := ""
	for _, finding := range findings {
		mark := "ok  "
		if !finding.OK {
			mark = "FAIL"
			if do == "" {
				do = finding.Do
			}
		}
		fmt.Fprintf(out, "%s  %-12s %s\n", mark, finding.Check, finding.Text)
	}
	if do == "" {
		return nil
	}
	fmt.Fprintf(out, "\nDo this: %s.\n", do)
	return errSick
}
