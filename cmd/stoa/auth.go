// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
)

// errDenied is the answer no, which has been printed.
var errDenied = errors.New("no")

func newAuthCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "auth",
		Short: "Look into who may do what",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return errors.New("explain must follow") },
	}
	client := &clientFlags{}
	client.addTo(command)
	command.AddCommand(newAuthExplainCommand(client))
	return command
}

func newAuthExplainCommand(flags *clientFlags) *cobra.Command {
	q := &question{}
	var output string
	command := &cobra.Command{
		Use:   "explain VERB RESOURCE[/NAME]",
		Short: "Say which rule of which binding allows a request, or why none does",
		Long: "Reads the roles and bindings of the server and says which of them allow a request, and which come nearest.\n" +
			"Then it asks the server, whose other modes of authorization have a say too. The exit code is 0 for yes and 1 for no.",
		Example: "    stoa auth explain --as=alice delete pods -n blue\n" +
			"    stoa auth explain --as=system:serviceaccount:blue:robot get deployments.apps/web --subresource=scale -n blue\n" +
			"    stoa auth explain --as=alice --as-group=dev --non-resource=/metrics get",
		RunE: func(cmd *cobra.Command, arguments []string) error {
			if err := q.parse(arguments); err != nil {
				return err
			}
			if output != "" && output != "json" {
				return fmt.Errorf("-o must be json, not %q", output)
			}
			config, namespace, err := flags.config()
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			answer, err := q.ask(cmd.Context(), client, namespace)
			if err != nil {
				return err
			}
			write := answer.print
			if output == "json" {
				write = answer.printJSON
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return err
			}
			if !answer.Allowed {
				return errDenied
			}
			return nil
		},
	}
	set := command.Flags()
	set.StringVar(&q.user, "as", "", "Name of the user. Empty: who the kubeconfig is for.")
	set.StringArrayVar(&q.groups, "as-group", nil, "Group of the user. The flag can be given several times.")
	set.StringVarP(&q.namespace, "namespace", "n", "", "Namespace of the request. Empty: that of the context, or default.")
	set.BoolVarP(&q.everywhere, "all-namespaces", "A", false, "Ask about all namespaces at once.")
	set.StringVar(&q.subresource, "subresource", "", "Subresource, such as log or scale.")
	set.StringVar(&q.path, "non-resource", "", "Path that is no resource, such as /metrics; VERB alone must follow.")
	set.StringVarP(&output, "output", "o", "", "Format of the output: json. Empty: text.")
	return command
}
